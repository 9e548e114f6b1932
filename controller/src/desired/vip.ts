/** A VIP that something is attached to → the router of its guests' network, with all that it is used for. */
import { bridgeName, type Row, type vrouterDesired } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Projection } from './projection.ts'

const isActive = (use: Readonly<Row>) => use['state'] === 'Enabled' && use['guestIp'] !== null

const usesIn = (graph: Graph, table: 'eip' | 'portForwardingRule', vipUuid: string) =>
  [...graph.by(table, 'vipUuid', vipUuid)].sort().flatMap((k) => {
    const row = graph.get(table, k)
    return row && isActive(row) ? [row] : []
  })

const vipOf = (row: Row) => [row['vipUuid'] as string]

export const vips: Projection = {
  noun: 'vip',
  kind: 'vrouter',
  touchedBy: {
    vip: (row) => [row['uuid'] as string],
    eip: vipOf,
    portForwardingRule: vipOf,
    l3Network: (row, graph) => [
      ...graph.by('vip', 'servedL3Uuid', row['uuid']),
      ...graph.by('vip', 'l3NetworkUuid', row['uuid']),
    ],
  },
  agents(graph, uuid) {
    const vip = graph.get('vip', uuid)
    const l3 = graph.get('l3Network', (vip?.['servedL3Uuid'] as string | null) ?? '')
    const agent = l3?.['routerAgentUuid']
    if (vip?.['state'] !== 'Enabled' || typeof agent !== 'string' || !graph.get('agent', agent)) return []
    if (!graph.get('l3Network', vip['l3NetworkUuid'] as string)) return []
    return usesIn(graph, 'eip', uuid).length + usesIn(graph, 'portForwardingRule', uuid).length > 0 ? [agent] : []
  },
  spec(graph, uuid): Row {
    const vip = graph.get('vip', uuid)! as Row
    const l3 = graph.get('l3Network', vip['l3NetworkUuid'] as string)! as Row
    const [eip] = usesIn(graph, 'eip', uuid)
    const spec: vrouterDesired.VipSpec = {
      routerUuid: vip['servedL3Uuid'] as string,
      l3NetworkUuid: vip['l3NetworkUuid'] as string,
      bridge: bridgeName(l3['l2NetworkUuid'] as string),
      ip: vip['ip'] as string,
      prefixLen: vip['prefixLen'] as number,
      gateway: vip['gateway'] as string,
      eip: eip ? { guestIp: eip['guestIp'] as string } : null,
      portForwarding: usesIn(graph, 'portForwardingRule', uuid).map((rule) => ({
        protocol: rule['protocolType'] as 'TCP' | 'UDP',
        vipPortStart: rule['vipPortStart'] as number,
        vipPortEnd: rule['vipPortEnd'] as number,
        privatePortStart: rule['privatePortStart'] as number,
        guestIp: rule['guestIp'] as string,
        allowedCidr: rule['allowedCidr'] as string | null,
      })),
    }
    return spec
  },
}
