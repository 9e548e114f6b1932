/** What plugins are shown of resources and calls: what clients may see, and no secrets. Pure. */
import { type Row, resourceOf } from '@skerry/contract'
import type { Graph } from '@skerry/graph'

/** References to secrets are left out: what they stand for is nobody's business but the agent's. */
export const withoutSecrets = (value: unknown): Row =>
  JSON.parse(JSON.stringify(value), (_key, one) =>
    one !== null && typeof one === 'object' && '$secret' in one ? undefined : one,
  )

export function shownRow(graph: Graph, table: string, uuid: string): Row | null {
  const row = graph.get(table, uuid)
  if (!row) return null
  const hidden = resourceOf(table)?.hidden ?? []
  return withoutSecrets(Object.fromEntries(Object.entries(row).filter(([field]) => !hidden.includes(field))))
}

/** System and user tags of a resource. */
export const tagsOf = (graph: Graph, uuid: string): string[] =>
  [...graph.by('tag', 'resourceUuid', uuid)].map((k) => graph.get('tag', k)?.['tag'] as string)
