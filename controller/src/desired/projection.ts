/** What each noun of desired state says of itself: when its documents change, where they belong, what they hold. */
import type { AgentKind, Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'

export interface Projection {
  noun: string
  kind: AgentKind
  /** Uuids of the documents of this noun that a change of this row may touch. */
  touchedBy: Record<string, (row: Row, graph: Graph) => readonly string[]>
  /** Agents that should hold the document now; none: it should be gone everywhere. */
  agents(graph: Graph, uuid: string): readonly string[]
  /** `agentUuid`: given where what it says is not the same for all. */
  spec(graph: Graph, uuid: string, agentUuid?: string): Row
  /** What it says is not the same for all its agents. */
  perAgent?: (graph: Graph, uuid: string) => boolean
}
