/**
 * A page in the order of an indexed field: rows come by the values of the index, smallest first, and nothing behind the page is looked at.
 * An index knows its values but not their order, so they are made a heap, of which each value costs its logarithm.
 */
import type { Explain } from './explain.ts'
import { compareValues, type Found, type SortKey, sinkIn } from './order.ts'
import type { QueryTarget } from './target.ts'
import { look, type View } from './view.ts'

export interface Ordered {
  /** The first thing to sort by. */
  by: SortKey
  /** So many rows are enough: those that come first by it. */
  page: number
}

/** What a query may ask in order; undefined: of it all has to be looked at. Rows come by createDate, unless a query says otherwise. */
export function orderedPage(sort: readonly SortKey[] | undefined, page: number): Ordered | undefined {
  const [by] = sort ?? []
  return by === undefined || page === Number.POSITIVE_INFINITY ? undefined : { by, page }
}

/** Whether rows come in this order anyway. */
export const isOwnOrder = (sort: readonly SortKey[] = []): boolean =>
  sort.length === 0 || (sort.length === 1 && sort[0]!.field === 'createDate' && !sort[0]!.descending)

/**
 * Shows rows to `visit` until the page is full and none is missing that is equal to its last; undefined where no index says the order. A
 * row that is written meanwhile may come twice.
 */
export function* byValues(
  view: View,
  { target, ordered }: { target: QueryTarget; ordered: Ordered },
  visit: (found: Found) => void,
): Generator<void, Explain | undefined> {
  const { by, page } = ordered
  const { table } = target
  const values = target.fields[by.field] === 'list' ? undefined : view.graph.values(table, by.field)
  if (values === undefined) return undefined
  const comes = (a: unknown, b: unknown) => (by.descending ? -compareValues(a, b) : compareValues(a, b))
  const heap = yield* heapOf(values, comes)
  let [examined, found] = [0, 0]
  let last: unknown
  while (heap.length > 0 && found < page) {
    const value = taken(heap, comes)
    // One that was gone and is back stands there twice.
    if (value === last) continue
    last = value
    for (const key of view.graph.by(table, by.field, value)) {
      yield
      const row = look(view, target, key)
      if (row === undefined) continue
      examined++
      found++
      visit({ key, row })
    }
  }
  const way = { step: 'order' as const, of: `${table}.${by.field}`, estimate: view.graph.count(table) }
  const plan = { step: 'query' as const, of: table, examined, found, children: [way] }
  return { access: 'order', examined, looked: view.looked, filters: [], scans: {}, plan }
}

/** How many values are taken in between two steps. */
const STRIDE = 4

function* heapOf(values: Iterable<unknown>, comes: (a: unknown, b: unknown) => number): Generator<void, unknown[]> {
  const heap: unknown[] = []
  for (const value of values) if (heap.push(value) % STRIDE === 0) yield
  const last = (a: unknown, b: unknown) => -comes(a, b)
  for (let i = (heap.length >> 1) - 1; i >= 0; i--) {
    sinkIn(heap, i, last)
    yield
  }
  return heap
}

/** The first of a heap that is not empty. */
function taken(heap: unknown[], comes: (a: unknown, b: unknown) => number): unknown {
  const [first] = heap
  const moved = heap.pop()
  if (heap.length > 0) {
    heap[0] = moved
    sinkIn(heap, 0, (a, b) => -comes(a, b))
  }
  return first
}

/** Each row once, in the same order. */
export function* onceEach(found: readonly Found[]): Generator<void, Found[]> {
  const keys = new Set<string>()
  const once: Found[] = []
  for (const one of found) {
    if (!keys.has(one.key)) once.push(one)
    keys.add(one.key)
    yield
  }
  return once
}
