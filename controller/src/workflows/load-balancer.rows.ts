/** Rows of load balancers: their servers, and in which networks these are. Pure. */
import type { Op, Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'

export const LB = 'loadBalancer' as const
export const LISTENER = 'loadBalancerListener'
export const GROUP = 'loadBalancerServerGroup'
export const NIC_REF = 'loadBalancerServerGroupVmNicRef'
export const SERVER_IP = 'loadBalancerServerGroupServerIp'
export const LISTENER_NIC = 'loadBalancerListenerVmNicRef'
export const GROUP_REF = 'loadBalancerListenerServerGroupRef'
export const ACL_REF = 'loadBalancerListenerACLRef'
export const CERTIFICATE_REF = 'loadBalancerListenerCertificateRef'

/** Rows of a table that name this in a field, in the order of their keys. */
export const rowsBy = (graph: Graph, table: string, field: string, value: unknown): Readonly<Row>[] =>
  [...graph.by(table, field, value)].sort().map((k) => graph.get(table, k)!)

export const groupsOf = (graph: Graph, lb: unknown) => rowsBy(graph, GROUP, 'loadBalancerUuid', lb)
export const nicRefsOf = (graph: Graph, lb: unknown) =>
  groupsOf(graph, lb).flatMap((group) => rowsBy(graph, NIC_REF, 'serverGroupUuid', group['uuid']))

/** Networks of the guests among these cards, each once. */
export const networksOf = (graph: Graph, nics: readonly unknown[]): string[] => [
  ...new Set(nics.flatMap((nic) => (graph.get('vmNic', nic as string)?.['l3NetworkUuid'] as string | undefined) ?? [])),
]

type Gone = (table: string) => ReadonlySet<string>

/** Load balancers that stay, in which networks they have servers when cards and groups go. */
export function balancersWithout(graph: Graph, gone: Gone): { table: 'loadBalancer'; k: string; v: Row }[] {
  const lost = (ref: Readonly<Row>) =>
    gone('vmNic').has(ref['vmNicUuid'] as string) ||
    gone(NIC_REF).has(ref['uuid'] as string) ||
    gone(GROUP).has(ref['serverGroupUuid'] as string)
  const refs = [
    ...[...gone('vmNic')].flatMap((nic) => rowsBy(graph, NIC_REF, 'vmNicUuid', nic)),
    ...[...gone(NIC_REF)].flatMap((k): Readonly<Row>[] => [graph.get(NIC_REF, k)].filter((ref) => ref !== undefined)),
  ]
  const groups = new Set([...refs.map((ref) => ref['serverGroupUuid'] as string), ...gone(GROUP)])
  const touched = new Set([...groups].flatMap((k) => (graph.get(GROUP, k)?.['loadBalancerUuid'] as string | undefined) ?? []))
  return [...touched]
    .filter((k) => graph.get(LB, k) && !gone(LB).has(k))
    .map((k) => {
      const left = nicRefsOf(graph, k).filter((ref) => !lost(ref))
      return {
        table: 'loadBalancer',
        k,
        v: {
          l3NetworkUuids: networksOf(
            graph,
            left.map((ref) => ref['vmNicUuid']),
          ),
        },
      }
    })
}

/** What names a card among load balancers goes with it. */
export const dropBackends = (graph: Graph, nic: string): Op[] =>
  [NIC_REF, LISTENER_NIC].flatMap((t) => [...graph.by(t, 'vmNicUuid', nic)].map((k): Op => ({ o: 'del', t, k })))
