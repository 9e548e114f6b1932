/** How large the packets of networks may be. Pure. */
import type { Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'

/** What carries Ethernet as it is, and what is left of that behind the header of VXLAN (50 bytes over IPv4). */
const ETHERNET = 1500
const VXLAN = 1450

const usual = (l2: Readonly<Row> | undefined): number => (String(l2?.['type'] ?? '').startsWith('Vxlan') ? VXLAN : ETHERNET)
const l2Of = (graph: Graph, l3: Readonly<Row>) => graph.get('l2Network', l3['l2NetworkUuid'] as string)

/** Of an L3 network: its own, else what its L2 network carries. */
export const mtuOf = (graph: Graph, l3: Readonly<Row>): number =>
  (l3['mtu'] as number | null | undefined) ?? usual(l2Of(graph, l3))

/** Of the bridge of an L2 network: what the widest of its networks needs; null where none of them says anything: as the bridge is. */
export function bridgeMtu(graph: Graph, l2Uuid: string): number | null {
  const l3s = [...graph.by('l3Network', 'l2NetworkUuid', l2Uuid)].map((k) => graph.get('l3Network', k)!)
  return l3s.some((l3) => typeof l3['mtu'] === 'number') ? Math.max(...l3s.map((l3) => mtuOf(graph, l3))) : null
}
