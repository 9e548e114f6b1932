/**
 * Whose resources are, as a table to ask. Every resource says it itself, so a second record could only differ from that: rows are made
 * when they are read.
 */
import { ADMIN_ACCOUNT, isOwned, OWNER, type Resource, type Row, resources } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { resourceTypeOf } from '../engine/tags.ts'

const TABLE = 'accountResourceRef'
const tables: readonly string[] = Object.values(resources as Record<string, Resource>)
  .filter(isOwned)
  .map(({ name }) => name)

const types = new Map(tables.map((table) => [table, resourceTypeOf(table)]))

function refOf(table: string, { uuid, name, createDate, lastOpDate, [OWNER]: owner }: Readonly<Row>): Row {
  const type = types.get(table)
  const accountUuid = owner ?? ADMIN_ACCOUNT
  return { uuid, name, accountUuid, resourceUuid: uuid, resourceType: type, concreteResourceType: type, createDate, lastOpDate }
}

/** Rows of the first administrator name no owner. */
function* keysOf(graph: Graph, account: unknown): Generator<string> {
  for (const table of tables) {
    if (account !== ADMIN_ACCOUNT) yield* graph.by(table, OWNER, account)
    else for (const [key, row] of graph.rows(table)) if ((row[OWNER] ?? ADMIN_ACCOUNT) === account) yield key
  }
}

const sum = (count: (table: string) => number): number => tables.reduce((total, table) => total + count(table), 0)

/** `graph` with that table. Nothing is copied. */
export function withRefs(graph: Graph): Graph {
  const tableOf = (key: unknown) => tables.find((table) => graph.get(table, key as string))
  const whole: Graph = Object.create(graph)
  const of = <T>(table: string, mine: () => T, other: () => T): T => (table === TABLE ? mine() : other())
  return Object.assign(whole, {
    get(t: string, k: string): Readonly<Row> | undefined {
      if (t !== TABLE) return graph.get(t, k)
      const table = tableOf(k)
      return table === undefined ? undefined : refOf(table, graph.get(table, k)!)
    },
    version: (t: string, k: string) => graph.version(t === TABLE ? (tableOf(k) ?? t) : t, k),
    by(t: string, field: string, value: unknown): Iterable<string> {
      if (t !== TABLE) return graph.by(t, field, value)
      return field === 'accountUuid' ? keysOf(graph, value) : tableOf(value) ? [value as string] : []
    },
    countBy(t: string, field: string, value: unknown): number {
      if (t !== TABLE) return graph.countBy(t, field, value)
      if (field !== 'accountUuid') return tableOf(value) ? 1 : 0
      return sum((table) => (value === ADMIN_ACCOUNT ? graph.count(table) : graph.countBy(table, OWNER, value)))
    },
    values: (t: string, field: string) =>
      of(
        t,
        () => undefined,
        () => graph.values(t, field),
      ),
    inOrder: (t: string) =>
      of(
        t,
        () => false,
        () => graph.inOrder(t),
      ),
    *rows(t: string): IterableIterator<[string, Readonly<Row>]> {
      if (t !== TABLE) return yield* graph.rows(t)
      for (const table of tables) for (const [key, row] of graph.rows(table)) yield [key, refOf(table, row)]
    },
    count: (t: string) =>
      of(
        t,
        () => sum((table) => graph.count(table)),
        () => graph.count(t),
      ),
  } satisfies Partial<Graph>)
}
