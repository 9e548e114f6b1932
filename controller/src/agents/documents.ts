/** Desired documents as agents get them, made from the graph at the moment of sending. */
import {
  type AgentKind,
  castSpec,
  type Document,
  type DocumentVersions,
  documentVersions,
  isTombstone,
  nouns,
  type Row,
  SkerryError,
  type Tombstone,
} from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { type DocumentRef, projections } from '../desired/project.ts'
import { specHash } from '../engine/state.ts'

const ours = documentVersions(nouns)

/** Rows of the `desired` table that belong to an agent. */
export function* documentKeys(graph: Graph, agentUuid: string): Generator<string> {
  yield* graph.by('desired', 'agentUuid', agentUuid)
}

/** Rows of the `desired` table that aren't buried: by `noun/uuid` those of every agent that has it, by `agent/noun/uuid` that of one. */
export function presentKeys(graph: Graph, name: string): string[] {
  const keys = name.split('/').length === 3 ? [name] : [...graph.by('desired', 'of', name)]
  return keys.filter((key) => graph.get('desired', key)?.['tombstone'] === false)
}

const places = new Map(Object.values(nouns).flatMap((list) => list.map(({ noun }, place) => [noun, place] as const)))

/** As `documentKeys`, what others stand on first: an agent without any must know a pool before what is buried in it. */
export function documentKeysInOrder(graph: Graph, agentUuid: string): string[] {
  const place = (key: string) => places.get(key.split('/')[1]!) ?? places.size
  return [...documentKeys(graph, agentUuid)].sort((a, b) => place(a) - place(b))
}

/** The ledger that an agent told last, to be named in what is meant for it: `{}` while it has told none. */
export function ledgerOf(graph: Graph, agentUuid: string): { ledger?: string } {
  const ledger = graph.get('agent', agentUuid)?.['ledger'] as string | null | undefined
  return ledger ? { ledger } : {}
}

/** The document or tombstone behind a key, in the newest schema; undefined when there is none any more. */
export function documentOf(graph: Graph, key: string, versions = ours): Document | Tombstone | undefined {
  const row = graph.get('desired', key)
  if (!row) return undefined
  const { noun, uuid } = row as unknown as DocumentRef
  const generation = { incarnation: graph.incarnation, seq: graph.version('desired', key)! }
  const job = row['job'] as string | null
  if (row['tombstone']) return { noun, uuid, generation, job, tombstone: true }
  const spec = projections.find((p) => p.noun === noun)!.spec(graph, uuid, row['agentUuid'] as string)
  return { noun, uuid, schema: versions.schemaOf(noun), generation, hash: row['hash'] as string, job, spec }
}

/** The newest schema of a noun that an agent reads and we write. Nobody writes one that was not told yet: it may be too new. */
function schemaFor(graph: Graph, agentUuid: string, noun: string, versions: DocumentVersions): number {
  const told = graph.get('agent', agentUuid)?.['schemas'] as Record<string, number> | null | undefined
  return Math.min(versions.schemaOf(noun), told?.[noun] ?? 1)
}

/** Whether the agent of a `desired` row reads the newest schema of its noun: then every such document can be said to it. */
export function readsNewest(graph: Graph, key: string, versions = ours): boolean {
  const [agentUuid, noun] = key.split('/') as [string, string]
  return schemaFor(graph, agentUuid, noun, versions) === versions.schemaOf(noun)
}

/** As its agent gets it (`loweredFor`). */
export function documentFor(graph: Graph, key: string, versions = ours): Document | Tombstone | undefined {
  const document = documentOf(graph, key, versions)
  return document && loweredFor(graph, key.slice(0, key.indexOf('/')), document, versions)
}

/**
 * In the newest schema that the agent reads, with the hash of that form. Throws `agent-too-old` where the older schema can't say
 * what is wanted: then nothing is sent, and what the host has stays as it is.
 */
export function loweredFor<D extends Document | Tombstone>(
  graph: Graph,
  agentUuid: string,
  document: D,
  versions = ours,
): D | Document {
  if (isTombstone(document)) return document
  const { noun, uuid, schema } = document
  const known = schemaFor(graph, agentUuid, noun, versions)
  if (known === schema) return document
  const spec = castSpec(versions.casts[noun], document.spec, { from: schema, to: known })
  if (spec) return { ...document, schema: known, spec, hash: specHash(spec) }
  throw new SkerryError('agent-too-old', `agent ${agentUuid} is too old for the document of ${noun} ${uuid}`, {
    ...{ agentUuid, noun, uuid, schema, known },
    version: graph.get('agent', agentUuid)?.['version'],
  })
}

export interface DigestLine {
  noun: string
  uuid: string
  generation: { incarnation: number; seq: number }
  hash: string
}

/** What the agent's digest should be made of: live documents in the schema that it reads; what it can't read it can't have. */
export function digestLines(graph: Graph, agentUuid: string, versions = ours): DigestLine[] {
  const lines: DigestLine[] = []
  for (const key of documentKeys(graph, agentUuid)) {
    const row = graph.get('desired', key) as Row
    if (row['tombstone']) continue
    const noun = row['noun'] as string
    const older = schemaFor(graph, agentUuid, noun, versions) < versions.schemaOf(noun)
    const hash = older ? hashFor(graph, key, versions) : (row['hash'] as string)
    if (hash === undefined) continue
    const generation = { incarnation: graph.incarnation, seq: graph.version('desired', key)! }
    lines.push({ noun, uuid: row['uuid'] as string, generation, hash })
  }
  return lines
}

export const kindOf = (graph: Graph, agentUuid: string): AgentKind | undefined =>
  graph.get('agent', agentUuid)?.['kind'] as AgentKind | undefined

function hashFor(graph: Graph, key: string, versions: DocumentVersions): string | undefined {
  try {
    return (documentFor(graph, key, versions) as Document).hash
  } catch (error) {
    if (error instanceof SkerryError && error.code === 'agent-too-old') return undefined
    throw error
  }
}
