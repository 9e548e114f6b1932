/** Running a query: at once, or in slices where a scan over a large table must not stall the event loop. */
import type { Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { First, type Found, orderBy } from './order.ts'
import type { Query } from './parse.ts'
import { type Explain, type Filter, planQuery } from './plan.ts'

export interface QueryOptions {
  /** Rows that the caller may not see are neither given nor counted. */
  visible?: (row: Readonly<Row>, key: string) => boolean
}

export interface QueryResult {
  /** Rows of the graph, or copies with only the asked fields. None when only the count was asked for. */
  rows: Readonly<Row>[]
  keys: string[]
  /** With `count` or `replyWithCount`: all that match, whatever limit and start. */
  total?: number
  explain: Explain
}

export interface SliceOptions extends QueryOptions {
  sliceMs: number
  /** Monotonic milliseconds. */
  now: () => number
  /** Lets other work run. */
  pause: () => Promise<void>
}

/** Runs a query without interruption. */
export function runQuery(graph: Graph, query: Query, options: QueryOptions = {}): QueryResult {
  const run = execute(graph, query, options)
  for (let step = run.next(); ; step = run.next()) if (step.done) return step.value
}

/** How many rows pass between two looks at the clock. */
const STRIDE = 256

/** Runs a query in slices of about `sliceMs`. A row written meanwhile may or may not be seen in its new form; rows are never torn. */
export async function runQuerySliced(graph: Graph, query: Query, options: SliceOptions): Promise<QueryResult> {
  const run = execute(graph, query, options)
  let began = options.now()
  for (let steps = 1; ; steps++) {
    const step = run.next()
    if (step.done) return step.value
    if (steps % STRIDE !== 0 || options.now() - began < options.sliceMs) continue
    await options.pause()
    began = options.now()
  }
}

function* execute(graph: Graph, query: Query, { visible }: QueryOptions): Generator<void, QueryResult> {
  const { keys, filters, explain } = yield* planQuery(graph, query)
  const order = orderBy(query.sort)
  const wanted = query.count ? 0 : query.start + query.limit
  const first = new First(query.groupBy === undefined ? wanted : 0, order)
  const groups = new Map<unknown, Found>()
  let total = 0
  const early = mayStopEarly(query, explain)
  let last: unknown
  for (const key of keys()) {
    yield
    const row = graph.get(query.target.table, key)
    if (row === undefined) continue
    if (early && total >= wanted && row['createDate'] !== last && graph.inOrder(query.target.table)) break
    explain.examined++
    if ((visible && !visible(row, key)) || !(yield* passes(filters, { key, row }))) continue
    total++
    last = row['createDate']
    if (query.groupBy === undefined) first.add({ key, row })
    else group(groups, query.groupBy, { key, row }, order)
  }
  const found = query.groupBy === undefined ? first.result() : [...groups.values()].sort(order).slice(0, wanted)
  return answer(query, found.slice(query.start), { total: query.groupBy === undefined ? total : groups.size, explain })
}

/**
 * A page of a table in its own order needs no look at the rest: the rows come by createDate, as the answer does. Those of the
 * same instant as the last of the page are still looked at, because among them the key decides.
 */
const mayStopEarly = (query: Query, { access }: Explain): boolean =>
  access === 'scan' && !query.sort && query.groupBy === undefined && !query.count && !query.replyWithCount

function* passes(filters: readonly Filter[], { key, row }: Found): Generator<void, boolean> {
  for (const filter of filters) {
    if (typeof filter === 'function' ? !filter(key, row) : !(yield* filter.walk(key, row))) return false
  }
  return true
}

/** One row a group: the first of it in the query's order. */
function group(groups: Map<unknown, Found>, field: string, found: Found, order: (a: Found, b: Found) => number): void {
  const value = found.row[field]
  const id = Array.isArray(value) ? JSON.stringify(value) : (value ?? null)
  const known = groups.get(id)
  if (!known || order(found, known) < 0) groups.set(id, found)
}

function answer(query: Query, found: Found[], { total, explain }: { total: number; explain: Explain }): QueryResult {
  const own = query.fields?.filter((name) => Object.hasOwn(query.target.fields, name))
  const rows = own
    ? found.map(({ row }) => Object.fromEntries(own.filter((name) => name in row).map((name) => [name, row[name]])))
    : found.map(({ row }) => row)
  return { rows, keys: found.map(({ key }) => key), ...(query.count || query.replyWithCount ? { total } : {}), explain }
}
