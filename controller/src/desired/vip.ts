/** A VIP that something is attached to → the router of its guests' network, with all that it is used for. */
import { bridgeName, flatRouter, type Row, type vrouterDesired } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { balancerAgents } from './balancer.ts'
import { agentOfNic, flatVip, isFlat } from './flat.ts'
import { isWanted } from './ipsec-networks.ts'
import type { Projection } from './projection.ts'
import { routerOf } from './router.ts'
import { cardAgents, cardSpec } from './vpc.ts'

const isActive = (use: Readonly<Row>) => use['state'] === 'Enabled' && use['guestIp'] !== null

const usesIn = (graph: Graph, table: 'eip' | 'portForwardingRule', vipUuid: string) =>
  [...graph.by(table, 'vipUuid', vipUuid)].sort().flatMap((k) => {
    const row = graph.get(table, k)
    return row && isActive(row) ? [row] : []
  })

/** The agent of the host where the guest is that it leads to. */
function agentOfEip(graph: Graph, vipUuid: string): string | undefined {
  const [eip] = usesIn(graph, 'eip', vipUuid)
  return agentOfNic(graph, graph.get('vmNic', (eip?.['vmNicUuid'] as string | undefined) ?? ''))
}
/** Of its guests in flat networks: they go where it goes. */
const vipsOfVm = (graph: Graph, vmUuid: unknown): string[] =>
  [...graph.by('vmNic', 'vmInstanceUuid', vmUuid)].flatMap((nic) =>
    [...graph.by('eip', 'vmNicUuid', nic)].map((key) => graph.get('eip', key)!['vipUuid'] as string),
  )

const vipOf = (row: Row) => [row['vipUuid'] as string]

const vipOfListener = (row: Row | undefined, graph: Graph) =>
  [graph.get('loadBalancer', (row?.['loadBalancerUuid'] as string | undefined) ?? '')?.['vipUuid'] as string | undefined].flatMap(
    (uuid) => uuid ?? [],
  )

export const vips: Projection = {
  noun: 'vip',
  kind: 'vrouter',
  touchedBy: {
    vip: (row) => [row['uuid'] as string],
    eip: vipOf,
    loadBalancer: vipOf,
    loadBalancerListener: vipOfListener,
    loadBalancerListenerCertificateRef: (row, graph) =>
      vipOfListener(graph.get('loadBalancerListener', row['listenerUuid'] as string) as Row | undefined, graph),
    portForwardingRule: vipOf,
    ipsecConnection: vipOf,
    ipRange: (row, graph) =>
      [...graph.by('ipsecConnection', 'l3NetworkUuids', row['l3NetworkUuid'])].map(
        (k) => graph.get('ipsecConnection', k)!['vipUuid'] as string,
      ),
    vmInstance: (row, graph) => vipsOfVm(graph, row['uuid']),
    vpcRouterNic: (row) => [row['uuid'] as string],
    vpcRouter: (row, graph) => [...graph.by('vpcRouterNic', 'vmInstanceUuid', row['uuid'])],
    l3Network: (row, graph) => [
      ...graph.by('vpcRouterNic', 'l3NetworkUuid', row['uuid']),
      ...graph.by('vip', 'servedL3Uuid', row['uuid']),
      ...graph.by('vip', 'l3NetworkUuid', row['uuid']),
    ],
  },
  agents(graph, uuid) {
    const nic = graph.get('vpcRouterNic', uuid)
    if (nic) return cardAgents(graph, nic)
    const vip = graph.get('vip', uuid)
    const l3 = graph.get('l3Network', (vip?.['servedL3Uuid'] as string | null) ?? '')
    const isFlatEip = l3 !== undefined && isFlat(l3, 'Eip') && usesIn(graph, 'eip', uuid).length > 0
    const agent = isFlatEip ? agentOfEip(graph, uuid) : l3?.['routerAgentUuid']
    if (vip?.['state'] !== 'Enabled' || typeof agent !== 'string' || !graph.get('agent', agent)) return []
    if (!graph.get('l3Network', vip['l3NetworkUuid'] as string)) return []
    const tunnels = [...graph.by('ipsecConnection', 'vipUuid', uuid)].some((k) =>
      isWanted(graph, graph.get('ipsecConnection', k)!),
    )
    const balanced = [...graph.by('loadBalancer', 'vipUuid', uuid)].some((lb) => balancerAgents(graph, lb).length > 0)
    return tunnels || balanced || usesIn(graph, 'eip', uuid).length + usesIn(graph, 'portForwardingRule', uuid).length > 0
      ? [agent]
      : []
  },
  spec(graph, uuid, agentUuid): Row {
    const nic = graph.get('vpcRouterNic', uuid)
    if (nic) return cardSpec(graph, nic)
    const vip = graph.get('vip', uuid)! as Row
    const l3 = graph.get('l3Network', vip['l3NetworkUuid'] as string)! as Row
    const [eip] = usesIn(graph, 'eip', uuid)
    const flat = agentUuid === undefined ? undefined : flatVip(graph, eip, agentUuid)
    const spec: vrouterDesired.VipSpec = {
      routerUuid: flat ? flatRouter(vip['servedL3Uuid'] as string) : routerOf(graph, vip['servedL3Uuid'] as string),
      l3NetworkUuid: vip['l3NetworkUuid'] as string,
      bridge: bridgeName(l3['l2NetworkUuid'] as string),
      ip: vip['ip'] as string,
      prefixLen: vip['prefixLen'] as number,
      gateway: vip['gateway'] as string,
      eip: eip ? { guestIp: eip['guestIp'] as string } : null,
      ...(flat ? { flat } : {}),
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
