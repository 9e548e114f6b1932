/** Asks agents what documents would change on their hosts. An agent that is away, or too old for them, is named, not waited for. */
import type { Bus } from '@skerry/bus'
import { type Document, type DocumentVersions, planReply, type Row, subjects, type Tombstone } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { kindOf, loweredFor } from './documents.ts'

const TIMEOUT_MS = 5_000

export interface DryRunPorts {
  bus: Bus
  graph: Graph
  /** default: the contract's */
  versions?: DocumentVersions | undefined
}

/** `documents` by agent. Gives for each agent what it would do: `{ agentUuid, kind, changes }`, or why that is unknown. */
export function dryRun(ports: DryRunPorts, documents: ReadonlyMap<string, readonly (Document | Tombstone)[]>): Promise<Row[]> {
  return Promise.all([...documents].map(([agentUuid, list]) => askOne(ports, agentUuid, list)))
}

async function askOne(
  { bus, graph, versions }: DryRunPorts,
  agentUuid: string,
  list: readonly (Document | Tombstone)[],
): Promise<Row> {
  const kind = kindOf(graph, agentUuid)
  if (!kind) return { agentUuid, unknown: 'this agent is not enrolled any more' }
  try {
    const documents = list.map((document) => loweredFor(graph, agentUuid, document, versions))
    const subject = subjects.do(kind, agentUuid, 'agent', agentUuid, 'plan')
    const reply = await bus.request(subject, { documents, epoch: graph.epoch }, { timeoutMs: TIMEOUT_MS })
    return { agentUuid, kind, ...planReply.parse(reply.data) }
  } catch (error) {
    // What can't be asked is part of the answer: a plan is shown all the same.
    return { agentUuid, kind, unknown: error instanceof Error ? error.message : String(error) }
  }
}
