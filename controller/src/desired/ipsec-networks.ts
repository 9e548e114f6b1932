/** Which networks an IPsec connection is between. Pure look-ups. */
import type { Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { rangesOf } from '../place/address.ts'

/** Networks of the attached L3 networks, each once. */
export const localCidrsOf = (graph: Graph, l3s: readonly string[]): string[] => [
  ...new Set(l3s.flatMap((l3) => rangesOf(graph, l3).map((range) => range['networkCidr'] as string))),
]

export const l3sOf = (row: Readonly<Row>): string[] => row['l3NetworkUuids'] as string[]
export const peerCidrsOf = (row: Readonly<Row>): string[] => (row['peerCidrs'] as { cidr: string }[]).map(({ cidr }) => cidr)

/** It wants an address on a router. */
export const isWanted = (graph: Graph, row: Readonly<Row>): boolean =>
  row['state'] === 'Enabled' && peerCidrsOf(row).length > 0 && localCidrsOf(graph, l3sOf(row)).length > 0
