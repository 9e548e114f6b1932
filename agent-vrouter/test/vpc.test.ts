/** A VPC router on fakes: several networks in one namespace, its own addresses, and its static routes. */
import { castSpec, documentCasts, lanName, legName, routerNetns, routerPort, vrouterDesired } from '@skerry/contract'
import { beforeEach, describe, expect, test } from 'vitest'
import { problemOf } from '../src/routers/lans.ts'
import { confOf } from '../src/routers/service.ts'
import { bridge, type FakeSite, fakeSite } from './fake-site.ts'
import { leaseSpec, newUuid, routerSpec, vipSpec, vpcSpec } from './world.ts'

type Network = NonNullable<vrouterDesired.RouterSpec['networks']>[number]
const router = newUuid()
const [red, blue, pub] = ['1', '2', '3'].map((c) => c.repeat(32)) as [string, string, string]
const network = (l3NetworkUuid: string, n: number, change: Partial<Network> = {}): Network => ({
  ...{ l3NetworkUuid, bridge, mtu: null, domain: null, dns: [], services: { dhcp: true, dns: true, snat: true } },
  cidrs: [{ cidr: `10.${n}.0.0/24`, gateway: `10.${n}.0.1` }],
  ...change,
})
const both = [network(red, 1, { domain: 'red.test' }), network(blue, 2, { mtu: 1400 })]
const own = (isDefault: boolean) =>
  vipSpec({ routerUuid: router, l3NetworkUuid: pub, bridge }, 10, { own: { default: isDefault } })
let site: FakeSite
const inside = () => site.host.ip.at(routerNetns(router))
const names = async () => (await inside().links.list()).map((link) => link.name).sort()
const faulty = () => site.loop.statuses().filter((s) => s.condition !== 'Ready' && s.condition !== 'Gone')

beforeEach(async () => {
  site = await fakeSite()
})

describe('a VPC router', () => {
  test('takes networks and gives them up, one no-op after each, and takes all with it', async () => {
    const vip = newUuid()
    site.desired.put('router', router, vpcSpec(both))
    site.desired.put('vip', vip, own(true))
    await site.pass()
    expect(faulty()).toEqual([])
    expect(await names()).toEqual([lanName(red), lanName(blue), 'lo', legName(pub)].sort())
    expect((await inside().addresses.list()).map(({ cidr }) => cidr)).toEqual(
      expect.arrayContaining(['10.1.0.1/24', '10.2.0.1/24', '198.51.100.10/24']),
    )
    expect(await inside().routes.list()).toMatchObject([{ dst: 'default', via: '198.51.100.1', dev: legName(pub) }])
    const writes = site.watchWrites()
    await site.pass()
    expect(writes).toEqual([])
    site.desired.put('router', router, vpcSpec([both[0]!]))
    await site.pass()
    expect(await names()).toEqual([lanName(red), 'lo', legName(pub)].sort())
    expect(await site.host.ip.at().links.get(routerPort(blue))).toBeUndefined()
    site.desired.bury('vip', vip)
    site.desired.bury('router', router)
    await site.pass()
    expect(await site.items()).toEqual([])
  })

  test('serves leases in each of its networks, and in no other', async () => {
    const [one, two] = [newUuid(), newUuid()]
    site.desired.put('router', router, vpcSpec(both))
    site.desired.put('lease', one, leaseSpec(router, 1, { ip: '10.2.0.9' }))
    site.desired.put('lease', two, leaseSpec(router, 2, { ip: '10.3.0.9' }))
    await site.pass()
    expect(site.statusOf(one)).toMatchObject({ condition: 'Ready' })
    expect(site.statusOf(two)).toMatchObject({ condition: 'Refused', error: { code: 'invalid-document' } })
  })

  test('tells the guests of each network what is theirs', () => {
    const conf = confOf(vpcSpec(both, { dns: ['192.0.2.53'] }), '/d', ['192.0.2.99']).split('\n')
    expect(conf).toEqual(
      expect.arrayContaining([
        'server=192.0.2.53',
        `interface=${lanName(red)}`,
        `interface=${lanName(blue)}`,
        'dhcp-option=tag:l0n0,option:router,10.1.0.1',
        'dhcp-option=tag:l1n0,option:router,10.2.0.1',
        'dhcp-option=tag:l1n0,option:mtu,1400',
        'domain=red.test,10.1.0.0/24',
      ]),
    )
    expect(conf.filter((line) => line.startsWith('dhcp-range=') && !line.includes('set:'))).toEqual([])
    expect(conf.join('\n')).not.toContain('192.0.2.99')
  })

  test.each<[string, Partial<vrouterDesired.RouterSpec>, RegExp]>([
    ['addresses in common', { networks: [both[0]!, network(blue, 1)] }, /overlap/],
    [
      'a gateway elsewhere',
      { networks: [network(red, 1, { cidrs: [{ cidr: '10.1.0.0/24', gateway: '10.9.0.1' }] })] },
      /is not in/,
    ],
    ['a network of its own besides', { bridge, cidrs: [{ cidr: '10.9.0.0/24', gateway: '10.9.0.1' }] }, /not of both/],
  ])('is refused with %s', (_, change, why) => {
    expect(problemOf(router, vpcSpec(both, change))).toMatch(why)
  })

  test('can only be said to an agent that knows it', () => {
    const down = (noun: string, spec: object, from: number) => castSpec(documentCasts[noun], { ...spec }, { from, to: from - 1 })
    expect(down('router', vpcSpec(both), vrouterDesired.router.schema)).toBeUndefined()
    expect(down('router', routerSpec(bridge), vrouterDesired.router.schema)).toEqual(routerSpec(bridge))
    expect(down('vip', own(true), vrouterDesired.vip.schema)).toBeUndefined()
  })
})

