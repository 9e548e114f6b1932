import { describe, expect, test } from 'vitest'
import { layoutOf } from '../src/layout.ts'
import { isOurDomain, isOurQemu } from '../src/purge/guests.ts'
import { ownLibvirt } from '../src/services/libvirt.ts'
import { allServices, type PlanInputs } from '../src/services/plan.ts'
import { serviceSpec, specHash } from '../src/services/spec.ts'
import { unitText } from '../src/services/systemd.ts'
import { readUpSettings, type Settings } from '../src/settings.ts'

const layout = layoutOf('/srv/site')
const plan = (env: Record<string, string> = {}): PlanInputs => ({
  settings: readUpSettings([], { SKERRY_STATE_DIR: '/srv/site', ...env }) as Settings,
  layout,
  node: '/usr/bin/node',
  bundles: Object.fromEntries(
    ['controller', 'agent-kvm', 'agent-storage', 'agent-vrouter'].map((name) => [name, `/srv/site/app/${name}`]),
  ),
  fingerprints: { nats: 'n1', controller: 'c1' },
  extensions: { plugins: null, workflows: null },
  libvirt: ownLibvirt(layout),
  domainType: 'qemu',
  managementIp: '127.0.0.1',
})

describe('plan of services', () => {
  test('each is valid, and what others need comes first', () => {
    const services = allServices(plan())
    for (const spec of services) expect(serviceSpec.safeParse(spec).success, spec.name).toBe(true)
    expect(services.map(({ name }) => name)).toEqual([
      'virtlogd',
      'libvirtd',
      'nats',
      'controller',
      'agent-kvm',
      'agent-storage',
      'agent-vrouter',
    ])
  })

  test('no argument and no variable holds a secret, only paths to them', () => {
    const words = allServices(plan({ SKERRY_ADMIN_PASSWORD: 'very-secret' })).flatMap(({ argv, env }) => [
      ...argv,
      ...Object.values(env),
    ])
    expect(words.join(' ')).not.toContain('very-secret')
  })

  test('agent-kvm is told which libvirtd and which domain type', () => {
    const kvm = allServices(plan()).find(({ name }) => name === 'agent-kvm')
    expect(kvm?.env).toEqual({ SKERRY_LIBVIRT_URI: ownLibvirt(layout).uri, SKERRY_DOMAIN_TYPE: 'qemu' })
  })

  test('the controller is told where plugins and workflows are, where there are any', () => {
    const argv = (inputs: PlanInputs) =>
      allServices(inputs)
        .find(({ name }) => name === 'controller')!
        .argv.join(' ')
    expect(argv(plan())).not.toMatch(/--plugins|--workflows/)
    const extensions = { plugins: '/etc/plugins', workflows: '/etc/workflows' }
    expect(argv({ ...plan(), extensions })).toContain('--plugins /etc/plugins --workflows /etc/workflows')
  })

  test('beyond loopback the controller gets a certificate and the agents its CA', () => {
    const services = allServices(plan({ SKERRY_HTTP_ADDR: '192.0.2.1', SKERRY_ADMIN_PASSWORD: 'x1' }))
    expect(services.find(({ name }) => name === 'controller')?.argv).toContain('--http-cert')
    expect(services.find(({ name }) => name === 'agent-storage')?.argv).toContain('--ca-file')
  })

  test('the same inputs give the same hashes, another domain type another one for agent-kvm only', () => {
    const hashes = (inputs: PlanInputs) => Object.fromEntries(allServices(inputs).map((spec) => [spec.name, specHash(spec)]))
    expect(hashes(plan())).toEqual(hashes(plan()))
    const renewed = hashes({ ...plan(), fingerprints: { nats: 'n2', controller: 'c1' } })
    const before = hashes(plan())
    // nats-server reads its configuration and certificate when it starts
    expect(Object.keys(before).filter((name) => before[name] !== renewed[name])).toEqual(['nats'])
    const other = hashes({ ...plan(), domainType: 'kvm' })
    expect(Object.keys(other).filter((name) => other[name] !== hashes(plan())[name])).toEqual(['agent-kvm'])
  })

  test('a state folder too long for the socket of libvirt is refused with the reason', () => {
    expect(() => ownLibvirt(layoutOf(`/srv/${'x'.repeat(100)}`))).toThrow('too long')
  })
})

describe('systemd unit', () => {
  const spec = {
    name: 'agent-kvm',
    argv: ['/usr/bin/node', 'a b', '50%', '$HOME', 'say "hi"\\'],
    env: { SKERRY_X: 'a b' },
    cwd: '/srv',
    logFile: '/srv/l',
    stopTimeoutMs: 15_000,
  }

  test('words are quoted so that systemd sees them as they are', () => {
    const lines = unitText('skerry', spec).split('\n')
    expect(lines).toContain('ExecStart="/usr/bin/node" "a b" "50%%" "$$HOME" "say \\"hi\\"\\\\"')
    expect(lines).toContain('Environment="SKERRY_X=a b"')
  })

  test('what the program started outlives it, and it is always started again', () => {
    expect(unitText('skerry', spec)).toContain('KillMode=process')
    expect(unitText('skerry', spec)).toContain('Restart=always')
  })

  test('a line break cannot add a setting', () => {
    expect(() => unitText('skerry', { ...spec, argv: ['/bin/true', 'x\nExecStartPre=/bin/evil'] })).toThrow('control characters')
  })
})

describe('what is ours', () => {
  const uuid = '0123456789abcdef0123456789abcdef'
  const domain = (o: { name?: string; mark?: boolean; file?: string }) => `<domain type='kvm'>
  <name>${o.name ?? `skerry-${uuid}`}</name>
  <metadata>${o.mark === false ? '' : `<skerry:vm xmlns:skerry="https://skerry.dev/libvirt/1" uuid="${uuid}" generation="1.2" hash="ab"/>`}</metadata>
  <devices><disk type='file' device='disk'><source file='${o.file ?? '/srv/site/primary/volumes/v.qcow2'}'/><target dev='vda'/></disk></devices>
</domain>`

  test('a domain with our name, our mark and a disk of this site', () => {
    expect(isOurDomain(domain({}), '/srv/site')).toBe(true)
  })

  test.each([
    ["a user's domain", domain({ name: 'web', mark: false })],
    ["a user's domain that only has our kind of name", domain({ mark: false })],
    ["another site's domain", domain({ file: '/srv/other/primary/volumes/v.qcow2' })],
    ['a domain of a site whose folder begins alike', domain({ file: '/srv/site2/primary/volumes/v.qcow2' })],
  ])('%s is not', (_, xml) => {
    expect(isOurDomain(xml, '/srv/site')).toBe(false)
  })

  test('a qemu process is ours by name and disk, not by one of them', () => {
    const cmdline = (name: string, file: string) => [
      '/usr/bin/qemu-system-x86_64',
      '-name',
      `guest=${name},debug-threads=on`,
      '-blockdev',
      `{"filename":"${file}"}`,
    ]
    expect(isOurQemu({ cmdline: cmdline(`skerry-${uuid}`, '/srv/site/primary/v') }, '/srv/site')).toBe(true)
    expect(isOurQemu({ cmdline: cmdline('web', '/srv/site/primary/v') }, '/srv/site')).toBe(false)
    expect(isOurQemu({ cmdline: cmdline(`skerry-${uuid}`, '/srv/other/v') }, '/srv/site')).toBe(false)
  })
})
