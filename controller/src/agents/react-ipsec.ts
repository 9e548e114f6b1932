/** What an agent says of a tunnel, as the connection's status. Pure. */
import { type Change, ipsecDesired, type Row, type Status } from '@skerry/contract'
import type { Graph } from '@skerry/graph'

/** Only transitions: another status, or another reason why it is down. */
export function reactTunnel(graph: Graph, status: Status): Change | undefined {
  const seen = ipsecDesired.ipsecObserved.safeParse(status.observed)
  return seen.success ? moved(graph, status.uuid, seen.data.status, seen.data.cause) : undefined
}

/** Nobody keeps it any more. */
export const tunnelGone = (graph: Graph, uuid: string): Change | undefined => moved(graph, uuid, 'Disconnected', null)

function moved(graph: Graph, uuid: string, to: string, cause: string | null): Change | undefined {
  const row = graph.get('ipsecConnection', uuid) as Row | undefined
  const from = row?.['status'] as string
  if (!row || (from === to && (row['statusCause'] ?? null) === cause)) return undefined
  return {
    guards: [{ g: 'field', t: 'ipsecConnection', k: uuid, field: 'status', in: [from] }],
    ops: [{ o: 'set', t: 'ipsecConnection', k: uuid, v: { status: to, statusCause: cause } }],
    facts: [{ noun: 'ipsecConnection', uuid, event: 'status-changed', data: { from, to, cause } }],
  }
}