describe('static routes', () => {
  const to = (destination: string, via: string | null, distance = 10) => ({ destination, via, distance })
  const ours = async () => (await inside().routes.list()).filter(({ protocol }) => protocol === '219')
  beforeEach(async () => {
    site.desired.put('router', router, vpcSpec(both))
    await site.pass()
  })

  test('are made, replaced where only the way changes, and go', async () => {
    site.desired.put('routes', router, { routes: [to('10.8.0.0/16', '10.1.0.9'), to('10.9.0.0/16', null)] })
    await site.pass()
    expect(await ours()).toMatchObject([
      { dst: '10.8.0.0/16', via: '10.1.0.9', metric: 10 },
      { dst: '10.9.0.0/16', blackhole: true },
    ])
    const writes = site.watchWrites()
    await site.pass()
    expect(writes).toEqual([])
    site.desired.put('routes', router, { routes: [to('10.8.0.0/16', '10.2.0.9')] })
    await site.pass()
    expect(writes).toEqual(['ip.routes.del', 'ip.routes.replace'])
    expect(await ours()).toMatchObject([{ dst: '10.8.0.0/16', via: '10.2.0.9' }])
    site.desired.bury('routes', router)
    await site.pass()
    expect(await ours()).toEqual([])
  })

  test('wait for the network of their next hop, and are refused twice over', async () => {
    site.desired.put('routes', router, { routes: [to('10.8.0.0/16', '10.3.0.9')] })
    await site.pass()
    const seen = () => site.loop.statuses().find(({ noun }) => noun === 'routes')
    expect(seen()).toMatchObject({ condition: 'Ready', observed: { waiting: ['10.8.0.0/16'] } })
    site.desired.put('router', router, vpcSpec([...both, network(pub, 3)]))
    await site.pass()
    expect(await ours()).toMatchObject([{ dst: '10.8.0.0/16', via: '10.3.0.9' }])
    site.desired.put('routes', router, { routes: [to('10.8.0.0/16', '10.3.0.9'), to('10.8.7.0/16', null)] })
    await site.pass()
    expect(seen()).toMatchObject({ condition: 'Refused', error: { code: 'invalid-document' } })
    expect(await ours()).toHaveLength(1)
  })

  test('of a router that is elsewhere are told as absent', async () => {
    const other = newUuid()
    site.desired.put('routes', other, { routes: [] })
    await site.pass()
    expect(site.statusOf(other)).toMatchObject({ condition: 'Failed', error: { code: 'not-found' } })
  })
})
