/** The agent over a fake host: the law of its modules, and what the loop makes of them. */
import { type InventoryItem, routerNetns, routerPort, routerUplink } from '@skerry/contract'
import { type FakeHost, fakeHost } from '@skerry/host'
import { type AnyModule, converge, createReconciler, type Reconciler } from '@skerry/reconcile'
import { beforeEach, describe, expect, test } from 'vitest'
import { vrouterModules } from '../src/build.ts'
import { inventory } from '../src/inventory.ts'
import { purgeVrouter } from '../src/purge.ts'
import { routerDir } from '../src/routers/service.ts'
import { Desired, leaseSpec, newUuid, routerSpec } from './world.ts'

const STATE = '/var/lib/skerry/agent-vrouter'
const AT = { bootId: 'b', nowMs: 1_700_000_000_000 }
const bridge = 'skbr0123456789a'

let host: FakeHost
let desired: Desired
let modules: [AnyModule, AnyModule]
let loop: Reconciler
let faults: unknown[]

beforeEach(async () => {
  host = fakeHost()
  await host.files.makeDir(STATE, 0o711)
  desired = new Desired()
  faults = []
  modules = vrouterModules({ host, stateDir: STATE, hostTable: 'skerry_vrouter' }) as [AnyModule, AnyModule]
  loop = createReconciler({
    modules,
    ledger: desired,
    clock: { now: () => AT.nowMs },
    timers: { set: () => undefined, clear: () => undefined, nowMs: () => 0 },
    bootId: 'b',
    onStatus: () => undefined,
    onFault: (error) => faults.push(error),
    intervalMs: 1e9,
  })
  await host.ip.at().links.add({ kind: 'bridge', name: bridge })
})

const items = (): Promise<InventoryItem[]> => inventory({ host, stateDir: STATE, hostTable: 'skerry_vrouter' })
const statusOf = (uuid: string) => loop.statuses().find((s) => s.uuid === uuid)
async function pass() {
  loop.start()
  await loop.pass()
  expect(faults).toEqual([])
}
/** Every call to the host that isn't a read. */
function watchWrites(): string[] {
  const writes: string[] = []
  const reads = /\.(list|read|get|table|tables|elements|running|leases|stat|readAt|pids)$/
  host.faults.before = (op) => void (reads.test(op) || writes.push(op))
  return writes
}

