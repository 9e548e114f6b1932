/** L3 network with services → router namespace on the host chosen for it. */
import { bridgeName, type Row, type vrouterDesired } from '@skerry/contract'
import type { Projection } from './projection.ts'
import { uplinkSubnet } from './uplink.ts'

/** A day: long enough that a guest keeps its address over any outage of the router worth speaking of. */
export const LEASE_SECONDS = 86_400

export const hasService = (l3: Row, service: string) =>
  (l3['networkServices'] as { networkServiceType: string }[]).some((s) => s.networkServiceType === service)

export const routers: Projection = {
  noun: 'router',
  kind: 'vrouter',
  touchedBy: { l3Network: (row) => [row['uuid'] as string], ipRange: (row) => [row['l3NetworkUuid'] as string] },
  agents(graph, uuid) {
    const l3 = graph.get('l3Network', uuid)
    const agent = l3?.['routerAgentUuid']
    if (typeof agent !== 'string' || !graph.get('agent', agent)) return []
    const served = (l3!['networkServices'] as unknown[]).length > 0 && graph.countBy('ipRange', 'l3NetworkUuid', uuid) > 0
    return served ? [agent] : []
  },
  spec(graph, uuid): Row {
    const l3 = graph.get('l3Network', uuid)! as Row
    const cidrs = new Map<string, string>()
    for (const key of graph.by('ipRange', 'l3NetworkUuid', uuid)) {
      const range = graph.get('ipRange', key)!
      cidrs.set(range['networkCidr'] as string, range['gateway'] as string)
    }
    const uplink = l3['routerUplink']
    const spec: vrouterDesired.RouterSpec = {
      bridge: bridgeName(l3['l2NetworkUuid'] as string),
      cidrs: [...cidrs].sort(([a], [b]) => (a < b ? -1 : 1)).map(([cidr, gateway]) => ({ cidr, gateway })),
      mtu: null,
      services: { dhcp: hasService(l3, 'DHCP'), dns: hasService(l3, 'DNS'), snat: hasService(l3, 'SNAT') },
      domain: (l3['dnsDomain'] as string | null | undefined) ?? null,
      dns: l3['dns'] as string[],
      uplink: typeof uplink === 'number' ? uplinkSubnet(uplink) : null,
      leaseSeconds: LEASE_SECONDS,
    }
    return spec
  },
}
