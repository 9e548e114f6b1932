/** Issue 1, items 1 to 3: a real guest through the public API, with everything that carries it killed on the way. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Row, routerNetns, type SkerryError } from '@skerry/contract'
import { realHost } from '@skerry/host'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { type Demo, makeDemo, removeDemo } from '../harness/demo.ts'
import { answers, httpFromRouter, outside, uptime } from '../harness/guest.ts'
import { sleep, startSite, type TestSite, until } from '../harness/site.ts'

const { exec } = realHost()

let site: TestSite
let demo: Demo
beforeAll(async () => {
  site = await startSite()
  demo = await makeDemo(site)
})
afterAll(async () => {
  try {
    if (demo) await removeDemo(site, demo)
  } finally {
    await site?.stop()
  }
})

interface Vm {
  uuid: string
  ip: string
  nic: string
  tap: string
}

async function makeVm(name: string, more: Row = {}): Promise<Vm> {
  return vmOf(await site.call('CreateVmInstance', { name, ...demo.vmParams, ...more }))
}
function vmOf(inventory: Row): Vm {
  const nic = (inventory['vmNics'] as Row[])[0]!
  return {
    uuid: inventory['uuid'] as string,
    ip: nic['ip'] as string,
    nic: nic['uuid'] as string,
    tap: nic['internalName'] as string,
  }
}
async function gone(vm: Vm): Promise<void> {
  await site.call('DestroyVmInstance', { uuid: vm.uuid })
  await site.call('ExpungeVmInstance', { uuid: vm.uuid })
}
const stateOf = async (vm: Vm) => (await site.client.get('vm', vm.uuid))['state']
/** Agents report within a second or two; what must be so in the end is waited for, not timed. */
const clean = () =>
  until('an audit without differences', 60_000, async () => {
    const { differences } = await site.client.auditHosts()
    if (differences.length > 0) throw new Error(JSON.stringify(differences, null, 1))
    return true
  })
const qemuPid = async () => (await site.libvirtd.qemuPids())[0]

describe('a guest', () => {
  it('boots from disk, gets the address of the graph, answers, reaches outward, keeps its address, and leaves nothing', async () => {
    const beyond = await outside('skout', '198.51.100')
    const vm = await makeVm('hello')
    expect(await answers(demo.l3, vm.ip)).toContain('hello')
    expect(await httpFromRouter(demo.l3, vm.ip, `/cgi-bin/get?${beyond.address}:80`)).toContain('outside sees 198.51.100.1')
    await clean()

    await site.call('StopVmInstance', { uuid: vm.uuid })
    expect(await stateOf(vm)).toBe('Stopped')
    expect(vmOf(await site.call('StartVmInstance', { uuid: vm.uuid }))).toEqual(vm)
    await answers(demo.l3, vm.ip)
    expect(await uptime(demo.l3, vm.ip)).toBeLessThan(170)

    await site.call('RebootVmInstance', { uuid: vm.uuid })
    await answers(demo.l3, vm.ip)
    await gone(vm)
    await clean()
    expect((await exec.run('ip', ['-j', 'link', 'show'], { timeoutMs: 5_000 })).stdout).not.toContain(vm.tap)
    await beyond.stop()
  })

  it('that powers itself off is Stopped with its cause, and stays so', async () => {
    const vm = await makeVm('wilful')
    await answers(demo.l3, vm.ip)
    await typed(vm, 'poweroff -f\n', '')
    await until('the report of the power off', 60_000, async () => (await stateOf(vm)) === 'Stopped')
    expect((await site.client.get('vm', vm.uuid))['stateCause']).toBe('guest')
    await sleep(3_000)
    expect(await stateOf(vm)).toBe('Stopped')
    await gone(vm)
    await clean()
  })
})

/** Types into the serial console and waits for text on it; what was shown. */
async function typed(vm: Vm, text: string, wanted: string): Promise<string> {
  const { token } = (await site.call('RequestConsoleAccess', { vmInstanceUuid: vm.uuid })) as { token: string }
  const socket = new WebSocket(site.client.consoleUrl(token))
  let shown = ''
  socket.on('message', (data) => {
    shown += String(data)
  })
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  socket.send(text)
  await until(`'${wanted}' on the console`, 30_000, () => shown.includes(wanted))
  if (wanted === '') await sleep(1_000)
  socket.close()
  return shown
}

describe('a console', () => {
  it('shows what is typed to the guest, and its token opens it once', async () => {
    const vm = await makeVm('talk')
    await answers(demo.l3, vm.ip)
    expect(await typed(vm, 'echo sum-$((40+2))\n', 'sum-42')).toContain('sum-42')
    await gone(vm)
  })
})

