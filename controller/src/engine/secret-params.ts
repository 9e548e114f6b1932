/** Secret parameters: found by their schema, swapped for references before anything is recorded (DESIGN §2). */
import { type Api, type Resource, type Row, resources, secretRef, secretValue } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { z } from 'zod'
import { longCallIn } from './long-call.ts'

/** That very schema, also when optional or nullable. */
function is(wanted: z.ZodType, schema: z.ZodType): boolean {
  if (schema === wanted) return true
  const inner = (schema.def as { innerType?: z.ZodType }).innerType
  return inner !== undefined && is(wanted, inner)
}

const fieldsOf = (wanted: z.ZodType, shape: Record<string, z.ZodType>): string[] =>
  Object.entries(shape)
    .filter(([, schema]) => is(wanted, schema))
    .map(([field]) => field)

const ofApis = new WeakMap<Api, readonly string[]>()

/** What of an API's parameters is secret: looked for once. */
export function secretFields(api: Api): readonly string[] {
  let fields = ofApis.get(api)
  if (fields === undefined) ofApis.set(api, (fields = fieldsOf(secretValue, api.params.shape as Record<string, z.ZodType>)))
  return fields
}

/** The parameters as they may be recorded: the same ones where there is nothing to hide. */
export async function hideSecrets(api: Api, params: Row, secrets: { put(value: string): Promise<string> }): Promise<Row> {
  const fields = api.workflow ? secretFields(api).filter((field) => typeof params[field] === 'string') : []
  const hidden = fields.length > 0 ? { ...params } : params
  for (const field of fields) hidden[field] = { $secret: await secrets.put(params[field] as string) }
  const inner = longCallIn({ api, params })
  if (!inner) return hidden
  // Only what the inner call knows is recorded: the text may hold anything, such as the session of whoever wrote it.
  const masked = secretFields(inner.api).filter((field) => inner.params[field] !== undefined)
  const shown = { ...inner.params, ...Object.fromEntries(masked.map((field) => [field, '*****'])) }
  return { ...hidden, jobData: JSON.stringify(shown), call: await hideSecrets(inner.api, inner.params, secrets) }
}

const isReference = (v: unknown): v is { $secret: string } =>
  v !== null && typeof v === 'object' && typeof (v as { $secret?: unknown }).$secret === 'string'

/** References among the parameters of a job, or the fields of a row; of the call inside a long job too. */
export const secretIds = (params: Row): string[] =>
  Object.entries(params).flatMap(([field, v]) =>
    isReference(v) ? [v.$secret] : field === 'call' && v !== null && typeof v === 'object' ? secretIds(v as Row) : [],
  )

const tablesWithSecrets = Object.values(resources as Record<string, Resource>)
  .filter(({ fields }) => fieldsOf(secretRef, fields).length > 0)
  .map(({ name }) => name)

/** Every reference that still counts: of resources (fields that are one), and of jobs that may go on or be undone. */
function referenced(graph: Graph): Set<string> {
  const ids = new Set<string>()
  const take = (row: Row) => {
    for (const id of secretIds(row)) ids.add(id)
  }
  for (const table of tablesWithSecrets) for (const [, row] of graph.rows(table)) take(row)
  for (const state of ['processing', 'undoing', 'stuck'])
    for (const key of graph.by('job', 'state', state)) {
      const input = graph.get('job', key)?.['input'] as { params: Row } | undefined
      if (input) take(input.params)
    }
  // An update's step keeps what it replaced, to undo by: `{ before: { password: { $secret } } }`.
  for (const [, { output }] of graph.rows('jobStep'))
    for (const part of Object.values((output as Row | null) ?? {}))
      if (typeof part === 'object' && part !== null) take(part as Row)
  return ids
}

/** Those of them that count for nothing any more. */
export function unreferenced(graph: Graph, ids: readonly string[]): string[] {
  const kept = ids.length > 0 ? referenced(graph) : new Set()
  return ids.filter((id) => !kept.has(id))
}

/**
 * At start: shreds values to which nothing refers, which a process that died between storing a value and recording its
 * reference, or between a deletion and its shredding, left behind. Gives how many. Only for a graph that is whole.
 */
export async function shredOrphans(
  graph: Graph,
  secrets: { list(): Promise<string[]>; shred(id: string): Promise<void> },
): Promise<number> {
  const orphans = unreferenced(graph, await secrets.list())
  for (const id of orphans) await secrets.shred(id)
  return orphans.length
}
