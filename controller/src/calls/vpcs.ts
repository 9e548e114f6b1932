/** What VPC routers could come into, and what they do. Looks only. */
import { type Row, resources, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Call } from '../engine/port.ts'
import { maySee } from '../identity/whose.ts'
import { render } from '../inventory/index.ts'
import { networksOf, nicsOf, VPC_NETWORK } from '../workflows/vpc.rows.ts'
import { needAttachable } from '../workflows/vpc-router.network.ts'
import { need } from '../workflows/world.ts'

function fits(graph: Graph, router: Readonly<Row>, l3: Readonly<Row>): boolean {
  try {
    needAttachable(graph, router, l3)
    return true
  } catch (error) {
    if (error instanceof SkerryError) return false
    throw error
  }
}

/** Networks of one kind that the router can come into, and that the caller sees. */
function candidates(graph: Graph, { params, caller }: Call, of: { router: unknown; vpc: boolean }): Row {
  const router = need(graph, 'vpcRouter', of.router ?? params['uuid'])
  const seen = (l3: Readonly<Row>) => !caller || caller.admin || maySee(graph, caller.accountUuid, 'l3Network', l3)
  const fitting = [...graph.rows('l3Network')]
    .map(([, l3]) => l3)
    .filter((l3) => (l3['type'] === VPC_NETWORK) === of.vpc && l3['state'] === 'Enabled' && seen(l3) && fits(graph, router, l3))
  return { inventories: fitting.map((l3) => render(graph, resources.l3Network, l3)) }
}

function serviceState(graph: Graph, { params }: Call): Row {
  const router = need(graph, 'vpcRouter', params['uuid'])
  const off = router['snatDisabled'] as string[]
  const asked = params['l3NetworkUuid'] as string | undefined
  if (asked !== undefined && graph.get('l3Network', asked)?.['vpcRouterUuid'] !== router['uuid'])
    throw new SkerryError('invalid-argument', `VPC router ${router['name']} is not the router of that network`, {
      field: 'l3NetworkUuid',
      l3NetworkUuid: asked,
    })
  const meant = asked === undefined ? networksOf(graph, router['uuid']) : [asked]
  return { state: meant.length > 0 && meant.every((k) => off.includes(k)) ? 'disable' : 'enable' }
}

/** Connected networks, the default route, and what the router's table says. */
function routes(graph: Graph, { params }: Call): Row {
  const router = need(graph, 'vpcRouter', params['virtualRouterVmUuid'])
  const own = nicsOf(graph, router['uuid']).flatMap((nic): Row[] => {
    const { createDate, lastOpDate } = router
    const row = { routeTableUuid: null, description: null, createDate, lastOpDate }
    const network = (graph.get('ipRange', [...graph.by('ipRange', 'l3NetworkUuid', nic['l3NetworkUuid'])][0] ?? '')?.[
      'networkCidr'
    ] ?? null) as string | null
    const leads = nic['isPublic'] && nic['l3NetworkUuid'] === router['defaultRouteL3NetworkUuid']
    return [
      ...(network ? [{ ...row, uuid: null, type: 'DirectConnect', destination: network, target: null, distance: 0 }] : []),
      ...(leads ? [{ ...row, uuid: null, type: 'ZStack', destination: '0.0.0.0/0', target: nic['gateway'], distance: 0 }] : []),
    ]
  })
  const table = graph.get('vRouterRouteTableRef', router['uuid'] as string)?.['routeTableUuid']
  const said = [...graph.by('vRouterRouteEntry', 'routeTableUuid', table ?? '')].sort()
  const entries = said.map((k) => render(graph, resources.vRouterRouteEntry, graph.get('vRouterRouteEntry', k)!))
  return { inventories: [...own, ...entries] }
}

export const vpcCalls = (graph: Graph): Record<string, (call: Call) => Row> => ({
  GetAttachablePublicL3ForVRouter: (call) => candidates(graph, call, { router: call.params['vmInstanceUuid'], vpc: false }),
  GetAttachableVpcL3Network: (call) => candidates(graph, call, { router: call.params['uuid'], vpc: true }),
  GetVpcVRouterNetworkServiceState: (call) => serviceState(graph, call),
  GetVRouterRouteTable: (call) => routes(graph, call),
})
