/** Rows that are alike in some fields, taken together: counted, summed, or one of them picked. */
import type { Row } from '@skerry/contract'
import { compareValues, type Found, type Order, type SortKey } from '../order.ts'
import { sorted } from '../sort.ts'
import type { Aggregate } from './resolve.ts'

export interface Group {
  /** The first of them in the order asked for. */
  first: Found
  count: number
  /** By field: sum, and of how many values. */
  sums: Record<string, { sum: number; values: number }>
  /** By field. */
  most: Record<string, unknown>
  least: Record<string, unknown>
}

/** Collects groups by the values of `by` (none: one group of all) and sums up `fields`. */
export class Groups {
  private readonly groups = new Map<string, Group>()
  private readonly by: readonly string[]
  private readonly fields: readonly string[]
  private readonly order: Order

  constructor(by: readonly string[], fields: readonly string[], order: Order) {
    this.by = by
    this.fields = fields
    this.order = order
  }

  add(found: Found): void {
    const id = JSON.stringify(this.by.map((field) => found.row[field] ?? null))
    let group = this.groups.get(id)
    if (group === undefined) this.groups.set(id, (group = { first: found, count: 0, sums: {}, most: {}, least: {} }))
    group.count++
    if (this.order(found, group.first) < 0) group.first = found
    for (const field of this.fields) {
      const value = found.row[field]
      if (value === null || value === undefined) continue
      const sum = (group.sums[field] ??= { sum: 0, values: 0 })
      sum.values++
      if (typeof value === 'number') sum.sum += value
      if (sum.values === 1 || compareValues(value, group.most[field]) > 0) group.most[field] = value
      if (sum.values === 1 || compareValues(value, group.least[field]) < 0) group.least[field] = value
    }
  }

  size(): number {
    return this.groups.size
  }

  /** In order, step by step: by what `sortValue` says of a sort field, else by their first rows. */
  sorted(sort: readonly SortKey[], sortValue: (group: Group, field: string) => unknown): Generator<void, Group[]> {
    return sorted([...this.groups.values()], (a, b) => {
      for (const { field, descending } of sort) {
        const order = compareValues(sortValue(a, field), sortValue(b, field))
        if (order !== 0) return descending ? -order : order
      }
      return this.order(a.first, b.first)
    })
  }
}

/** Null where no row of the group has a value, as in SQL. */
export function aggregated(group: Group, of: Aggregate | 'sum', field: string): unknown {
  const sum = group.sums[field]
  if (sum === undefined) return null
  if (of === 'max') return group.most[field]
  if (of === 'min') return group.least[field]
  return of === 'sum' ? sum.sum : sum.sum / sum.values
}

/** Only these fields of a row, those that it has. */
export function picked(row: Readonly<Row>, fields: readonly string[]): Row {
  const has = fields.filter((field) => row[field] !== undefined && row[field] !== null)
  return Object.fromEntries(has.map((field) => [field, row[field]]))
}
