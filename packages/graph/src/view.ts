/**
 * The graph as it stood at one seq, while commits go on. Nothing is copied when it is taken (a million references alone
 * would stall the event loop for 10 ms and more): a write hands the view the entry it is about to replace.
 */
import type { Row } from '@skerry/contract'
import type { Graph } from './graph.ts'
import { type Entry, Index, type Table } from './table.ts'

export interface GraphView {
  readonly seq: number
  /** Every row as of `seq`, possibly in slices with commits between. A row may come twice, with the same content. */
  entries(): Generator<[table: string, key: string, entry: Entry]>
  /** Must be called when done, else every later write keeps feeding the view. */
  close(): void
}

/** The graph as it stood when it was frozen. */
export interface Frozen {
  /**
   * To read from only. `get` and `version` are of then whenever they are asked; what `by` and `rows` give is, where it is taken without
   * commits between its elements; `countBy` may tell of a few more.
   */
  readonly graph: Graph
  /** Must be called when done, else every later write keeps feeding it. What is read afterwards is of any time. */
  close(): void
}

/** What stood in a table before it was written to, by key; undefined: there was no such row. */
class Kept {
  readonly entries = new Map<string, Entry | undefined>()
  /** Rows of the table then. */
  readonly size: number
  private readonly table: Table
  private readonly indexes = new Map<string, Index>()

  constructor(table: Table) {
    this.table = table
    this.size = table.entries.size
  }

  keep(key: string, entry: Entry | undefined): void {
    if (this.entries.has(key)) return
    this.entries.set(key, entry)
    if (entry) for (const [field, index] of this.indexes) this.table.addTo(index, field, key, entry.row)
  }

  /** Those among the kept rows that had the value; an index of them is made when it is first asked for. */
  by(field: string): Index {
    let index = this.indexes.get(field)
    if (index !== undefined) return index
    this.indexes.set(field, (index = new Index()))
    for (const [key, entry] of this.entries) if (entry) this.table.addTo(index, field, key, entry.row)
    return index
  }
}

export class CopyOnWriteView implements GraphView {
  readonly seq: number
  private readonly tables: [string, Table][]
  private readonly before = new Map<string, Kept>()
  private readonly release: (view: CopyOnWriteView) => void

  constructor(seq: number, tables: Iterable<[string, Table]>, release: (view: CopyOnWriteView) => void) {
    this.seq = seq
    this.tables = [...tables]
    this.release = release
  }

  /** Called by the graph before the first change of a row since the view was taken, and harmlessly before later ones. */
  keep(name: string, table: Table, key: string, entry: Entry | undefined): void {
    let kept = this.before.get(name)
    if (kept === undefined) this.before.set(name, (kept = new Kept(table)))
    kept.keep(key, entry)
  }

  *entries(): Generator<[string, string, Entry]> {
    for (const [name, table] of this.tables)
      for (const [key, entry] of this.entriesOf(name, table.entries)) yield [name, key, entry]
  }

  /** Of one table, of which `entries` are what it holds now. */
  private *entriesOf(name: string, entries: Iterable<[string, Entry]>): Generator<[string, Entry]> {
    // A Map iterator survives changes: deleted rows are skipped, new ones come at the end, and both are in `before`.
    // Changed rows are given in their place, so that a table that was in order is in order when it is loaded again.
    const given = new Set<string>()
    for (const [key, entry] of entries) {
      const kept = this.before.get(name)?.entries
      if (!kept?.has(key)) yield [key, entry]
      else {
        const was = kept.get(key)
        given.add(key)
        if (was !== undefined) yield [key, was]
      }
    }
    for (const [key, entry] of this.before.get(name)?.entries ?? [])
      if (entry !== undefined && !given.has(key)) yield [key, entry]
  }

  /** What reads the graph as it stood. */
  reader(graph: Graph, tableOf: (name: string) => Table | undefined): Graph {
    const kept = (t: string) => this.before.get(t)
    const entriesOf = (t: string) => this.entriesOf(t, tableOf(t)?.entries ?? [])
    const entryOf = (t: string, k: string): Entry | undefined => {
      const was = kept(t)?.entries
      return was?.has(k) ? was.get(k) : tableOf(t)?.entries.get(k)
    }
    const frozen: Graph = Object.create(graph)
    return Object.assign(frozen, {
      seq: graph.seq,
      incarnation: graph.incarnation,
      epoch: graph.epoch,
      get: (t: string, k: string) => entryOf(t, k)?.row,
      version: (t: string, k: string) => entryOf(t, k)?.version,
      by: (t: string, field: string, value: unknown) =>
        kept(t) === undefined ? graph.by(t, field, value) : keysThen(graph.by(t, field, value), kept(t)!, { field, value }),
      countBy: (t: string, field: string, value: unknown) =>
        graph.countBy(t, field, value) + (kept(t)?.by(field).count(value) ?? 0),
      values: () => undefined,
      // Rows that are gone by now come after all others.
      inOrder: (t: string) => kept(t) === undefined && graph.inOrder(t),
      *rows(t: string): IterableIterator<[string, Readonly<Row>]> {
        for (const [key, entry] of entriesOf(t)) yield [key, entry.row]
      },
      count: (t: string) => kept(t)?.size ?? graph.count(t),
    } satisfies Partial<Graph>)
  }

  close(): void {
    this.before.clear()
    this.release(this)
  }
}

/** Of the keys that have the value now, those that are as they were, and those that had it then. */
function* keysThen(now: Iterable<string>, kept: Kept, { field, value }: { field: string; value: unknown }): Generator<string> {
  for (const key of now) if (!kept.entries.has(key)) yield key
  yield* kept.by(field).keys(value)
}
