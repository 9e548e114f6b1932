/** A VPC router on the real tools: three networks in one namespace, two public networks, static routes, real packets. */
import { once } from 'node:events'
import { lanName, legName, routerNetns, type vrouterDesired } from '@skerry/contract'
import type { Reconciler } from '@skerry/reconcile'
import { requireOrSkip } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type Guest, Lab } from './lab.ts'
import { Desired, leaseSpec, newUuid, vipSpec, vpcSpec } from './world.ts'

// events, not times: the ceiling is only there for a stuck run
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const lab = new Lab()
const desired = new Desired()
const router = newUuid()
const [red, blue] = [newUuid(), newUuid()]
const [north, south] = [newUuid(), newUuid()]
const bridgeOf = (name: string) => `skb${name}${lab.suffix}`
const own = { north: newUuid(), south: newUuid() }
const eip = newUuid()
const nics = [newUuid(), newUuid()]
const netns = routerNetns(router)
let loop: Reconciler
let [one, two, farNorth]: Guest[] = []

const network = (l3NetworkUuid: string, n: number, change: Partial<Network> = {}): Network => ({
  ...{ l3NetworkUuid, bridge: bridgeOf(n === 1 ? 'r' : 'b'), mtu: null, domain: `net${n}.internal`, dns: [] },
  cidrs: [{ cidr: `10.${n}.0.0/24`, gateway: `10.${n}.0.1` }],
  services: { dhcp: true, dns: true, snat: true },
  ...change,
})
type Network = NonNullable<vrouterDesired.RouterSpec['networks']>[number]
const at = (l3NetworkUuid: string) => ({
  routerUuid: router,
  l3NetworkUuid,
  bridge: bridgeOf(l3NetworkUuid === north ? 'n' : 's'),
})
const publicIp = (l3: string, isDefault: boolean) =>
  l3 === north
    ? vipSpec(at(north), 10, { own: { default: isDefault } })
    : vipSpec(at(south), 10, { ip: '192.0.2.10', gateway: '192.0.2.1', own: { default: isDefault } })

async function ready(): Promise<void> {
  await loop.pass()
  expect(lab.faults).toEqual([])
  const faulty = loop.statuses().filter((s) => s.condition !== 'Ready' && s.condition !== 'Gone')
  expect(faulty.map((s) => s.error ?? s)).toEqual([])
}

/** A server that tells each caller who it is. */
async function serve(guest: Guest, port: number): Promise<void> {
  const program = `require('net').createServer((s)=>{s.on('error',()=>{});s.write(s.remoteAddress+'\\n');s.pipe(s)}).listen(${port},'0.0.0.0',()=>console.log('up'))`
  await once(lab.inside(guest.netns, [process.execPath, '-e', program]).stdout as NodeJS.ReadableStream, 'data')
}
/** Under which address it is seen there; undefined: it does not get through. */
async function seenAs(guest: Guest, to: string, port: number): Promise<string | undefined> {
  const program = `const s=require('net').connect({host:'${to}',port:${port},timeout:1500});s.on('timeout',()=>s.destroy());
    s.on('error',()=>{});s.once('data',(d)=>{console.log(String(d).trim());s.destroy()})`
  return (await guest.run(process.execPath, ['-e', program])).trim() || undefined
}
const pid = (uuid: string) => loop.statuses().find((s) => s.uuid === uuid)?.observed?.['dnsmasqPid']

/** A public network behind a gateway, which has more addresses. */
async function outside(name: string, gateway: string, more: readonly string[]): Promise<Guest> {
  const guest = await lab.guest(name, bridgeOf(name))
  await guest.run('ip', ['addr', 'add', `${gateway}/24`, 'dev', 'eth0'])
  await guest.run('ip', ['link', 'set', 'eth0', 'up'])
  for (const ip of more) await guest.run('ip', ['addr', 'add', `${ip}/32`, 'dev', 'lo'])
  await serve(guest, 7000)
  return guest
}

