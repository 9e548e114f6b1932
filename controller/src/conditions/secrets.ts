/** Opens every secret that a resource refers to, and says which can't be. The values are forgotten at once. */
import type { Graph } from '@skerry/graph'
import type { Secrets } from '../store/index.ts'
import { nameOf, nounOf } from './finding.ts'
import type { LostSecret } from './site.ts'

/** Tables whose rows hold secrets; few rows each. */
const TABLES = ['host', 'backupStorage'] as const

function* references(graph: Graph): Generator<{ table: string; uuid: string; field: string; id: string }> {
  for (const table of TABLES)
    for (const [uuid, row] of graph.rows(table))
      for (const [field, value] of Object.entries(row)) {
        const id = (value as { $secret?: unknown } | null)?.$secret
        if (typeof id === 'string') yield { table, uuid, field, id }
      }
}

export async function lostSecrets(graph: Graph, secrets: Secrets): Promise<LostSecret[]> {
  const lost: LostSecret[] = []
  for (const { table, uuid, field, id } of [...references(graph)]) {
    try {
      await secrets.get(id)
    } catch (error) {
      // Deleted while the others were read: then it is not lost.
      if ((graph.get(table, uuid)?.[field] as { $secret?: unknown } | undefined)?.$secret !== id) continue
      const message = error instanceof Error ? error.message : String(error)
      lost.push({ noun: nounOf(table), uuid, name: nameOf(graph, table, uuid), field, error: message })
    }
  }
  return lost
}