describe('a router', () => {
  test('converges in one round, with all its services', async () => {
    const uuid = newUuid()
    desired.put('router', uuid, routerSpec(bridge))
    const { first, second } = await converge(modules[0], desired, AT)
    expect(first.length).toBeGreaterThan(10)
    expect(second).toEqual([])
    expect(await host.dnsmasq.running(routerDir(STATE, uuid))).toBeDefined()
    expect(host.network.in('').sysctls.get('net/ipv4/ip_forward')).toBe('1')
    expect(host.network.in(routerNetns(uuid)).routes).toMatchObject([{ dst: 'default', via: '169.254.64.1', dev: 'up0' }])
  })

  test.each([
    [
      'other networks',
      {
        cidrs: [
          { cidr: '10.20.0.0/16', gateway: '10.20.0.1' },
          { cidr: '10.30.0.0/16', gateway: '10.30.0.1' },
        ],
      },
    ],
    ['no SNAT', { services: { dhcp: true, dns: true, snat: false } }],
    ['no DHCP and no DNS', { services: { dhcp: false, dns: false, snat: true } }],
    ['another uplink', { uplink: { hostIp: '169.254.64.5', routerIp: '169.254.64.6', prefixLen: 30 } }],
    ['no uplink', { uplink: null }],
    ['another MTU', { mtu: 1450 }],
    ['another domain', { domain: 'other.internal' }],
  ] as const)('becomes one with %s in one round', async (_what, change) => {
    const uuid = newUuid()
    desired.put('router', uuid, routerSpec(bridge))
    await converge(modules[0], desired, AT)
    desired.put('router', uuid, routerSpec(bridge, change as never))
    const { first, second } = await converge(modules[0], desired, AT)
    expect(first).not.toEqual([])
    expect(second).toEqual([])
  })

  test('that is as wanted is only read', async () => {
    desired.put('router', newUuid(), routerSpec(bridge))
    await pass()
    const writes = watchWrites()
    await loop.pass()
    expect(writes).toEqual([])
  })

  test('waits for its bridge, complete but for that, and joins it when it comes', async () => {
    const uuid = newUuid()
    desired.put('router', uuid, routerSpec('skbrlater'))
    await pass()
    expect(statusOf(uuid)).toMatchObject({ condition: 'Failed', error: { retry: 'later', details: { bridge: 'skbrlater' } } })
    expect(await host.dnsmasq.running(routerDir(STATE, uuid))).toBeDefined()
    await host.ip.at().links.add({ kind: 'bridge', name: 'skbrlater' })
    const { first, second } = await converge(modules[0], desired, AT)
    expect(first).toEqual([{ uuid, op: 'port.attach', bridge: 'skbrlater' }])
    expect(second).toEqual([])
  })

  test('that contradicts itself is refused and leaves the others alone', async () => {
    const [bad, good] = [newUuid(), newUuid()]
    desired.put('router', bad, routerSpec(bridge, { cidrs: [{ cidr: '10.10.0.0/24', gateway: '10.99.0.1' }] }))
    desired.put('router', good, routerSpec(bridge))
    await pass()
    expect(statusOf(bad)).toMatchObject({ condition: 'Refused', error: { code: 'invalid-document' } })
    expect(statusOf(good)?.condition).toBe('Ready')
    expect(await host.ip.netns.list()).toEqual([routerNetns(good)])
  })

  test("whose interface name is somebody else's touches it not", async () => {
    const uuid = newUuid()
    await host.ip.at().links.add({ kind: 'bridge', name: routerPort(uuid), alias: 'mine' })
    desired.put('router', uuid, routerSpec(bridge))
    await pass()
    expect(statusOf(uuid)).toMatchObject({ condition: 'Failed', error: { code: 'in-use' } })
    expect((await host.ip.at().links.get(routerPort(uuid)))?.alias).toBe('mine')
  })

  test('whose making fails half-way is completed by the next round', async () => {
    const uuid = newUuid()
    desired.put('router', uuid, routerSpec(bridge))
    for (const op of ['ip.netns.add', 'ip.links.add', 'ip.addresses.add', 'nft.apply', 'files.write', 'dnsmasq.start']) {
      host.faults.failNext(op)
      await expect(converge(modules[0], desired, AT)).rejects.toThrow()
    }
    expect((await converge(modules[0], desired, AT)).second).toEqual([])
  })

  test('is buried with everything, and the last one takes the host table', async () => {
    const [a, b] = [newUuid(), newUuid()]
    desired.put('router', a, routerSpec(bridge))
    desired.put('router', b, routerSpec(bridge, { uplink: { hostIp: '169.254.64.5', routerIp: '169.254.64.6', prefixLen: 30 } }))
    await pass()
    desired.bury('router', a)
    await loop.pass()
    expect(statusOf(a)?.condition).toBe('Gone')
    expect(statusOf(b)?.condition).toBe('Ready')
    expect(await host.nft.at().elements({ family: 'inet', table: 'skerry_vrouter', name: 'uplinks', kind: 'set' })).toEqual([
      { concat: [routerUplink(b), '169.254.64.6'] },
    ])
    desired.bury('router', b)
    await loop.pass()
    expect(await items()).toEqual([])
    expect(await host.nft.at().tables()).toEqual([])
    expect(host.processTable.all()).toEqual([])
    expect(host.network.in('').links.map((l) => l.name)).toEqual(['lo', 'eth0', 'eth1', bridge])
  })

  test('that nobody wants or buried is told as an orphan and runs on', async () => {
    const uuid = newUuid()
    desired.put('router', uuid, routerSpec(bridge))
    await pass()
    desired.forget('router', uuid)
    const writes = watchWrites()
    await loop.pass()
    expect(statusOf(uuid)?.condition).toBe('Orphaned')
    expect(writes).toEqual([])
  })

  test('comes back after a boot with the leases that were given', async () => {
    const [uuid, nic] = [newUuid(), newUuid()]
    desired.put('router', uuid, routerSpec(bridge))
    desired.put('lease', nic, leaseSpec(uuid, 10))
    await pass()
    await host.requestLease(routerDir(STATE, uuid), '02:00:00:00:00:0a')
    host.reboot()
    await host.ip.at().links.add({ kind: 'bridge', name: bridge })
    await loop.pass()
    expect(statusOf(uuid)?.condition).toBe('Ready')
    expect(statusOf(nic)).toMatchObject({ condition: 'Ready', observed: { leased: true } })
  })

  test.each([
    ['its namespace', (uuid: string) => host.ip.netns.del(routerNetns(uuid))],
    ['its port', (uuid: string) => host.ip.at().links.del(routerPort(uuid))],
    ['its uplink', (uuid: string) => host.ip.at().links.del(routerUplink(uuid))],
    ['its gateway address', (uuid: string) => host.ip.at(routerNetns(uuid)).addresses.del('lan0', '10.10.0.1/24')],
    ['its place on the bridge', (uuid: string) => host.ip.at().links.set(routerPort(uuid), { master: null })],
    [
      'its dnsmasq',
      async (uuid: string) => host.processTable.kill((await host.dnsmasq.running(routerDir(STATE, uuid)))?.pid ?? 0),
    ],
    ['its pid file', (uuid: string) => host.files.remove(`${routerDir(STATE, uuid)}/pid`)],
    ['its configuration', (uuid: string) => host.files.write(`${routerDir(STATE, uuid)}/dnsmasq.conf`, 'port=0\n')],
    ['the mark of its port', (uuid: string) => host.ip.at().links.set(routerPort(uuid), { alias: '' })],
    ['forwarding on the host', () => host.ip.at().sysctl.write('net/ipv4/ip_forward', '0')],
    ['the host table', () => host.nft.at().apply([{ delete: { table: { family: 'inet', name: 'skerry_vrouter' } } }])],
  ] as const)('that lost %s has it again after one pass', async (_what, damage) => {
    const uuid = newUuid()
    desired.put('router', uuid, routerSpec(bridge))
    await pass()
    const before = await items()
    await damage(uuid)
    await loop.pass()
    expect(statusOf(uuid)?.condition).toBe('Ready')
    const { first } = await converge(modules[0], desired, AT)
    expect(first).toEqual([])
    const ids = (all: InventoryItem[]) => all.map((i) => `${i.kind} ${i.id}`).sort()
    expect(ids(await items())).toEqual(ids(before))
  })
})

