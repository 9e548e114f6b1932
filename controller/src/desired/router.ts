/** L3 network with services → router namespace on the host chosen for it. */
import { bridgeName, type Row, type vrouterDesired } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { rangesOf } from '../place/address.ts'
import { ranges6Of } from '../place/address6.ts'
import type { Projection } from './projection.ts'
import { uplinkSubnet } from './uplink.ts'

/** A day: long enough that a guest keeps its address over any outage of the router worth speaking of. */
export const LEASE_SECONDS = 86_400

export const hasService = (l3: Row, service: string) =>
  (l3['networkServices'] as { networkServiceType: string }[]).some((s) => s.networkServiceType === service)

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
  touchedBy: { l3Network: (row) => [row['uuid'] as string], ipRange: (row) => [row['l3NetworkUuid'] as string] },
  agents(graph, uuid) {
    const l3 = graph.get('l3Network', uuid)
    const agent = l3?.['routerAgentUuid']
    if (typeof agent !== 'string' || !graph.get('agent', agent)) return []
    const served = (l3!['networkServices'] as unknown[]).length > 0 && rangesOf(graph, uuid).length > 0
    return served ? [agent] : []
  },
  spec(graph, uuid): Row {
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
      services: { dhcp: hasService(l3, 'DHCP'), dns: hasService(l3, 'DNS'), snat: hasService(l3, 'SNAT') },
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
