import { apis } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { exitCodes } from '../src/index.ts'
import { commandsOf, verbs } from '../src/verbs.ts'
import { world } from './cli-world.ts'

describe('help', () => {
  it('lists every verb with its nouns, and every noun of a verb', () =>
    world(async ({ skerry }) => {
      const top = await skerry('--help')
      expect(top.code).toBe(0)
      for (const verb of [...verbs(), 'login', 'console', 'events', 'audit', 'doctor', 'nats', 'job', 'agent', 'keys'])
        expect(top.out).toContain(`\n  ${verb}`)
      expect((await skerry('start', '--help')).out).toContain('vm')
      const create = await skerry('create', 'vm', '--help')
      for (const flag of ['--image', '--l3-networks', '--instance-offering', '--memory-size', '--wait', '--dry-run'])
        expect(create.out, flag).toContain(flag)
      expect((await skerry('--version')).out).toBe('0.1.0\n')
    }))
  it('has a command for every API but those that machines or other commands make', () => {
    const reachable = new Set(
      verbs().flatMap((verb) => commandsOf(verb).flatMap((command) => command.apis.map((api) => api.api))),
    )
    expect(apis.map(({ api }) => api.api).filter((name) => !reachable.has(name))).toEqual([
      'EnrolAgent',
      'RequestConsoleAccess',
      'LogInByAccount',
      'LogIn',
      'LogOut',
      'ValidateSession',
      'LogInByUser',
      'IssueBusCredentials',
      'ZQLQuery',
      'BatchQuery',
      'RequestTunnel',
    ])
  })
  it('answers misuse with exit code 2', () =>
    world(async ({ skerry }) => {
      for (const argv of [
        ['fly'],
        ['start'],
        ['start', 'vm'],
        ['start', 'rocket'],
        ['get', 'vm', '-o', 'xml'],
        ['get', 'vm', '--nonsense'],
        ['audit'],
        [],
      ])
        expect((await skerry(...argv)).code, argv.join(' ')).toBe(exitCodes.usage)
      expect((await skerry('create', 'disk-offering', 'd', '--disk-size', 'big')).code).toBe(exitCodes.usage)
    }))
})

describe('get', () => {
  it('shows a table with readable sizes, or JSON, YAML, names', () =>
    world(async ({ skerry, engine }) => {
      const vm = engine.add('vmInstance', {
        name: 'hello',
        state: 'Running',
        memorySize: 1.5 * 2 ** 30,
        cpuNum: 2,
        hostUuid: null,
      })
      engine.add('vmNic', { vmInstanceUuid: vm['uuid'], ip: '10.0.0.7' })
      expect((await skerry('get', 'vm')).out.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
        ['NAME', 'UUID', 'STATE', 'IP', 'CPUNUM', 'MEMORYSIZE', 'HOSTUUID'],
        ['hello', vm['uuid'], 'Running', '10.0.0.7', '2', '1.5 GiB'],
        [''],
      ])
      expect(JSON.parse((await skerry('get', 'vm', '-o', 'json')).out)).toMatchObject([
        { name: 'hello', vmNics: [{ ip: '10.0.0.7' }] },
      ])
      expect((await skerry('get', 'vm', 'hello', '-o', 'yaml')).out).toContain('name: hello\n')
      expect((await skerry('get', 'vm', '-o', 'name')).out).toBe('hello\n')
      expect(JSON.parse((await skerry('get', 'vm', 'hello', '-o', 'json')).out)).toMatchObject({ name: 'hello' })
    }))
  it('filters, sorts, counts and picks fields', () =>
    world(async ({ skerry, engine }) => {
      for (const name of ['b', 'a', 'c']) engine.add('zone', { name, state: name === 'c' ? 'Disabled' : 'Enabled' })
      expect((await skerry('get', 'zone', '-q', 'state=Enabled', '--sort', '+name', '-o', 'name')).out).toBe('a\nb\n')
      expect((await skerry('get', 'zone', '-q', 'state=Enabled', '-q', 'name=a', '--count')).out).toBe('1\n')
      expect((await skerry('get', 'zone', 'c', '--fields', 'name,state')).out).toBe('NAME  STATE\nc     Disabled\n')
      expect((await skerry('get', 'zone', '-q', 'name=nobody')).out).toBe('nothing found\n')
    }))
})

