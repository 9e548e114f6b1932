/** VPC routers: what is refused and why, what their rows and the documents of their agent say, and what goes with what. */
import type { Row, vrouterDesired } from '@skerry/contract'
import { beforeEach, describe, expect, it } from 'vitest'
import { documentOf } from '../src/agents/documents.ts'
import { reactPresence } from '../src/agents/react.ts'
import { vpcCalls } from '../src/calls/vpcs.ts'
import { actions } from '../src/workflows/index.ts'
import { on, ran } from './before.ts'
import { call, done, engineOf } from './engine-calls.ts'
import { publicL3 } from './vip-cases.ts'
import { entry, nicIn, offering, router, secondL3, table, vpcL3, withRouter } from './vpc-cases.ts'
import { id, makeWorld, type TestWorld, u } from './world.ts'
import { site } from './world-site.ts'

let w: TestWorld
const graph = () => w.state.graph
const row = (t: string, uuid: string) => graph().get(t, uuid)
const spec = <S>(noun: string, uuid: string): S | undefined => {
  const [key] = [...graph().by('desired', 'of', `${noun}/${uuid}`)].filter((k) => !graph().get('desired', k)?.['tombstone'])
  const found = key && documentOf(graph(), key)
  return found && 'spec' in found ? (found.spec as S) : undefined
}
const routerDoc = () => spec<vrouterDesired.RouterSpec>('router', router)
const cardDoc = (l3: string) => spec<vrouterDesired.VipSpec>('vip', nicIn(w, l3))
let n = 0
/** What a call ends with: `done`, or why not. */
async function asked(api: string, params: Row): Promise<string> {
  n += 1
  const engine = engineOf(w)
  try {
    const job = await done(engine, call(api, params, { bodyHash: String(n) }))
    return job.error ? `${job.error.code}: ${job.error.message}` : job.state
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    return `${code}: ${message}`
  }
}
const attach = (l3NetworkUuid: string, more: Row = {}) =>
  asked('AttachL3NetworkToVm', { vmInstanceUuid: router, l3NetworkUuid, ...more })

beforeEach(async () => {
  w = await makeWorld()
  w.world.random = Math.random
  await site(w)
  for (const [name, given] of withRouter) await ran(w, name, given)
})