describe('audit --hosts', () => {
  it('finds each of ten differences that were planted by hand', async () => {
    const vm = await makeVm('audited')
    await answers(demo.l3, vm.ip)
    await clean()
    const planted: [what: string, plant: () => Promise<unknown>, mend: () => Promise<unknown>, kind: string][] = await plants(vm)
    for (const [what, plant, mend, kind] of planted) {
      await plant()
      const { differences } = await site.client.auditHosts()
      expect(
        differences.map((d) => d['kind']),
        what,
      ).toContain(kind)
      await mend()
    }
    expect(planted.length).toBeGreaterThanOrEqual(10)
    await gone(vm)
    await clean()
  })
})

async function plants(vm: Vm): Promise<[string, () => Promise<unknown>, () => Promise<unknown>, string][]> {
  const run = (cmd: string, ...argv: string[]) => exec.run(cmd, argv, { timeoutMs: 10_000, okCodes: [0, 1] })
  const pool = join(site.dir, 'primary')
  const store = join(site.dir, 'images')
  const stray = 'f'.repeat(32)
  const ns = routerNetns(demo.l3)
  const blob = (await run('ls', join(store, 'images'))).stdout.trim()
  const volume = (await run('ls', join(pool, 'volumes'))).stdout.trim()
  const move = (path: string) => [() => run('mv', path, `${path}.away`), () => run('mv', `${path}.away`, path)] as const
  const touch = (path: string) => [() => run('touch', path), () => run('rm', '-f', path)] as const
  return [
    ['a volume file of nobody', ...touch(join(pool, 'volumes', `${stray}.qcow2`)), 'volume-file'],
    ['a cached image of nobody', ...touch(join(pool, 'cache', `${stray}${stray}.qcow2`)), 'cache-file'],
    ['an image of nobody', ...touch(join(store, 'images', `${stray}${stray}.qcow2`)), 'image-file'],
    ['a missing image', ...move(join(store, 'images', blob)), 'image-file'],
    ['a missing volume', ...move(join(pool, 'volumes', volume)), 'volume-file'],
    ['a missing image reference', ...move(join(store, 'refs', `${demo.image}.json`)), 'image-ref'],
    [
      'a bridge of nobody',
      () => run('ip', 'link', 'add', 'skbr0123456789a', 'type', 'bridge'),
      () => run('ip', 'link', 'del', 'skbr0123456789a'),
      'bridge',
    ],
    [
      'a tap of nobody',
      () => run('ip', 'tuntap', 'add', 'sktp0123456789a', 'mode', 'tap'),
      () => run('ip', 'tuntap', 'del', 'sktp0123456789a', 'mode', 'tap'),
      'tap',
    ],
    [
      'a router of nobody',
      () => run('ip', 'netns', 'add', `skerry-${stray}`),
      () => run('ip', 'netns', 'del', `skerry-${stray}`),
      'netns',
    ],
    [
      'SNAT of nobody',
      () => run('ip', 'netns', 'exec', ns, 'nft', 'add', 'element', 'inet', 'skerry', 'snat_sources', '{ 10.99.0.0/24 }'),
      async () => undefined,
      'snat',
    ],
    [
      'a domain with our mark that nobody knows',
      () => strangerDomain(vm, stray),
      () => run('virsh', '-c', site.libvirtd.uri, 'undefine', `skerry-${stray}`),
      'domain',
    ],
  ]
}

/** Defines a copy of a VM's domain under another uuid, as a restored backup of the graph would leave it behind. */
async function strangerDomain(vm: Vm, stray: string): Promise<void> {
  const virsh = (...argv: string[]) => exec.run('virsh', ['-c', site.libvirtd.uri, ...argv], { timeoutMs: 10_000 })
  const dashed = (uuid: string) => uuid.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  const { stdout } = await virsh('dumpxml', '--inactive', `skerry-${vm.uuid}`)
  const file = join(site.dir, 'stranger.xml')
  await writeFile(file, stdout.replaceAll(vm.uuid, stray).replaceAll(dashed(vm.uuid), dashed(stray)))
  await virsh('define', file)
}

describe('the controller, killed with -9 inside a job', () => {
  const within = async (api: string, params: Row, step: string): Promise<Row> => {
    const accepted = (await site.client.call(api, params)) as { job: { uuid: string } }
    await until(`step ${step} of ${api}`, 60_000, async () => {
      const { step: at, state } = await site.client.job(accepted.job.uuid)
      return at === step || state !== 'processing'
    })
    await site.kill('controller')
    await site.start('controller')
    const ended = await site.client.waitJob(accepted.job.uuid)
    expect(ended.error ?? null, api).toBeNull()
    expect(ended.state, api).toBe('done')
    return (ended.result ?? {}) as Row
  }

  it('carries create, start, stop and destroy to their end after its restart', async () => {
    const made = await within('CreateVmInstance', { name: 'survivor', ...demo.vmParams }, 'make-volume')
    const vm = vmOf(made['inventory'] as Row)
    await answers(demo.l3, vm.ip)
    await within('StopVmInstance', { uuid: vm.uuid, type: 'grace' }, 'power-off')
    expect(await stateOf(vm)).toBe('Stopped')
    await within('StartVmInstance', { uuid: vm.uuid }, 'boot')
    expect(await stateOf(vm)).toBe('Running')
    await answers(demo.l3, vm.ip)
    await within('DestroyVmInstance', { uuid: vm.uuid }, 'power-off')
    await site.call('ExpungeVmInstance', { uuid: vm.uuid })
    await clean()
  })
})

