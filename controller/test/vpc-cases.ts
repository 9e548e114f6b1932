/** VPC routers before each call about them is proven: an offering, a public network, and a VPC network. */
import { type Row, VROUTER_PROVIDER } from '@skerry/contract'
import type { Input } from '../src/workflows/world.ts'
import { after, type Before, on, ran } from './before.ts'
import { publicL3, publicNetwork } from './vip-cases.ts'
import { GIB, id, type TestWorld, u } from './world.ts'

type Call = [string, Input]
export const [offering, router, vpcL3, secondL3, table, entry] = ['offering', 'vpc', 'vpcL3', 'secondL3', 'table', 'entry'].map(
  id,
) as [string, string, string, string, string, string]

const network = (uuid: string, n: number, more: Row): Call[] => [
  ['l3Network.create', on('l3Network', uuid, { name: `net${n}`, l2NetworkUuid: u.l2, ...more })],
  [
    'ipRange.add',
    on('ipRange', id(`range${n}`), {
      ...{ name: 'range', l3NetworkUuid: uuid, startIp: `10.${n}.0.10`, endIp: `10.${n}.0.20` },
      ...{ netmask: '255.255.255.0', gateway: `10.${n}.0.1` },
    }),
  ],
]
const vpc = { type: 'L3VpcNetwork' }
const services = { [VROUTER_PROVIDER]: ['DHCP', 'DNS', 'SNAT'] }

export const newOffering: Call = [
  'virtualRouterOffering.create',
  on('virtualRouterOffering', offering, {
    ...{ name: 'offering', zoneUuid: u.zone, managementNetworkUuid: publicL3, imageUuid: u.image, cpuNum: 1, memorySize: GIB },
  }),
]
export const newRouter: Call = ['vpcRouter.create', on('vpcRouter', router, { name: 'vpc', virtualRouterOfferingUuid: offering })]
const networks: Call[] = [
  ...publicNetwork,
  ...network(vpcL3, 60, vpc),
  ['l3Network.attachServices', on('l3Network', vpcL3, { l3NetworkUuid: vpcL3, networkServices: services })],
  ...network(secondL3, 61, { category: 'Public' }),
]
export const withRouter: Call[] = [...networks, newOffering, newRouter]
const attachTo = (l3NetworkUuid: string): Call => [
  'vpcRouter.attachNetwork',
  on('vpcRouter', router, { vmInstanceUuid: router, l3NetworkUuid }),
]
export const withNetwork: Call[] = [...withRouter, attachTo(vpcL3)]

const newTable: Call = ['vRouterRouteTable.create', on('vRouterRouteTable', table, { name: 'table' })]
const newEntry = (more: Row = {}): Call => [
  'vRouterRouteEntry.create',
  on('vRouterRouteEntry', entry, { routeTableUuid: table, destination: '10.99.0.0/16', target: '10.60.0.5', ...more }),
]
const attachTable: Call = ['vRouterRouteTable.attach', on('vRouterRouteTable', table, { virtualRouterVmUuid: router })]
const routed: Call[] = [...withNetwork, newTable, newEntry(), attachTable]

export const nicIn = (w: TestWorld, l3: string) => [...w.state.graph.by('vpcRouterNic', 'l3NetworkUuid', l3)][0]!
const stopped: Call = ['vpcRouter.stop', on('vpcRouter', router)]

/** The last of these is what is proven. */
const proven = (earlier: readonly Call[], [, given]: Call): Before => after([...earlier], given)
const ofCard =
  (l3: string): Before =>
  async (w) => {
    await after([...withNetwork, attachTo(secondL3)], on('vpcRouter', router))(w)
    return on('vpcRouterNic', nicIn(w, l3))
  }
const onRouter = (params: Row = {}): Before => after([...withNetwork, attachTo(secondL3)], on('vpcRouter', router, params))

export const vpcCases: Record<string, Before> = {
  'virtualRouterOffering.create': proven(networks, newOffering),
  'vpcRouter.create': proven([...networks, newOffering], newRouter),
  'vpcRouter.attachNetwork': proven(withRouter, attachTo(vpcL3)),
  'vpcRouter.detachNetwork': ofCard(secondL3),
  'vpcRouter.stop': onRouter(),
  'vpcRouter.start': proven([...withNetwork, stopped], ['', on('vpcRouter', router)]),
  'vpcRouter.reboot': onRouter(),
  'vpcRouter.reconnect': onRouter(),
  'vpcRouter.delete': proven(routed, ['', on('vpcRouter', router)]),
  'vpcRouter.addDns': onRouter({ dns: '192.0.2.53' }),
  'vpcRouter.removeDns': async (w) => {
    await onRouter()(w)
    await ran(w, 'vpcRouter.addDns', on('vpcRouter', router, { dns: '192.0.2.53' }))
    return on('vpcRouter', router, { dns: '192.0.2.53' })
  },
  'vpcRouter.changeDefaultRoute': onRouter({ defaultRouteL3NetworkUuid: secondL3 }),
  'vpcRouter.setServiceState': onRouter({ networkService: 'SNAT', state: 'disable' }),
  'vRouterRouteTable.create': proven([], newTable),
  'vRouterRouteTable.attach': proven([...withNetwork, newTable, newEntry()], attachTable),
  'vRouterRouteTable.detach': proven(routed, ['', on('vRouterRouteTable', table, { virtualRouterVmUuid: router })]),
  'vRouterRouteTable.delete': proven(routed, ['', on('vRouterRouteTable', table)]),
  'vRouterRouteEntry.create': proven([...withNetwork, newTable, attachTable], newEntry()),
  'vRouterRouteEntry.delete': proven(routed, ['', on('vRouterRouteEntry', entry, { routeTableUuid: table })]),
}

/** What else a call meets: sentence, workflow, what stands before it. */
export const otherVpcCases: readonly [string, string, Before][] = [
  ['a VPC network', 'vpcRouter.detachNetwork', ofCard(vpcL3)],
  ['a public network', 'vpcRouter.attachNetwork', proven(withRouter, attachTo(secondL3))],
  ['a VPC router in it', 'l3Network.delete', proven(routed, ['', on('l3Network', vpcL3)])],
  ['a VPC router that goes out to it', 'l3Network.delete', proven(routed, ['', on('l3Network', publicL3)])],
  ['a VPC router on it', 'host.delete', proven(routed, ['', on('host', u.host)])],
]
