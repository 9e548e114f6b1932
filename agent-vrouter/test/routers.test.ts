/** Routers over a fake host: the law of the module, and what the loop makes of it. */
import { type InventoryItem, routerNetns, routerPort, routerUplink } from '@skerry/contract'
import { converge } from '@skerry/reconcile'
import { beforeEach, describe, expect, test } from 'vitest'
import { routerDir } from '../src/routers/service.ts'
import { AT, bridge, type FakeSite, fakeSite, STATE } from './fake-site.ts'
import { leaseSpec, newUuid, routerSpec } from './world.ts'

let host: FakeSite['host']
let desired: FakeSite['desired']
let loop: FakeSite['loop']
let pass: FakeSite['pass']
let items: FakeSite['items']
let statusOf: FakeSite['statusOf']
let watchWrites: FakeSite['watchWrites']
let modules: FakeSite['modules']

beforeEach(async () => {
  ;({ host, desired, loop, pass, items, statusOf, watchWrites, modules } = await fakeSite())
})

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
    expect(first).toEqual([{ uuid, op: 'port.attach', port: routerPort(uuid), bridge: 'skbrlater' }])
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
