/** Desired documents as agents get them, made from the graph at the moment of sending. */
import { type AgentKind, type Document, nouns, type Row, type Tombstone } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { type DocumentRef, projections } from '../desired/project.ts'

const schemaOf = new Map(Object.values(nouns).flatMap((list) => list.map((n) => [n.noun, n.schema] as const)))

/** Rows of the `desired` table that belong to an agent. */
export function* documentKeys(graph: Graph, agentUuid: string): Generator<string> {
  yield* graph.by('desired', 'agentUuid', agentUuid)
}

/** The document or tombstone behind a key; undefined when there is none any more. */
export function documentOf(graph: Graph, key: string): Document | Tombstone | undefined {
  const row = graph.get('desired', key)
  if (!row) return undefined
  const { noun, uuid } = row as unknown as DocumentRef
  const generation = { incarnation: graph.incarnation, seq: graph.version('desired', key)! }
  const job = row['job'] as string | null
  if (row['tombstone']) return { noun, uuid, generation, job, tombstone: true }
  const spec = projections.find((p) => p.noun === noun)!.spec(graph, uuid)
  return { noun, uuid, schema: schemaOf.get(noun) ?? 1, generation, hash: row['hash'] as string, job, spec }
}

export interface DigestLine {
  noun: string
  uuid: string
  generation: { incarnation: number; seq: number }
  hash: string
}

/** What the agent's digest should be made of: live documents. */
export function digestLines(graph: Graph, agentUuid: string): DigestLine[] {
  const lines: DigestLine[] = []
  for (const key of documentKeys(graph, agentUuid)) {
    const row = graph.get('desired', key) as Row
    if (row['tombstone']) continue
    lines.push({
      noun: row['noun'] as string,
      uuid: row['uuid'] as string,
      generation: { incarnation: graph.incarnation, seq: graph.version('desired', key)! },
      hash: row['hash'] as string,
    })
  }
  return lines
}

export const kindOf = (graph: Graph, agentUuid: string): AgentKind | undefined =>
  graph.get('agent', agentUuid)?.['kind'] as AgentKind | undefined