describe('leases', () => {
  test('converge in one round and are read only afterwards', async () => {
    const uuid = newUuid()
    desired.put('router', uuid, routerSpec(bridge))
    for (let n = 10; n < 20; n++) desired.put('lease', newUuid(), leaseSpec(uuid, n))
    await pass()
    const writes = watchWrites()
    await loop.pass()
    expect(writes).toEqual([])
    expect(loop.statuses().every((s) => s.condition === 'Ready')).toBe(true)
  })

  test('a hundred at once are few writes and reloads', async () => {
    const uuid = newUuid()
    desired.put('router', uuid, routerSpec(bridge))
    await pass()
    for (let n = 10; n < 110; n++) desired.put('lease', newUuid(), leaseSpec(uuid, n))
    const writes = watchWrites()
    await loop.pass()
    expect(host.processTable.signals.map((s) => s.signal)).toEqual(['SIGHUP'])
    expect(writes.filter((op) => op === 'files.write')).toHaveLength(3)
    expect((await items()).filter((i) => i.kind === 'dhcp-host')).toHaveLength(100)
  })

  test('of a router that is not here wait for it, and say so', async () => {
    const [router, nic] = [newUuid(), newUuid()]
    desired.put('lease', nic, leaseSpec(router, 10))
    await pass()
    expect(statusOf(nic)).toMatchObject({ condition: 'Failed', error: { code: 'not-found' } })
    desired.put('router', router, routerSpec(bridge))
    await loop.pass()
    expect(statusOf(nic)?.condition).toBe('Ready')
  })

  test('that want one address: the first has it, the second is told who', async () => {
    const [router, a, b] = [newUuid(), `0${newUuid().slice(1)}`, `f${newUuid().slice(1)}`]
    desired.put('router', router, routerSpec(bridge))
    desired.put('lease', b, leaseSpec(router, 11, { ip: '10.10.0.10' }))
    desired.put('lease', a, leaseSpec(router, 10))
    await pass()
    expect(statusOf(a)?.condition).toBe('Ready')
    expect(statusOf(b)).toMatchObject({ condition: 'Failed', error: { code: 'address-in-use', details: { holder: a } } })
    desired.bury('lease', a)
    await loop.pass()
    expect(statusOf(b)?.condition).toBe('Ready')
    expect((await items()).filter((i) => i.kind === 'dhcp-host')).toMatchObject([{ owner: b, facts: { ip: '10.10.0.10' } }])
  })

  test('free their address at once for another MAC, with no lease left behind', async () => {
    const [router, a, b] = [newUuid(), newUuid(), newUuid()]
    desired.put('router', router, routerSpec(bridge))
    desired.put('lease', a, leaseSpec(router, 10))
    await pass()
    const dir = routerDir(STATE, router)
    expect(await host.requestLease(dir, '02:00:00:00:00:0a')).toBe('10.10.0.10')
    await loop.pass()
    expect(statusOf(a)).toMatchObject({ observed: { leased: true, expiresAt: (1_700_000_000 + 3600) * 1000 } })
    desired.bury('lease', a)
    desired.put('lease', b, leaseSpec(router, 10, { mac: '02:00:00:00:00:0b' }))
    await loop.pass()
    expect(await host.dnsmasq.leases(dir)).toEqual([])
    expect(statusOf(a)?.condition).toBe('Gone')
    expect(await host.requestLease(dir, '02:00:00:00:00:0b')).toBe('10.10.0.10')
  })

  test('are told to dnsmasq again when the agent died between writing and telling', async () => {
    const [router, a] = [newUuid(), newUuid()]
    desired.put('router', router, routerSpec(bridge))
    await pass()
    desired.put('lease', a, leaseSpec(router, 10))
    host.faults.failNext('dnsmasq.reload')
    await loop.pass()
    await loop.pass()
    expect(host.processTable.signals).toMatchObject([{ signal: 'SIGHUP' }])
    expect(statusOf(router)?.condition).toBe('Ready')
  })

  test('swap their addresses in one pass', async () => {
    const [router, a, b] = [newUuid(), newUuid(), newUuid()]
    desired.put('router', router, routerSpec(bridge))
    desired.put('lease', a, leaseSpec(router, 10))
    desired.put('lease', b, leaseSpec(router, 11))
    await pass()
    desired.put('lease', a, leaseSpec(router, 10, { ip: '10.10.0.11' }))
    desired.put('lease', b, leaseSpec(router, 11, { ip: '10.10.0.10' }))
    await loop.pass()
    expect((await items()).filter((i) => i.kind === 'dhcp-host').map((i) => [i.owner, i.facts['ip']])).toEqual(
      [
        [a, '10.10.0.11'],
        [b, '10.10.0.10'],
      ].sort(),
    )
  })

  test.each(['ignore', 'infinite', '45m', '3600', '10.10.0.99'])(
    'named %s get a name, and no other meaning',
    async (hostname) => {
      const [router, a] = [newUuid(), newUuid()]
      desired.put('router', router, routerSpec(bridge))
      desired.put('lease', a, leaseSpec(router, 10, { hostname }))
      await pass()
      const dir = routerDir(STATE, router)
      expect(await host.files.read(`${dir}/hosts`)).toBe(`# ${a}\n02:00:00:00:00:0a,10.10.0.10\n`)
      expect(await host.files.read(`${dir}/names`)).toBe(`10.10.0.10 ${hostname}\n`)
      expect(statusOf(a)?.condition).toBe('Ready')
    },
  )

  test('go with their router without a word to its dnsmasq', async () => {
    const [router, a] = [newUuid(), newUuid()]
    desired.put('router', router, routerSpec(bridge))
    desired.put('lease', a, leaseSpec(router, 10))
    await pass()
    desired.bury('lease', a)
    desired.bury('router', router)
    host.processTable.signals.length = 0
    await loop.pass()
    expect(statusOf(a)?.condition).toBe('Gone')
    expect(statusOf(router)?.condition).toBe('Gone')
    expect(host.processTable.signals.map((s) => s.signal)).toEqual(['SIGTERM'])
    expect(await items()).toEqual([])
  })
})

describe('purge', () => {
  test('removes all of it, gives forwarding back, and leaves what others made', async () => {
    await host.ip.netns.add(`skerry-${newUuid()}`)
    const others = await host.ip.netns.list()
    const uuid = newUuid()
    desired.put('router', uuid, routerSpec(bridge))
    desired.put('lease', newUuid(), leaseSpec(uuid, 10))
    await pass()
    const ports = { host, stateDir: STATE, hostTable: 'skerry_vrouter' }
    expect(await purgeVrouter(ports)).toContain(`netns ${routerNetns(uuid)}`)
    expect(await host.ip.netns.list()).toEqual(others)
    expect(host.network.in('').sysctls.get('net/ipv4/ip_forward')).toBe('0')
    expect(await host.nft.at().tables()).toEqual([])
    expect(host.processTable.all()).toEqual([])
    expect(host.network.in('').links.map((l) => l.name)).toEqual(['lo', 'eth0', 'eth1', bridge])
    expect(await purgeVrouter(ports)).toEqual([])
  })
})
