/** Which network cards could be servers of a load balancer. Looks only. */
import { type Row, resources } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Call } from '../engine/port.ts'
import { render } from '../inventory/index.ts'
import { mayServe } from '../workflows/load-balancer.backends.ts'
import { GROUP, LISTENER, NIC_REF, rowsBy } from '../workflows/load-balancer.rows.ts'
import { need } from '../workflows/world.ts'

function candidates(graph: Graph, lb: unknown, group: unknown): Row {
  const there = new Set(rowsBy(graph, NIC_REF, 'serverGroupUuid', group ?? '').map((ref) => ref['vmNicUuid']))
  const nics = [...graph.rows('vmNic')]
    .map(([, nic]) => nic)
    .filter((nic) => !there.has(nic['uuid']) && mayServe(graph, lb, nic['uuid']))
  return { inventories: nics.map((nic) => render(graph, resources.vmNic, nic)) }
}

export const loadBalancerCalls = (graph: Graph): Record<string, (call: Call) => Row> => ({
  GetCandidateVmNicsForLoadBalancer: ({ params }) => {
    const listener = need(graph, LISTENER, params['listenerUuid'])
    return candidates(graph, listener['loadBalancerUuid'], listener['serverGroupUuid'])
  },
  GetCandidateVmNicsForLoadBalancerServerGroup: ({ params }) => {
    if (params['ipVersion'] === 6) return { inventories: [] }
    const group = params['servergroupUuid'] === undefined ? undefined : need(graph, GROUP, params['servergroupUuid'])
    const lb = group?.['loadBalancerUuid'] ?? params['loadBalancerUuid']
    return candidates(graph, need(graph, 'loadBalancer', lb)['uuid'], group?.['uuid'])
  },
})