describe('verbs', () => {
  it('turn flags into parameters: names, sizes, lists, maps, booleans', () =>
    world(async ({ skerry, engine }) => {
      const [image, lan, lan2, provider] = [
        engine.add('image', { name: 'debian' }),
        engine.add('l3Network', { name: 'lan' }),
        engine.add('l3Network', { name: 'lan2' }),
        engine.add('networkServiceProvider', { name: 'vrouter' }),
      ]
      await skerry(
        'create',
        'vm',
        'hello',
        '--image',
        'debian',
        '--l3-networks',
        'lan,lan2',
        '--memory-size',
        '512M',
        '--cpu-num',
        '2',
        '--virtio',
      )
      await skerry('attach-services', 'l3-network', 'lan', '--network-services', `${provider['uuid']}=DHCP,DNS`)
      await skerry(
        'create',
        'ip-range',
        'r',
        '--l3-network',
        'lan',
        '--start-ip',
        '10.0.0.2',
        '--end-ip',
        '10.0.0.9',
        '--netmask',
        '255.255.255.0',
      )
      await skerry('delete', 'image', 'debian')
      await skerry('create', 'zone', '--name', 'z', '--is-default', 'false', '--system-tags', 'a::b', '--system-tags', 'c::d')
      expect(engine.calls.map((call) => [call.api.api, call.params])).toEqual([
        [
          'CreateVmInstance',
          {
            name: 'hello',
            imageUuid: image['uuid'],
            l3NetworkUuids: [lan['uuid'], lan2['uuid']],
            memorySize: 2 ** 29,
            cpuNum: 2,
            virtio: true,
          },
        ],
        [
          'AttachNetworkServiceToL3Network',
          { l3NetworkUuid: lan['uuid'], networkServices: { [String(provider['uuid'])]: ['DHCP', 'DNS'] } },
        ],
        [
          'AddIpRange',
          { name: 'r', l3NetworkUuid: lan['uuid'], startIp: '10.0.0.2', endIp: '10.0.0.9', netmask: '255.255.255.0' },
        ],
        ['DeleteImage', { uuid: image['uuid'] }],
        ['CreateZone', { name: 'z', isDefault: false, systemTags: ['a::b', 'c::d'] }],
      ])
    }))
  it('choose between APIs by the flags, and know create for add and delete for destroy', () =>
    world(async ({ skerry, engine, files }) => {
      engine.add('host', { name: 'h1' })
      engine.add('vmInstance', { name: 'hello' })
      engine.add('cluster', { name: 'c1' })
      files.set('/secret', 'hush\n')
      for (const argv of [
        ['update', 'host', 'h1', '--name', 'h2'],
        ['update', 'host', 'h1', '--ssh-port', '2222'],
        ['delete', 'vm', 'hello'],
        [
          'create',
          'host',
          'h',
          '--cluster',
          'c1',
          '--management-ip',
          '10.0.0.1',
          '--username',
          'root',
          '--password-file',
          '/secret',
        ],
      ])
        expect(await skerry(...argv), argv.join(' ')).toMatchObject({ code: 0, err: '' })
      expect(engine.calls.map((call) => call.api.api)).toEqual(['UpdateHost', 'UpdateKVMHost', 'DestroyVmInstance', 'AddKVMHost'])
      expect(engine.calls[3]?.params['password']).toBe('hush')
    }))
  it('answer with the job, or follow it with --wait', () =>
    world(async ({ skerry, engine }) => {
      engine.add('vmInstance', { name: 'hello', state: 'Stopped' })
      expect((await skerry('start', 'vm', 'hello')).out).toMatch(/^job [0-9a-f]{32} accepted; skerry job wait /)
      expect((await skerry('start', 'vm', 'hello', '-o', 'name')).out).toMatch(/^[0-9a-f]{32}\n$/)
      engine.hold = true
      const waited = await skerry('start', 'vm', 'hello', '--wait')
      expect(waited.err).toContain('[2/3] place: 50%, 512 B of 1 KiB, 3 s left\n')
      expect(waited.out).toContain('NAME   UUID')
      expect((await skerry('version', 'controller')).out).toContain('version: ')
    }))
  it('show the plan with --dry-run and change nothing', () =>
    world(async ({ skerry, engine }) => {
      engine.add('zone', { name: 'z' })
      expect((await skerry('delete', 'zone', 'z', '--dry-run')).out).toBe(
        'steps: check → place\n\nnothing was changed; --if-plan plan-1 does exactly this or nothing\n',
      )
      expect(engine.calls).toEqual([])
      expect((await skerry('delete', 'zone', 'z', '--if-plan', 'plan-0')).code).toBe(exitCodes.conflict)
      expect((await skerry('delete', 'zone', 'z', '--if-plan', 'plan-1')).code).toBe(0)
    }))
})
