/** VIPs over a fake host: the law of the module, what moves with a change, and what goes. */
import { legName, routerLeg, routerNetns, routerPort, type vrouterDesired } from '@skerry/contract'
import { converge } from '@skerry/reconcile'
import { beforeEach, describe, expect, test } from 'vitest'
import { recordPath } from '../src/vips/records.ts'
import { elementsOf, legMark, VIP_TABLE } from '../src/vips/rules.ts'
import { AT, bridge, type FakeSite, fakeSite, STATE } from './fake-site.ts'
import { forward, newUuid, routerSpec, vipSpec } from './world.ts'

const pub = 'skbrpublic00000'
const ONE = '10.10.0.10'
const TWO = '10.10.0.11'
let site: FakeSite
let router: string
let at: Pick<vrouterDesired.VipSpec, 'routerUuid' | 'l3NetworkUuid' | 'bridge'>
let netns: string
const condition = (uuid: string) => site.statusOf(uuid)?.condition
const inside = () => site.host.network.in(netns)
const elements = (name: string) => {
  const kind = name === 'pf_allowed' ? 'set' : 'map'
  return site.host.nft.at(netns).elements({ family: VIP_TABLE.family, table: VIP_TABLE.name, name, kind })
}
const flow = { source: '192.0.2.7', answeredTo: '192.0.2.7', protocol: 'tcp' as const, port: 80 }

beforeEach(async () => {
  site = await fakeSite()
  await site.host.ip.at().links.add({ kind: 'bridge', name: pub })
  router = newUuid()
  netns = routerNetns(router)
  at = { routerUuid: router, l3NetworkUuid: newUuid(), bridge: pub }
  site.desired.put('router', router, routerSpec(bridge))
})

