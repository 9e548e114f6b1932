/**
 * The graph as it stood at one seq, while commits go on. Nothing is copied when it is taken (a million references alone
 * would stall the event loop for 10 ms and more): a write hands the view the entry it is about to replace.
 */
import type { Entry, Table } from './table.ts'

export interface GraphView {
  readonly seq: number
  /** Every row as of `seq`, possibly in slices with commits between. A row may come twice, with the same content. */
  entries(): Generator<[table: string, key: string, entry: Entry]>
  /** Must be called when done, else every later write keeps feeding the view. */
  close(): void
}

export class CopyOnWriteView implements GraphView {
  readonly seq: number
  private readonly tables: [string, Table][]
  private readonly before = new Map<string, Map<string, Entry | undefined>>()
  private readonly release: (view: CopyOnWriteView) => void

  constructor(seq: number, tables: Iterable<[string, Table]>, release: (view: CopyOnWriteView) => void) {
    this.seq = seq
    this.tables = [...tables]
    this.release = release
  }

  /** Called by the graph before the first change of a row since the view was taken, and harmlessly before later ones. */
  keep(table: string, key: string, entry: Entry | undefined): void {
    let kept = this.before.get(table)
    if (kept === undefined) this.before.set(table, (kept = new Map()))
    if (!kept.has(key)) kept.set(key, entry)
  }

  *entries(): Generator<[string, string, Entry]> {
    for (const [name, table] of this.tables) {
      // A Map iterator survives changes: deleted rows are skipped, new ones come at the end, and both are in `before`.
      // Changed rows are given in their place, so that a table that was in order is in order when it is loaded again.
      const given = new Set<string>()
      for (const [key, entry] of table.entries) {
        const kept = this.before.get(name)
        if (!kept?.has(key)) yield [name, key, entry]
        else {
          const was = kept.get(key)
          given.add(key)
          if (was !== undefined) yield [name, key, was]
        }
      }
      for (const [key, entry] of this.before.get(name) ?? []) if (entry !== undefined && !given.has(key)) yield [name, key, entry]
    }
  }

  close(): void {
    this.before.clear()
    this.release(this)
  }
}
