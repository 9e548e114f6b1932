/** IPsec connections that should carry and don't. Pure. */
import type { Graph } from '@skerry/graph'
import { called, type Finding, nameOf } from './finding.ts'

export function tunnelFindings(graph: Graph, uuid: string): Finding[] {
  const row = graph.get('ipsecConnection', uuid)
  if (row?.['state'] !== 'Enabled' || row['status'] !== 'Disconnected') return []
  const name = nameOf(graph, 'ipsecConnection', uuid)
  const { peerAddress, statusCause: cause } = row
  return [
    {
      ...{ code: 'tunnel-down', noun: 'ipsec', uuid, name, related: [row['vipUuid']] },
      message: `${called('ipsec', name, uuid)} to ${peerAddress} is down${cause ? `: ${cause}` : ''}`,
      details: { peerAddress, cause: cause ?? null },
    },
  ]
}
