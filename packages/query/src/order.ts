/** Stable order of answers, and the best of many without sorting all of them. */
import type { Row } from '@skerry/contract'
import { sorted } from './sort.ts'

export interface Found {
  key: string
  row: Readonly<Row>
}
export type Order = (a: Found, b: Found) => number

/** Null first, as MySQL sorts; then by value. */
export function compareValues(a: unknown, b: unknown): number {
  const left = a ?? null
  const right = b ?? null
  if (left === right) return 0
  if (left === null) return -1
  if (right === null) return 1
  return (left as string) < (right as string) ? -1 : (left as string) > (right as string) ? 1 : 0
}

export interface SortKey {
  field: string
  descending: boolean
}

/** By the fields asked for, then createDate, then key: the same page twice is the same page. */
export function orderBy(sort: readonly SortKey[] = []): Order {
  const signed = sort.map(({ field, descending }) => [field, descending ? -1 : 1] as const)
  return (a, b) => {
    for (const [field, sign] of signed) {
      const order = compareValues(a.row[field], b.row[field])
      if (order !== 0) return sign * order
    }
    return compareValues(a.row.createDate, b.row.createDate) || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)
  }
}

/** Pieces of the work on a large heap that are done with each row that comes. */
const AT_ONCE = 4

/**
 * Keeps the first `size` of all that it is shown, in `order`. Once there are so many they are made a heap with the last of them on top, so
 * that each other one costs a comparison, and log `size` where it is kept. The heap is made a little with each one that comes; they wait.
 */
export class First {
  private readonly kept: Found[] = []
  private readonly size: number
  private readonly order: Order
  /** Where the heap is still to be made, from here down; undefined: it was not begun. */
  private unmade: number | undefined
  private waiting: Found[] = []
  private taken = 0

  constructor(size: number, order: Order) {
    this.size = size
    this.order = order
  }

  add(found: Found): void {
    const { kept, size } = this
    if (kept.length < size) {
      kept.push(found)
      return
    }
    if (size === 0) return
    this.unmade ??= size >> 1
    if (this.unmade === 0 && this.taken === this.waiting.length) this.offer(found)
    else this.putOff(found)
  }

  private putOff(found: Found): void {
    this.waiting.push(found)
    for (let i = 0; i < AT_ONCE; i++) this.workOn()
  }

  /** What was kept, in order. Yields between pieces of work. */
  *result(): Generator<void, Found[]> {
    while (this.workOn()) yield
    return yield* sorted(this.kept, this.order)
  }

  /** A piece of the work that was put off; false: there was none. */
  private workOn(): boolean {
    if (this.unmade !== undefined && this.unmade > 0) sinkIn(this.kept, --this.unmade, this.order)
    else if (this.taken < this.waiting.length) this.offer(this.waiting[this.taken++]!)
    else return false
    return true
  }

  private offer(found: Found): void {
    const { kept, order } = this
    if (order(found, kept[0]!) >= 0) return
    kept[0] = found
    sinkIn(kept, 0, order)
  }
}

/** Moves an element of a heap, whose first is the one that comes last, down to where nothing below comes after it. */
export function sinkIn<T>(heap: T[], from: number, order: (a: T, b: T) => number): void {
  const sinking = heap[from]!
  let at = from
  for (;;) {
    let below = at * 2 + 1
    if (below >= heap.length) break
    if (below + 1 < heap.length && order(heap[below + 1]!, heap[below]!) > 0) below++
    if (order(heap[below]!, sinking) <= 0) break
    heap[at] = heap[below]!
    at = below
  }
  heap[at] = sinking
}