describe('a VPC router', () => {
  it('is on the host that its public network reaches, with an address of its own there', async () => {
    expect(row('vpcRouter', router)).toMatchObject({
      state: 'Running',
      status: 'Connected',
      hostUuid: u.host,
      agentUuid: u.vrouter,
    })
    const { ip } = row('vpcRouterNic', nicIn(w, publicL3))!
    expect(row('usedIp', `${publicL3}:${ip}`)).toMatchObject({ usedFor: 'VirtualRouter' })
    expect(routerDoc()).toMatchObject({ bridge: null, cidrs: [], networks: [], uplink: null })
    expect(cardDoc(publicL3)).toMatchObject({
      routerUuid: router,
      ip,
      prefixLen: 24,
      gateway: '198.51.100.1',
      own: { default: true },
    })
    await w.commit({ ops: [{ o: 'set', t: 'host', k: u.host, v: { state: 'Disabled' } }] })
    expect(await asked('CreateVpcVRouter', { name: 'x', virtualRouterOfferingUuid: offering })).toMatch(/^no-host/)
  })

  it('becomes the router of VPC networks, which have one router and no addresses in common', async () => {
    expect(await attach(vpcL3)).toBe('done')
    expect(row('l3Network', vpcL3)).toMatchObject({ vpcRouterUuid: router, routerAgentUuid: u.vrouter })
    expect(row('vpcRouterNic', nicIn(w, vpcL3))).toMatchObject({ ip: '10.60.0.1', isPublic: false, deviceId: 1 })
    const network = { l3NetworkUuid: vpcL3, cidrs: [{ cidr: '10.60.0.0/24', gateway: '10.60.0.1' }] }
    expect(routerDoc()?.networks).toMatchObject([{ ...network, services: { dhcp: true, dns: true, snat: true } }])
    expect(spec('router', vpcL3)).toBeUndefined()
    expect(await attach(vpcL3)).toMatch(/^in-use: .*has a VPC router already/)
    expect(await attach(u.l3)).toMatch(/^illegal-state: .*neither a VPC network nor a public one/)
    expect(await attach(secondL3, { staticIp: '10.61.0.99' })).toMatch(/^invalid-argument: .*no such range/)
    await ran(w, 'l3Network.create', on('l3Network', id('twin'), { name: 'twin', l2NetworkUuid: u.l2, type: 'L3VpcNetwork' }))
    expect(await attach(id('twin'))).toMatch(/^illegal-state: .*no IPv4 range/)
    const range = { startIp: '10.60.3.10', endIp: '10.60.3.20', netmask: '255.255.0.0', gateway: '10.60.0.2' }
    await ran(w, 'ipRange.add', on('ipRange', id('twins'), { name: 'r', l3NetworkUuid: id('twin'), ...range }))
    expect(await attach(id('twin'))).toMatch(/^invalid-argument: .*addresses in common/)
  })

  it('stays the gateway of its networks, and leaves a public one whose range goes', async () => {
    await attach(vpcL3)
    await attach(secondL3, { staticIp: '10.61.0.15' })
    const six = {
      uuid: id('six'),
      table: 'ipRange',
      graph: graph(),
      params: { l3NetworkUuid: vpcL3, networkCidr: 'fd00:60::/64', addressMode: 'SLAAC' },
    }
    expect(() => actions.get('ipRange.add6')!.check!(six)).toThrow(/of a VPC, whose routers serve no IPv6/)
    expect(await asked('DeleteIpRange', { uuid: id('range60') })).toBe('done')
    const add = (networkCidr: string) => asked('AddIpRangeByNetworkCidr', { name: 'r', l3NetworkUuid: vpcL3, networkCidr })
    expect(await add('10.62.0.0/24')).toMatch(/^illegal-state: .*10.60.0.1\/24/)
    expect(await add('10.60.0.0/24')).toBe('done')
    expect(await asked('DeleteIpRange', { uuid: id('range61') })).toBe('done')
    expect([...graph().by('vpcRouterNic', 'l3NetworkUuid', secondL3)]).toEqual([])
  })

  it('goes out to the public network that was chosen, and leaves the others', async () => {
    expect(await attach(secondL3, { staticIp: '10.61.0.15' })).toBe('done')
    expect(cardDoc(secondL3)).toMatchObject({ ip: '10.61.0.15', own: { default: false } })
    expect(await asked('UpdateVirtualRouter', { vmInstanceUuid: router, defaultRouteL3NetworkUuid: vpcL3 })).toMatch(
      /^invalid-argument/,
    )
    const leave = () => asked('DetachL3NetworkFromVm', { vmNicUuid: nicIn(w, secondL3) })
    expect(await asked('UpdateVirtualRouter', { vmInstanceUuid: router, defaultRouteL3NetworkUuid: secondL3 })).toBe('done')
    expect([cardDoc(publicL3)?.own, cardDoc(secondL3)?.own]).toEqual([{ default: false }, { default: true }])
    expect(await leave()).toMatch(/^illegal-state: .*choose another default route/)
    expect(await asked('UpdateVirtualRouter', { vmInstanceUuid: router, defaultRouteL3NetworkUuid: publicL3 })).toBe('done')
    expect(await leave()).toBe('done')
    expect(row('usedIp', `${secondL3}:10.61.0.15`)).toBeUndefined()
    // what leads out when its network is deleted
    expect(await attach(secondL3)).toBe('done')
    expect(await asked('DeleteL3Network', { uuid: publicL3 })).toBe('done')
    expect(cardDoc(secondL3)?.own).toEqual({ default: true })
  })

  it('stands still when it is stopped, and its guests are refused until it runs again', async () => {
    await attach(vpcL3)
    expect(await asked('StopVmInstance', { uuid: router })).toBe('done')
    expect(row('vpcRouter', router)).toMatchObject({
      state: 'Stopped',
      status: 'Disconnected',
      hostUuid: null,
      lastHostUuid: u.host,
    })
    expect([routerDoc(), cardDoc(publicL3)]).toEqual([undefined, undefined])
    const guest = { name: 'g', instanceOfferingUuid: u.offering, imageUuid: u.image, l3NetworkUuids: [vpcL3] }
    expect(await asked('CreateVmInstance', guest)).toMatch(/^illegal-state: .*choose-routers/)
    expect(await asked('StartVmInstance', { uuid: router })).toBe('done')
    expect(row('vpcRouter', router)).toMatchObject({ state: 'Running', status: 'Connected', hostUuid: u.host })
    expect(row('l3Network', vpcL3)).toMatchObject({ routerAgentUuid: u.vrouter })
    expect(await asked('RebootVmInstance', { uuid: router })).toBe('done')
    expect(await asked('CreateVmInstance', guest)).toBe('done')
    const [nic] = [...graph().by('vmNic', 'l3NetworkUuid', vpcL3)]
    expect(spec('lease', nic!)).toMatchObject({ routerUuid: router })
    expect(await asked('DetachL3NetworkFromVm', { vmNicUuid: nicIn(w, vpcL3) })).toMatch(/^in-use: .*1 cards of VMs/)
  })

  it('has DNS servers and SNAT as it is told, for all networks or for one', async () => {
    await attach(vpcL3)
    expect(await asked('AddDnsToVpcRouter', { uuid: router, dns: '192.0.2.53' })).toBe('done')
    expect(await asked('AddDnsToVpcRouter', { uuid: router, dns: '192.0.2.53' })).toMatch(/^invalid-argument/)
    expect(routerDoc()?.dns).toEqual(['192.0.2.53'])
    expect(await asked('RemoveDnsFromVpcRouter', { uuid: router, dns: '192.0.2.54' })).toMatch(/^not-found/)
    const snat = { uuid: router, networkService: 'SNAT' }
    const state = (more: Row = {}) =>
      vpcCalls(graph())['GetVpcVRouterNetworkServiceState']!(call('GetVpcVRouterNetworkServiceState', { ...snat, ...more }))
    expect(await asked('SetVpcVRouterNetworkServiceState', { ...snat, state: 'disable', l3NetworkUuid: u.l3 })).toMatch(
      /^invalid-argument/,
    )
    expect(await asked('SetVpcVRouterNetworkServiceState', { ...snat, state: 'disable' })).toBe('done')
    expect([state(), state({ l3NetworkUuid: vpcL3 })]).toEqual([{ state: 'disable' }, { state: 'disable' }])
    expect(routerDoc()?.networks?.[0]?.services.snat).toBe(false)
    expect(await asked('SetVpcVRouterNetworkServiceState', { ...snat, state: 'enable', l3NetworkUuid: vpcL3 })).toBe('done')
    expect(routerDoc()?.networks?.[0]?.services.snat).toBe(true)
  })

  it('is told what it could come into', async () => {
    const names = (api: string, params: Row) =>
      (vpcCalls(graph())[api]!(call(api, params))['inventories'] as Row[]).map((l3) => l3['uuid'])
    expect(names('GetAttachablePublicL3ForVRouter', { vmInstanceUuid: router })).toEqual([secondL3])
    expect(names('GetAttachableVpcL3Network', { uuid: router })).toEqual([vpcL3])
    await attach(vpcL3)
    expect(names('GetAttachableVpcL3Network', { uuid: router })).toEqual([])
  })

  it('is Disconnected while its agent is silent, and Stopped when its host is gone', async () => {
    await attach(vpcL3)
    await w.commit(reactPresence(graph(), u.vrouter, false, { now: 1 })!)
    expect(row('vpcRouter', router)).toMatchObject({ state: 'Running', status: 'Disconnected' })
    await w.commit(reactPresence(graph(), u.vrouter, true, { now: 2 })!)
    expect(row('vpcRouter', router)).toMatchObject({ status: 'Connected' })
    await ran(w, 'host.delete', on('host', u.host))
    expect(row('vpcRouter', router)).toMatchObject({ state: 'Stopped', status: 'Disconnected', agentUuid: null })
    expect(row('l3Network', vpcL3)).toMatchObject({ vpcRouterUuid: router, routerAgentUuid: null })
  })

  it('goes with its cards and addresses, and leaves its networks without a router', async () => {
    await attach(vpcL3)
    const { ip } = row('vpcRouterNic', nicIn(w, publicL3))!
    expect(await asked('DestroyVmInstance', { uuid: router })).toBe('done')
    expect([
      row('vpcRouter', router),
      row('usedIp', `${publicL3}:${ip}`),
      graph().countBy('vpcRouterNic', 'vmInstanceUuid', router),
    ]).toEqual([undefined, undefined, 0])
    expect(row('l3Network', vpcL3)).toMatchObject({ vpcRouterUuid: null, routerAgentUuid: null })
  })
})

