/** What checks say of servers becomes the status of their rows. Only what has changed is written. Pure. */
import { balancerDesired, type Change, type Op, type Row, type Status } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { groupsOf, LISTENER, LISTENER_NIC, nicRefsOf, rowsBy, SERVER_IP } from '../workflows/load-balancer.rows.ts'

type Health = 'Up' | 'Down' | 'Pending' | 'Unchecked'

/** Active where a listener reaches it: a server may be behind several, which check it each on their own. */
function statusOf(said: readonly Health[]): 'Active' | 'Inactive' | 'Pending' {
  if (said.some((one) => one === 'Up' || one === 'Unchecked')) return 'Active'
  return said.includes('Down') ? 'Inactive' : 'Pending'
}

export function reactBalancer(graph: Graph, status: Status): Change | undefined {
  const parsed = balancerDesired.balancerObserved.safeParse(status.observed)
  if (!parsed.success || !graph.get('loadBalancer', status.uuid)) return undefined
  const { servers } = parsed.data
  const said = (server: unknown, listener?: unknown): Health[] =>
    Object.entries(servers).flatMap(([uuid, all]) =>
      listener === undefined || listener === uuid ? (all[server as string] ?? []) : [],
    )
  const rows: [string, Readonly<Row>, 'Active' | 'Inactive' | 'Pending'][] = [
    ...nicRefsOf(graph, status.uuid).map((row): [string, Readonly<Row>, ReturnType<typeof statusOf>] => [
      ...(['loadBalancerServerGroupVmNicRef', row] as const),
      statusOf(said(row['vmNicUuid'])),
    ]),
    ...groupsOf(graph, status.uuid)
      .flatMap((group) => rowsBy(graph, SERVER_IP, 'serverGroupUuid', group['uuid']))
      .map((row): [string, Readonly<Row>, ReturnType<typeof statusOf>] => [SERVER_IP, row, statusOf(said(row['uuid']))]),
    ...rowsBy(graph, LISTENER, 'loadBalancerUuid', status.uuid)
      .flatMap((listener) => rowsBy(graph, LISTENER_NIC, 'listenerUuid', listener['uuid']))
      .map((row): [string, Readonly<Row>, ReturnType<typeof statusOf>] => [
        ...([LISTENER_NIC, row] as const),
        statusOf(said(row['vmNicUuid'], row['listenerUuid'])),
      ]),
  ]
  const moved = rows.filter(([, row, now]) => row['status'] !== now)
  if (moved.length === 0) return undefined
  return {
    ops: moved.map(([t, row, now]): Op => ({ o: 'set', t, k: row['uuid'] as string, v: { status: now } })),
    facts: moved.map(([noun, row]) => ({ noun, uuid: row['uuid'] as string, event: 'updated' })),
  }
}
