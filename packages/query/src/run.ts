/** Running a query: at once, or in slices where a scan over a large table must not stall the event loop. */
import type { Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Explain } from './explain.ts'
import { isOwnOrder, onceEach, orderedPage } from './in-order.ts'
import { eachMatch } from './matches.ts'
import { First, type Found, type Order, orderBy } from './order.ts'
import type { Query } from './parse.ts'
import { sorted } from './sort.ts'
import { type View, type Visible, viewOf } from './view.ts'

export interface QueryOptions {
  /** What the caller may see; all, unless said. */
  visible?: Visible | undefined
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

/** Runs a query without interruption. Every row is shown to `visible` first, at every level (`Visible` says where). */
export function runQuery(graph: Graph, query: Query, options: QueryOptions = {}): QueryResult {
  return atOnce(execute(viewOf(graph, options.visible), query))
}

/** Runs a query in slices of about `sliceMs`. A row written meanwhile may or may not be seen in its new form; rows are never torn. */
export async function runQuerySliced(graph: Graph, query: Query, options: SliceOptions): Promise<QueryResult> {
  return sliced(execute(viewOf(graph, options.visible), query), options)
}

export function atOnce<T>(run: Generator<void, T>): T {
  for (let step = run.next(); ; step = run.next()) if (step.done) return step.value
}

/** How many rows pass between two looks at the clock. */
const STRIDE = 256

export async function sliced<T>(run: Generator<void, T>, options: Omit<SliceOptions, 'visible'>): Promise<T> {
  let began = options.now()
  for (let steps = 1; ; steps++) {
    const step = run.next()
    if (step.done) return step.value
    if (steps % STRIDE !== 0 || options.now() - began < options.sliceMs) continue
    await options.pause()
    began = options.now()
  }
}

/** The same in steps, one for each row that is looked at. */
export function* execute(view: View, query: Query): Generator<void, QueryResult> {
  const order = orderBy(query.sort)
  const wanted = query.count ? 0 : query.start + query.limit
  const first = new First(query.groupBy === undefined ? wanted : 0, order)
  const groups = new Map<unknown, Found>()
  let total = 0
  const pages = query.groupBy === undefined && !query.count && !query.replyWithCount
  const page = pages && isOwnOrder(query.sort) ? wanted : undefined
  const ordered = pages && page === undefined ? orderedPage(query.sort, wanted) : undefined
  const explain = yield* eachMatch(view, { ...query, page, ordered }, (found) => {
    total++
    if (query.groupBy === undefined) first.add(found)
    else group(groups, query.groupBy, found, order)
  })
  if (query.sort) explain.plan.children!.push({ step: 'sort', of: query.sort.map(({ field }) => field).join(',') })
  if (query.groupBy !== undefined) explain.plan.children!.push({ step: 'group', of: query.groupBy })
  const found =
    query.groupBy === undefined
      ? yield* firstOf(first, ordered !== undefined)
      : (yield* sorted([...groups.values()], order)).slice(0, wanted)
  return yield* answer(query, found.slice(query.start), { total: query.groupBy === undefined ? total : groups.size, explain })
}

function* firstOf(first: First, mayRepeat: boolean): Generator<void, Found[]> {
  const found = yield* first.result()
  return mayRepeat ? yield* onceEach(found) : found
}

/** One row a group: the first of it in the query's order. */
function group(groups: Map<unknown, Found>, field: string, found: Found, order: Order): void {
  const value = found.row[field]
  const id = Array.isArray(value) ? JSON.stringify(value) : (value ?? null)
  const known = groups.get(id)
  if (!known || order(found, known) < 0) groups.set(id, found)
}

function* answer(
  query: Query,
  found: Found[],
  { total, explain }: { total: number; explain: Explain },
): Generator<void, QueryResult> {
  const own = query.fields?.filter((name) => Object.hasOwn(query.target.fields, name))
  const rows: QueryResult['rows'] = []
  const keys: string[] = []
  for (const { row, key } of found) {
    rows.push(own ? Object.fromEntries(own.filter((name) => name in row).map((name) => [name, row[name]])) : row)
    keys.push(key)
    yield
  }
  return { rows, keys, ...(query.count || query.replyWithCount ? { total } : {}), explain }
}