describe('a route table', () => {
  const add = (destination: string, more: Row = {}) =>
    asked('AddVRouterRouteEntry', { routeTableUuid: table, destination, ...more })
  const routes = () => spec<vrouterDesired.RoutesSpec>('routes', router)?.routes
  beforeEach(async () => {
    await attach(vpcL3)
    await asked('CreateVRouterRouteTable', { name: 'table', resourceUuid: table })
  })

  it('gives its routes to the routers that it is attached to, and black holes', async () => {
    expect(await add('10.99.0.7/16', { target: '10.60.0.5', resourceUuid: entry })).toBe('done')
    expect(routes()).toBeUndefined()
    expect(await asked('AttachVRouterRouteTableToVRouter', { routeTableUuid: table, virtualRouterVmUuid: router })).toBe('done')
    expect(routes()).toEqual([{ destination: '10.99.0.0/16', via: '10.60.0.5', distance: 128 }])
    expect(await add('10.98.0.0/16', { type: 'UserBlackHole', distance: 3 })).toBe('done')
    expect(routes()).toContainEqual({ destination: '10.98.0.0/16', via: null, distance: 3 })
    const told = vpcCalls(graph())['GetVRouterRouteTable']!(call('GetVRouterRouteTable', { virtualRouterVmUuid: router }))
    expect((told['inventories'] as Row[]).map(({ type, destination }) => [type, destination])).toEqual(
      expect.arrayContaining([
        ['DirectConnect', '10.60.0.0/24'],
        ['ZStack', '0.0.0.0/0'],
        ['UserStatic', '10.99.0.0/16'],
        ['UserBlackHole', '10.98.0.0/16'],
      ]),
    )
    expect(await asked('DeleteVRouterRouteEntry', { routeTableUuid: table, uuid: entry })).toBe('done')
    expect(routes()).toEqual([{ destination: '10.98.0.0/16', via: null, distance: 3 }])
    expect(await asked('DetachVRouterRouteTableFromVRouter', { routeTableUuid: table, virtualRouterVmUuid: router })).toBe('done')
    expect(routes()).toBeUndefined()
  })

  it('refuses what is no route', async () => {
    expect(await add('10.99.0.0/16')).toMatch(/^invalid-argument: .*needs a target/)
    expect(await add('10.99.0.0/16', { type: 'UserBlackHole', target: '10.60.0.5' })).toMatch(/^invalid-argument: .*no target/)
    expect(await add('0.0.0.0/0', { target: '10.60.0.5' })).toMatch(/^invalid-argument: .*default route/)
    expect(await add('10.99.0.0/16', { target: '10.60.0.5' })).toBe('done')
    expect(await add('10.99.3.0/16', { target: '10.60.0.6' })).toMatch(/^in-use/)
    expect(await add('10.99.3.0/16', { target: '10.60.0.6', distance: 5 })).toBe('done')
    expect(await asked('DetachVRouterRouteTableFromVRouter', { routeTableUuid: table, virtualRouterVmUuid: router })).toMatch(
      /^not-found/,
    )
    await asked('CreateVRouterRouteTable', { name: 'other', resourceUuid: id('other') })
    const [first] = [...graph().by('vRouterRouteEntry', 'routeTableUuid', table)]
    expect(await asked('DeleteVRouterRouteEntry', { routeTableUuid: id('other'), uuid: first })).toMatch(/^not-found/)
  })

  it('goes with its routes, and routers lose them', async () => {
    await add('10.99.0.0/16', { target: '10.60.0.5' })
    await asked('AttachVRouterRouteTableToVRouter', { routeTableUuid: table, virtualRouterVmUuid: router })
    expect(await asked('DeleteVRouterRouteTable', { uuid: table })).toBe('done')
    expect([
      routes(),
      graph().countBy('vRouterRouteEntry', 'routeTableUuid', table),
      row('vRouterRouteTableRef', router),
    ]).toEqual([undefined, 0, undefined])
  })
})
