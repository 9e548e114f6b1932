/** Leases and the purge over a fake host. */
import { routerNetns } from '@skerry/contract'
import { beforeEach, describe, expect, test } from 'vitest'
import { purgeVrouter } from '../src/purge.ts'
import { routerDir } from '../src/routers/service.ts'
import { bridge, type FakeSite, fakeSite, STATE } from './fake-site.ts'
import { leaseSpec, newUuid, routerSpec } from './world.ts'

let host: FakeSite['host']
let desired: FakeSite['desired']
let loop: FakeSite['loop']
let pass: FakeSite['pass']
let items: FakeSite['items']
let statusOf: FakeSite['statusOf']
let watchWrites: FakeSite['watchWrites']

beforeEach(async () => {
  ;({ host, desired, loop, pass, items, statusOf, watchWrites } = await fakeSite())
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