describe.runIf(
  requireOrSkip('a VPC router on real tools', { root: true, programs: ['ip', 'nft', 'dnsmasq', 'conntrack', 'busybox'] }),
)('a VPC router', () => {
  beforeAll(async () => {
    await lab.up()
    for (const name of ['r', 'b', 'n', 's']) await lab.bridge(bridgeOf(name))
    ;[one, two] = [await lab.guest('a', bridgeOf('r')), await lab.guest('c', bridgeOf('b'))]
    farNorth = await outside('n', '198.51.100.1', ['203.0.113.7'])
    await outside('s', '192.0.2.1', ['203.0.113.8'])
    loop = lab.loop(desired)
  })
  afterAll(() => lab.down([router]))

  test('is there without any network, and takes networks one after the other', async () => {
    desired.put('router', router, vpcSpec([]))
    desired.put('vip', own.north, publicIp(north, true))
    await ready()
    expect(pid(router)).toBeNull()
    desired.put('router', router, vpcSpec([network(red, 1)]))
    await ready()
    expect(pid(router)).toEqual(expect.any(Number))
    desired.put('router', router, vpcSpec([network(red, 1), network(blue, 2, { mtu: 1400 })]))
    const leases = [leaseSpec(router, 1, { ip: '10.1.0.10' }), leaseSpec(router, 2, { ip: '10.2.0.10' })]
    for (const [n, spec] of leases.entries()) desired.put('lease', nics[n]!, spec)
    await ready()
    expect(await one!.dhcp(leases[0]!.mac)).toMatch(/ip=10\.1\.0\.10 router=10\.1\.0\.1 dns=10\.1\.0\.1 domain=net1\.internal/)
    expect(await two!.dhcp(leases[1]!.mac)).toMatch(/ip=10\.2\.0\.10 router=10\.2\.0\.1 dns=10\.2\.0\.1 domain=net2\.internal/)
    const links = await lab.host.ip.at(netns).links.list()
    expect(links.find(({ name }) => name === lanName(blue))?.mtu).toBe(1400)
    const before = (await lab.host.exec.run('nft', ['list', 'ruleset'], { timeoutMs: 10_000, netns })).stdout
    await ready()
    expect((await lab.host.exec.run('nft', ['list', 'ruleset'], { timeoutMs: 10_000, netns })).stdout).toBe(before)
    await serve(two!, 8080)
  })

  test('leads between its networks as they are, and out under its own address', async () => {
    expect(await seenAs(one!, '10.2.0.10', 8080)).toBe('10.1.0.10')
    expect(await seenAs(one!, '203.0.113.7', 7000)).toBe('198.51.100.10')
  })

  test('an EIP on it leads in and out', async () => {
    desired.put('vip', eip, vipSpec(at(north), 20, { eip: { guestIp: '10.2.0.10' } }))
    await ready()
    expect(await seenAs(farNorth!, '198.51.100.20', 8080)).toBe('198.51.100.1')
    expect(await seenAs(two!, '203.0.113.7', 7000)).toBe('198.51.100.20')
  })

  test('a second public network is reached by a static route, and can become the default', async () => {
    desired.put('vip', own.south, publicIp(south, false))
    const to = { destination: '203.0.113.8/32', via: '192.0.2.1', distance: 10 }
    desired.put('routes', router, { routes: [to, { destination: '203.0.113.7/32', via: null, distance: 1 }] })
    await ready()
    expect(await seenAs(one!, '203.0.113.8', 7000)).toBe('192.0.2.10')
    // a black hole
    expect(await seenAs(one!, '203.0.113.7', 7000)).toBeUndefined()
    desired.put('routes', router, { routes: [to] })
    await ready()
    expect(await seenAs(one!, '203.0.113.7', 7000)).toBe('198.51.100.10')
    desired.put('routes', router, { routes: [] })
    desired.put('vip', own.north, publicIp(north, false))
    desired.put('vip', own.south, publicIp(south, true))
    await ready()
    expect(await seenAs(one!, '203.0.113.8', 7000)).toBe('192.0.2.10')
  })

  test('a route whose next hop is in no network waits, and comes with its network', async () => {
    desired.bury('vip', own.south)
    desired.put('vip', own.north, publicIp(north, true))
    desired.put('routes', router, { routes: [{ destination: '203.0.113.8/32', via: '192.0.2.1', distance: 10 }] })
    await ready()
    expect(loop.statuses().find((s) => s.noun === 'routes')?.observed).toEqual({ waiting: ['203.0.113.8/32'] })
    expect((await lab.host.ip.at(netns).links.list()).map(({ name }) => name)).not.toContain(legName(south))
    desired.forget('vip', own.south)
    desired.put('vip', own.south, publicIp(south, false))
    await ready()
    expect(await seenAs(one!, '203.0.113.8', 7000)).toBe('192.0.2.10')
  })

  test('a network without SNAT is told by its own addresses, and one that goes takes nothing along', async () => {
    const daemon = pid(router)
    desired.put(
      'router',
      router,
      vpcSpec([network(red, 1, { services: { dhcp: true, dns: true, snat: false } }), network(blue, 2, { mtu: 1400 })]),
    )
    await ready()
    expect(pid(router)).toBe(daemon)
    await farNorth!.run('ip', ['route', 'add', '10.1.0.0/24', 'via', '198.51.100.10'])
    expect(await seenAs(one!, '203.0.113.7', 7000)).toBe('10.1.0.10')
    desired.bury('lease', nics[1]!)
    desired.put('router', router, vpcSpec([network(red, 1)]))
    await ready()
    expect((await lab.host.ip.at(netns).links.list()).map(({ name }) => name)).not.toContain(lanName(blue))
    expect(await seenAs(one!, '203.0.113.7', 7000)).toBe('198.51.100.10')
  })

  test('goes whole', async () => {
    for (const uuid of [own.north, own.south, eip]) desired.bury('vip', uuid)
    desired.bury('lease', nics[0]!)
    desired.bury('routes', router)
    desired.bury('router', router)
    await ready()
    expect(await lab.host.ip.netns.list()).not.toContain(netns)
    expect((await lab.host.ip.at().links.list()).filter(({ alias }) => alias?.includes(router))).toEqual([])
  })
})
