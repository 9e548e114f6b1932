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

/**
 * Keeps the first `size` of all that it is shown, in `order`. Once there are so many they are a heap with the last of them on top, so that
 * each other one costs a comparison, and log `size` where it is kept.
 */
export class First {
  private readonly kept: Found[] = []
  private readonly size: number
  private readonly order: Order
  private heaped = false

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
    if (!this.heaped) {
      this.heaped = true
      for (let i = (size >> 1) - 1; i >= 0; i--) this.sink(i)
    }
    if (this.order(found, kept[0]!) >= 0) return
    kept[0] = found
    this.sink(0)
  }

  /** What was kept, in order. Yields between pieces of work. */
  result(): Generator<void, Found[]> {
    return sorted(this.kept, this.order)
  }

  /** Down to where nothing below comes after it. */
  private sink(from: number): void {
    const { kept, order } = this
    const sinking = kept[from]!
    let at = from
    for (;;) {
      let below = at * 2 + 1
      if (below >= kept.length) break
      if (below + 1 < kept.length && order(kept[below + 1]!, kept[below]!) > 0) below++
      if (order(kept[below]!, sinking) <= 0) break
      kept[at] = kept[below]!
      at = below
    }
    kept[at] = sinking
  }
}