describe('a VIP', () => {
  test('converges in one round, with its leg in its network', async () => {
    await site.pass()
    site.desired.put('vip', newUuid(), vipSpec(at, 20, { eip: { guestIp: ONE } }))
    site.desired.put('vip', newUuid(), vipSpec(at, 21, { portForwarding: [forward(TWO)] }))
    const vips = site.modules.find(({ noun }) => noun === 'vip')!
    const { first, second } = await converge(vips, site.desired, { ...AT, others: site.modules.slice(0, 2) })
    expect(first.length).toBeGreaterThan(8)
    expect(second).toEqual([])
    const leg = await site.host.ip.at().links.get(routerLeg(router, at.l3NetworkUuid))
    expect(leg).toMatchObject({ master: pub, up: true, alias: `skerry:${router}` })
    const table = String(legMark(at.l3NetworkUuid))
    expect(inside().routes.filter((route) => route.table === table)).toMatchObject([
      { dst: '198.51.100.0/24', dev: legName(at.l3NetworkUuid) },
      { dst: 'default', via: '198.51.100.1' },
    ])
    expect(await elements('eip_guests')).toEqual([['198.51.100.20', ONE]])
  })

  test('that is as wanted is only read', async () => {
    site.desired.put('vip', newUuid(), vipSpec(at, 20, { eip: { guestIp: ONE }, portForwarding: [] }))
    await site.pass()
    const writes = site.watchWrites()
    await site.pass()
    expect(writes).toEqual([])
  })

  test('moves its own elements in one transaction, and forgets the connections of what went', async () => {
    const [eip, ports] = [newUuid(), newUuid()]
    site.desired.put('vip', eip, vipSpec(at, 20, { eip: { guestIp: ONE } }))
    const rules = [forward(ONE), forward(TWO, { vipPortStart: 90, vipPortEnd: 99, privatePortStart: 90 })]
    site.desired.put('vip', ports, vipSpec(at, 21, { portForwarding: rules }))
    await site.pass()
    const stays = { ...flow, destination: '198.51.100.21', port: 95 }
    site.host.flows.set(netns, [{ ...flow, destination: '198.51.100.21' }, stays, { ...flow, destination: '198.51.100.20' }])
    const before = site.host.ruleset(netns).transactions
    site.desired.put('vip', ports, vipSpec(at, 21, { portForwarding: [rules[1]!, forward(TWO)] }))
    await site.pass()
    expect(site.host.ruleset(netns).transactions).toBe(before + 1)
    expect(site.host.flows.get(netns)).toEqual([stays, { ...flow, destination: '198.51.100.20' }])
    site.desired.put('vip', eip, vipSpec(at, 20, { eip: { guestIp: TWO } }))
    await site.pass()
    expect(site.host.flows.get(netns)).toEqual([stays])
    expect(await elements('eip_vips')).toEqual([[TWO, '198.51.100.20']])
  })

  test('forgets connections again when it could not be noted that they are forgotten', async () => {
    const eip = newUuid()
    site.desired.put('vip', eip, vipSpec(at, 20, { eip: { guestIp: ONE } }))
    await site.pass()
    site.desired.put('vip', eip, vipSpec(at, 20, { eip: { guestIp: TWO } }))
    site.host.faults.failNext('conntrack.forget')
    await site.pass()
    expect(condition(eip)).toBe('Failed')
    site.host.flows.set(netns, [{ ...flow, destination: '198.51.100.20' }])
    site.desired.put('vip', eip, vipSpec(at, 20, { eip: { guestIp: TWO } }))
    await site.pass()
    expect([condition(eip), site.host.flows.get(netns)]).toEqual(['Ready', []])
  })

  test('leaves with its connections, the last one with the leg; the guest then begins under its other EIP', async () => {
    const [first, second] = [`1${newUuid().slice(1)}`, `2${newUuid().slice(1)}`]
    site.desired.put('vip', first, vipSpec(at, 20, { eip: { guestIp: ONE } }))
    site.desired.put('vip', second, vipSpec(at, 21, { eip: { guestIp: ONE } }))
    await site.pass()
    expect(await elements('eip_vips')).toEqual([[ONE, '198.51.100.20']])
    site.host.flows.set(netns, [{ ...flow, destination: '198.51.100.20' }])
    site.desired.bury('vip', first)
    await site.pass()
    expect(await elements('eip_vips')).toEqual([[ONE, '198.51.100.21']])
    expect(inside().addresses.map((a) => a.cidr)).not.toContain('198.51.100.20/32')
    expect(site.host.flows.get(netns)).toEqual([])
    site.desired.bury('vip', second)
    await site.pass()
    expect(await site.host.ip.at().links.get(routerLeg(router, at.l3NetworkUuid))).toBeUndefined()
    expect((await site.host.routing.at(netns).list()).some((rule) => rule.mark !== undefined)).toBe(false)
    expect((await site.items()).filter((i) => ['vip', 'router-leg'].includes(i.kind))).toEqual([])
  })

  test('that nobody names any more stays as it is, and is told', async () => {
    const eip = newUuid()
    site.desired.put('vip', eip, vipSpec(at, 20, { eip: { guestIp: ONE } }))
    await site.pass()
    site.desired.forget('vip', eip)
    site.desired.put('vip', newUuid(), vipSpec(at, 21, { portForwarding: [forward(TWO)] }))
    await site.pass()
    expect(condition(eip)).toBe('Orphaned')
    expect(await elements('eip_guests')).toEqual([['198.51.100.20', ONE]])
    expect(inside().addresses.map((a) => a.cidr)).toContain('198.51.100.20/32')
  })

  test('is made again with its router, which lets its guests in after it', async () => {
    site.desired.put('vip', newUuid(), vipSpec(at, 20, { eip: { guestIp: ONE } }))
    await site.pass()
    await site.host.ip.netns.del(netns)
    const order: string[] = []
    site.host.faults.before = (op, args) => {
      if (op === 'nft.apply' && JSON.stringify(args).includes('eip_guests')) order.push('table')
      if (op === 'ip.links.set' && args[0] === routerPort(router) && JSON.stringify(args[1]).includes('master'))
        order.push('join')
    }
    await site.pass()
    expect(order).toEqual(['table', 'join'])
    expect((await site.host.ip.at().links.get(routerPort(router)))?.master).toBe(bridge)
  })

  test('that fails keeps no guest from its router', async () => {
    const eip = newUuid()
    site.desired.put('vip', eip, vipSpec(at, 20, { eip: { guestIp: ONE } }))
    for (let n = 0; n < 2; n++) site.host.faults.failNext('routing.add')
    await site.pass()
    site.later(2_000)
    await site.pass()
    expect(condition(eip)).toBe('Failed')
    expect((await site.host.ip.at().links.get(routerPort(router)))?.master).toBe(bridge)
  })

  test.each([
    ['whose gateway is elsewhere', { gateway: '192.0.2.1' }, 'Refused'],
    ['whose rules overlap', { portForwarding: [forward(ONE), forward(TWO, { vipPortEnd: 90 })] }, 'Refused'],
    ['that is its own guest', { eip: { guestIp: '198.51.100.20' } }, 'Refused'],
    ['whose router is elsewhere', { routerUuid: 'f'.repeat(32) }, 'Failed'],
    ['whose network is not here', { bridge: 'skbrnone' }, 'Failed'],
  ] as const)('%s is told, and its neighbours are made', async (_what, change, expected) => {
    const [bad, good] = [newUuid(), newUuid()]
    site.desired.put('vip', bad, vipSpec(at, 20, { eip: { guestIp: ONE }, ...change } as never))
    site.desired.put('vip', good, vipSpec(at, 21, { portForwarding: [forward(TWO)] }))
    await site.pass()
    expect([condition(bad), condition(good)]).toEqual([expected, 'Ready'])
  })

  test('whose note is damaged is made again, and its note with it', async () => {
    const eip = newUuid()
    site.desired.put('vip', eip, vipSpec(at, 20, { eip: { guestIp: ONE } }))
    await site.pass()
    await site.host.files.write(recordPath(STATE, router, eip), '{"ip":')
    await site.pass()
    expect(JSON.parse((await site.host.files.read(recordPath(STATE, router, eip))) ?? '')).toMatchObject({ ip: '198.51.100.20' })
  })

  test('moves its own elements only, however many there are', async () => {
    const uuids = Array.from({ length: 20 }, newUuid)
    for (const [n, uuid] of uuids.entries())
      site.desired.put('vip', uuid, vipSpec(at, 50 + n, { eip: { guestIp: `10.10.1.${n}` } }))
    await site.pass()
    const moved: unknown[] = []
    site.host.faults.before = (op, args) => void (op === 'nft.apply' && moved.push(args[0]))
    site.desired.put('vip', uuids[7]!, vipSpec(at, 57, { eip: { guestIp: '10.10.1.99' } }))
    await site.pass()
    expect(moved).toHaveLength(1)
    expect(JSON.stringify(moved)).not.toMatch(/198\.51\.100\.5[0-689]/)
  })
})

test('elements: a range that keeps its numbers is one, one that is moved has one a port, and a /0 is for everybody', () => {
  const rules = [
    forward(ONE, { vipPortStart: 1, vipPortEnd: 65_535, privatePortStart: 1 }),
    forward(ONE, { protocol: 'UDP', vipPortStart: 10, vipPortEnd: 12, privatePortStart: 20, allowedCidr: '192.0.2.9/24' }),
  ]
  const all = elementsOf([
    { uuid: 'a', spec: vipSpec({ routerUuid: 'r', l3NetworkUuid: '1'.repeat(32), bridge: pub }, 20, { portForwarding: rules }) },
  ])
  expect(all['pf_guests']).toHaveLength(2)
  expect(all['pf_ports']).toEqual([10, 11, 12].map((n) => [{ concat: ['198.51.100.20', 'udp', n] }, n + 10]))
  expect(all['pf_allowed']).toEqual([
    { concat: ['198.51.100.20', 'tcp', { range: [1, 65_535] }, { prefix: { addr: '0.0.0.0', len: 0 } }] },
    { concat: ['198.51.100.20', 'udp', { range: [10, 12] }, { prefix: { addr: '192.0.2.0', len: 24 } }] },
  ])
})
