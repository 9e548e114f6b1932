/** Stable order of answers, and the best of many without sorting all of them. */
import type { Row } from '@skerry/contract'

export interface Found {
  key: string
  row: Readonly<Row>
}
export type Order = (a: Found, b: Found) => number

/** Null first, as MySQL sorts; then by value. */
function compareValues(a: unknown, b: unknown): number {
  const left = a ?? null
  const right = b ?? null
  if (left === right) return 0
  if (left === null) return -1
  if (right === null) return 1
  return (left as string) < (right as string) ? -1 : (left as string) > (right as string) ? 1 : 0
}

/** By the field asked for, then createDate, then key: the same page twice is the same page. */
export function orderBy(sort: { field: string; descending: boolean } | undefined): Order {
  const stable: Order = (a, b) =>
    compareValues(a.row.createDate, b.row.createDate) || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)
  if (!sort) return stable
  const sign = sort.descending ? -1 : 1
  return (a, b) => sign * compareValues(a.row[sort.field], b.row[sort.field]) || stable(a, b)
}

/** Keeps the first `size` of all that it is shown, in `order`. O(n log size), memory O(size). */
export class First {
  private kept: Found[] = []
  private worst: Found | undefined
  private readonly size: number
  private readonly order: Order

  constructor(size: number, order: Order) {
    this.size = size
    this.order = order
  }

  add(found: Found): void {
    if (this.size === 0 || (this.worst && this.order(found, this.worst) >= 0)) return
    this.kept.push(found)
    if (this.kept.length < this.size * 2 + 64) return
    this.cut()
    this.worst = this.kept.at(-1)
  }

  result(): Found[] {
    this.cut()
    return this.kept
  }

  private cut(): void {
    this.kept.sort(this.order)
    if (this.kept.length > this.size) this.kept.length = this.size
  }
}
