/** One table: rows by key, and for each declared field an index from value to keys. */
import type { Row } from '@skerry/contract'

export interface TableSpec {
  /** Fields to index. A list-valued field is indexed by each of its elements, an absent or null one under null. */
  indexes: readonly string[]
  /** Indexes of what follows from a row, by name; undefined is in none. It must follow from the row alone. */
  derived?: Readonly<Record<string, (row: Readonly<Row>) => string | undefined>>
}

/** A row as it stood after one commit. Never changed: every write makes a new entry, so a held one is a snapshot. */
export interface Entry {
  readonly row: Readonly<Row>
  /** seq of the last put or set; counters (`add`) leave it. */
  readonly version: number
}

/** Most values of most indexes have one key (names, addresses): a bare string then, a set only from two on. */
type Bucket = string | Set<string>

const NONE: readonly string[] = []

export class Index {
  private readonly buckets = new Map<unknown, Bucket>()

  keys(value: unknown): Iterable<string> {
    const bucket = this.buckets.get(value ?? null)
    return bucket === undefined ? NONE : typeof bucket === 'string' ? [bucket] : bucket
  }

  values(): Iterable<unknown> {
    return this.buckets.keys()
  }

  count(value: unknown): number {
    const bucket = this.buckets.get(value ?? null)
    return bucket === undefined ? 0 : typeof bucket === 'string' ? 1 : bucket.size
  }

  add(value: unknown, key: string): void {
    if (Array.isArray(value)) for (const element of value) this.addOne(element, key)
    else this.addOne(value ?? null, key)
  }

  remove(value: unknown, key: string): void {
    if (Array.isArray(value)) for (const element of value) this.removeOne(element, key)
    else this.removeOne(value ?? null, key)
  }

  private addOne(value: unknown, key: string): void {
    const bucket = this.buckets.get(value)
    if (bucket === undefined) this.buckets.set(value, key)
    else if (typeof bucket !== 'string') bucket.add(key)
    else if (bucket !== key) this.buckets.set(value, new Set([bucket, key]))
  }

  private removeOne(value: unknown, key: string): void {
    const bucket = this.buckets.get(value)
    if (bucket === undefined) return
    if (typeof bucket === 'string') {
      if (bucket === key) this.buckets.delete(value)
      return
    }
    bucket.delete(key)
    if (bucket.size === 0) this.buckets.delete(value)
  }
}

/** Two values of an indexed field that fall into the same buckets. Lists are compared by identity: a new list is re-indexed. */
const sameBuckets = (a: unknown, b: unknown): boolean => a === b || (a ?? null) === (b ?? null)

export class Table {
  readonly entries = new Map<string, Entry>()
  readonly indexes = new Map<string, Index>()
  /** Whether `entries` come in order of `createDate`, as they do unless a clock was set back. */
  inOrder = true
  private newest = Number.NEGATIVE_INFINITY
  private readonly indexList: [string, Index][] = []
  private readonly derivedList: [(row: Readonly<Row>) => string | undefined, Index][] = []
  private readonly spec: TableSpec

  constructor(spec: TableSpec) {
    this.spec = spec
    for (const field of spec.indexes) {
      if (this.indexes.has(field)) continue
      const index = new Index()
      this.indexes.set(field, index)
      this.indexList.push([field, index])
    }
    for (const [name, of] of Object.entries(spec.derived ?? {})) {
      const index = new Index()
      this.indexes.set(name, index)
      this.derivedList.push([of, index])
    }
  }

  write(key: string, entry: Entry): void {
    const old = this.entries.get(key)
    this.entries.set(key, entry)
    this.watchOrder(old, entry)
    for (const [field, index] of this.indexList) {
      const now = entry.row[field]
      if (old === undefined) index.add(now, key)
      else if (!sameBuckets(old.row[field], now)) {
        index.remove(old.row[field], key)
        index.add(now, key)
      }
    }
    for (const [of, index] of this.derivedList) {
      const [was, now] = [old && of(old.row), of(entry.row)]
      if (was === now) continue
      if (was !== undefined) index.remove(was, key)
      if (now !== undefined) index.add(now, key)
    }
  }

  /** Puts a row into another index of the same kind as the table's own of this name. */
  addTo(index: Index, name: string, key: string, row: Readonly<Row>): void {
    const of = this.spec.derived?.[name]
    const value = of ? of(row) : row[name]
    if (of === undefined || value !== undefined) index.add(value, key)
  }

  private watchOrder(old: Entry | undefined, { row }: Entry): void {
    const created = row['createDate']
    if (old !== undefined) {
      if (old.row['createDate'] !== created) this.inOrder = false
    } else if (typeof created === 'number' && created >= this.newest) this.newest = created
    else this.inOrder = false
  }

  delete(key: string): void {
    const old = this.entries.get(key)
    if (old === undefined) return
    this.entries.delete(key)
    for (const [field, index] of this.indexList) index.remove(old.row[field], key)
    for (const [of, index] of this.derivedList) {
      const was = of(old.row)
      if (was !== undefined) index.remove(was, key)
    }
  }
}
