/** L3 network with services → router namespace on the host chosen for it. */
import { bridgeName, flatRouter, type Row, type vrouterDesired } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { rangesOf } from '../place/address.ts'
import { ranges6Of } from '../place/address6.ts'
import { FOR_DHCP, flatAgents, flatNetwork, flatSpec, flatsOf, flatsOfVm, hasRouted, wantsRouter } from './flat.ts'
import { hasService, routerOf } from './l3-services.ts'
import type { Projection } from './projection.ts'
import { LEASE_SECONDS } from './told.ts'
import { uplinkSubnet } from './uplink.ts'
import { vpcAgents, vpcSpec } from './vpc.ts'

export { hasService, LEASE_SECONDS, routerOf }

type V6 = NonNullable<vrouterDesired.RouterSpec['v6']>
/** All ranges of a network are in one CIDR. */
function v6Of(graph: Graph, l3: string): V6 {
  const [range] = ranges6Of(graph, l3)
  if (!range) return []
  return [
    {
      cidr: range['networkCidr'] as string,
      gateway: range['gateway'] as string,
      mode: range['addressMode'] as V6[number]['mode'],
    },
  ]
}

export const routers: Projection = {
  noun: 'router',
  kind: 'vrouter',
  touchedBy: {
    l3Network: (row, graph) => [row['uuid'] as string, routerOf(graph, row['uuid'] as string), flatRouter(row['uuid'] as string)],
    ipRange: (row, graph) => [
      row['l3NetworkUuid'] as string,
      routerOf(graph, row['l3NetworkUuid'] as string),
      flatRouter(row['l3NetworkUuid'] as string),
    ],
    usedIp: (row) => (row['usedFor'] === FOR_DHCP ? [flatRouter(row['l3NetworkUuid'] as string)] : []),
    vmNic: (row, graph) => flatsOf(graph, row['l3NetworkUuid']),
    vmInstance: (row, graph) => flatsOfVm(graph, row['uuid']),
    vpcRouter: (row) => [row['uuid'] as string],
  },
  agents(graph, uuid) {
    const vpc = graph.get('vpcRouter', uuid)
    if (vpc) return vpcAgents(graph, vpc)
    const flat = flatNetwork(graph, uuid)
    if (flat) return flatAgents(graph, flat)
    if (routerOf(graph, uuid) !== uuid) return []
    const l3 = graph.get('l3Network', uuid)
    const agent = l3?.['routerAgentUuid']
    if (typeof agent !== 'string' || !graph.get('agent', agent)) return []
    const served = wantsRouter(l3!) && rangesOf(graph, uuid).length > 0
    return served ? [agent] : []
  },
  spec(graph, uuid): Row {
    const vpc = graph.get('vpcRouter', uuid)
    if (vpc) return vpcSpec(graph, vpc)
    const flat = flatNetwork(graph, uuid)
    if (flat) return flatSpec(graph, flat)
    const l3 = graph.get('l3Network', uuid)! as Row
    const cidrs = new Map<string, string>()
    for (const range of rangesOf(graph, uuid)) cidrs.set(range['networkCidr'] as string, range['gateway'] as string)
    const six = v6Of(graph, uuid)
    const names = l3['dns'] as string[]
    const dns6 = names.filter((ip) => ip.includes(':'))
    const uplink = l3['routerUplink']
    const routes = ((l3['hostRoute'] as { prefix: string; nexthop: string }[] | null | undefined) ?? []).map(
      ({ prefix, nexthop }) => ({ destination: prefix, gateway: nexthop }),
    )
    const spec: vrouterDesired.RouterSpec = {
      bridge: bridgeName(l3['l2NetworkUuid'] as string),
      cidrs: [...cidrs].sort(([a], [b]) => (a < b ? -1 : 1)).map(([cidr, gateway]) => ({ cidr, gateway })),
      mtu: (l3['mtu'] as number | null | undefined) ?? null,
      services: { dhcp: hasRouted(l3, 'DHCP'), dns: hasRouted(l3, 'DNS'), snat: hasRouted(l3, 'SNAT') },
      domain: (l3['dnsDomain'] as string | null | undefined) ?? null,
      dns: names.filter((ip) => !ip.includes(':')),
      uplink: typeof uplink === 'number' ? uplinkSubnet(uplink) : null,
      leaseSeconds: LEASE_SECONDS,
      ...(routes.length > 0 ? { hostRoutes: routes } : {}),
      ...(six.length > 0 ? { v6: six } : {}),
      ...(six.length > 0 && dns6.length > 0 ? { dns6 } : {}),
    }
    return spec
  },
}