describe('an agent, killed with -9', () => {
  it('finds its guest, its router and its files again: same qemu, same dnsmasq, the guest runs on', async () => {
    const vm = await makeVm('steady')
    await answers(demo.l3, vm.ip)
    const pid = await qemuPid()
    const dns = await dnsmasqPid()
    const before = await uptime(demo.l3, vm.ip)
    for (const program of ['agent-kvm', 'agent-vrouter', 'agent-storage'] as const) {
      await site.kill(program)
      await site.start(program)
    }
    await clean()
    expect(await qemuPid()).toBe(pid)
    expect(await dnsmasqPid()).toBe(dns)
    expect(await uptime(demo.l3, vm.ip)).toBeGreaterThan(before)
    expect(await stateOf(vm)).toBe('Running')
    await gone(vm)
    await clean()
  })
})

async function dnsmasqPid(): Promise<number> {
  const { stdout } = await exec.run('ip', ['netns', 'pids', routerNetns(demo.l3)], { timeoutMs: 5_000 })
  const pids = stdout.trim().split('\n').map(Number)
  for (const pid of pids) if ((await readFile(`/proc/${pid}/comm`, 'utf8')).trim() === 'dnsmasq') return pid
  throw new Error(`no dnsmasq among ${pids.join(', ')}`)
}

describe('libvirtd that hangs for a minute', () => {
  it('stops neither heartbeats nor the API; calls end at their deadline, and all goes on afterwards', async () => {
    const vm = await makeVm('patient')
    site.libvirtd.sigstop()
    const reboot = site.client.call('RebootVmInstance', { uuid: vm.uuid }, { wait: true }).then(
      () => 'done',
      (error: SkerryError) => error.code,
    )
    const until60 = Date.now() + 60_000
    while (Date.now() < until60) {
      const { inventories } = await site.client.query('agent', { q: ['status=Connected'] })
      expect(inventories.map((a) => a['kind']).sort()).toEqual(['kvm', 'storage', 'vrouter'])
      await sleep(5_000)
    }
    site.libvirtd.sigcont()
    expect(['done', 'deadline-exceeded', 'hypervisor-failed']).toContain(await reboot)
    await until('a running guest', 60_000, async () => (await stateOf(vm)) === 'Running')
    await gone(vm)
    await clean()
  })
})

describe('the command line, as it is built', () => {
  const skerry = async (...argv: string[]) => {
    const env = ['-u', 'SKERRY_CONTEXT', `XDG_CONFIG_HOME=${join(site.dir, 'config')}`]
    const cli = [process.execPath, join(import.meta.dirname, '../../dist/cli/main.js')]
    return exec.run('env', [...env, ...cli, ...argv], { timeoutMs: 60_000, okCodes: [0, 1, 2, 3, 4] })
  }

  it('takes a VM instance through its life by name, in every format, and says by its exit code how it went', async () => {
    const password = join(site.dir, 'password')
    await writeFile(password, 'password\n', { mode: 0o600 })
    expect((await skerry('login', '--url', site.url, '--password-file', password)).code).toBe(0)
    const made = await skerry(
      'create',
      'vm',
      '--name',
      'by-hand',
      '--instance-offering',
      'small',
      '--image',
      'tiny',
      '--l3-networks',
      'net1',
      '--wait',
    )
    expect(made.stderr + made.stdout).toContain('boot')
    expect((await skerry('get', 'vm', 'by-hand', '-o', 'yaml')).stdout).toContain('name: by-hand')
    expect(JSON.parse((await skerry('get', 'vm', 'by-hand', '-o', 'json')).stdout)).toBeTruthy()
    const plan = await skerry('stop', 'vm', 'by-hand', '--dry-run')
    expect(plan.stdout).toContain('power-off')
    expect((await skerry('get', 'vm', 'by-hand')).stdout).toContain('Running')
    expect((await skerry('get', 'vm', 'nobody')).code).toBe(3)
    expect((await skerry('delete', 'zone', 'site', '--wait')).code).toBe(4)
    expect((await skerry('destroy', 'vm', 'by-hand', '--wait')).code).toBe(0)
    expect((await skerry('expunge', 'vm', 'by-hand', '--wait')).code).toBe(0)
    await clean()
    expect((await skerry('audit', '--hosts')).code).toBe(0)
  })
})
