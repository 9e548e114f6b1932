/**
 * The graph as an account sees it: rows that it may not see are not there. Everything that reads for a caller (queries and their
 * relations, inventories, names, versions) reads this one, so none of it has to know of rights.
 */
import type { Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { maySee } from './whose.ts'

/** Keys of an index whose rows are seen. */
function* seenKeys(graph: Graph, table: string, keys: Iterable<string>): Generator<string> {
  for (const key of keys) if (graph.get(table, key) !== undefined) yield key
}

/** `graph` without what the account may not see. Nothing is copied: a row is judged when it is read. */
export function seenBy(graph: Graph, account: string): Graph {
  const sees = (table: string, row: Readonly<Row>) => maySee(graph, account, table, row)
  const seen: Graph = Object.create(graph)
  return Object.assign(seen, {
    get(table: string, key: string): Readonly<Row> | undefined {
      const row = graph.get(table, key)
      return row && sees(table, row) ? row : undefined
    },
    version: (table: string, key: string) => (seen.get(table, key) ? graph.version(table, key) : undefined),
    by: (table: string, field: string, value: unknown) => seenKeys(seen, table, graph.by(table, field, value)),
    *rows(table: string): IterableIterator<[string, Readonly<Row>]> {
      for (const [key, row] of graph.rows(table)) if (sees(table, row)) yield [key, row]
    },
  } satisfies Partial<Graph>)
}
