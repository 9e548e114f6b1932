/**
 * The resource graph in memory: the fold of the log. It tests guards and applies operations, and knows nothing of what a
 * row means; all domain logic is in those who make commits. Pure: no clock, no disk, no validation by schema.
 */
import type { Commit, Guard, Op, Row } from '@skerry/contract'
import { SkerryError } from '@skerry/contract'
import { checkGuard, checkOps, counterSums } from './check.ts'
import { type GuardFailure, guardError } from './guards.ts'
import { stateHash } from './hash.ts'
import { internRow, internString } from './intern.ts'
import { type Entry, Table, type TableSpec } from './table.ts'
import { CopyOnWriteView, type Frozen, type GraphView } from './view.ts'

/** A row before and after one operation; undefined: there was or is none. */
export interface RowChange {
  table: string
  key: string
  old: Readonly<Row> | undefined
  row: Readonly<Row> | undefined
}

export class Graph {
  /** The last applied commit. */
  seq = 0
  /** Which history this is; raised by a restore. */
  incarnation = 1
  /** Newest owner epoch seen. */
  epoch = 0
  private readonly tables = new Map<string, Table>()
  private readonly views = new Set<CopyOnWriteView>()
  /** by table */
  private readonly followers = new Map<string, ((change: RowChange) => void)[]>()

  /** Tables that a commit names and this doesn't are legal: they come into being without indexes. */
  constructor(tables: Record<string, TableSpec> = {}) {
    for (const [name, spec] of Object.entries(tables)) this.tables.set(name, new Table(spec))
  }

  /** The row, counters included. It never changes: a later write makes another object. */
  get(t: string, k: string): Readonly<Row> | undefined {
    return this.tables.get(t)?.entries.get(k)?.row
  }

  /** seq of the row's last put or set; undefined when there is no such row. */
  version(t: string, k: string): number | undefined {
    return this.tables.get(t)?.entries.get(k)?.version
  }

  /** Keys of the rows whose indexed field has (or whose list holds) the value; null finds rows without one. A live view: not to be held across an await. */
  by(t: string, field: string, value: unknown): Iterable<string> {
    return this.index(t, field).keys(value)
  }

  /** How many keys `by` would give, in O(1). */
  countBy(t: string, field: string, value: unknown): number {
    return this.index(t, field).count(value)
  }

  hasIndex(t: string, field: string): boolean {
    return this.tables.get(t)?.indexes.has(field) ?? false
  }

  /** The values of an indexed field, in no order, null among them where rows have none; undefined where no index has them. */
  values(t: string, field: string): Iterable<unknown> | undefined {
    return this.tables.get(t)?.indexes.get(field)?.values()
  }

  /** Whether `rows` gives the table in order of `createDate` (equal ones in any order). */
  inOrder(t: string): boolean {
    return this.tables.get(t)?.inOrder ?? true
  }

  *rows(t: string): IterableIterator<[string, Readonly<Row>]> {
    const table = this.tables.get(t)
    if (table) for (const [key, entry] of table.entries) yield [key, entry.row]
  }

  count(t: string): number {
    return this.tables.get(t)?.entries.size ?? 0
  }

  tableNames(): string[] {
    return [...this.tables.keys()]
  }

  /** Why a commit of these could not be applied now, or undefined. Changes nothing. */
  check(guards: readonly Guard[], ops: readonly Op[]): GuardFailure | undefined {
    const sums = counterSums(this, guards)
    for (const guard of guards) {
      const failure = checkGuard(this, guard, sums)
      if (failure) return failure
    }
    return checkOps(this, ops)
  }

  /** `check`, then apply, or change nothing and say why. Takes ownership of the rows in the operations. */
  tryApply(commit: Pick<Commit, 'guards' | 'ops'>, seq: number): GuardFailure | undefined {
    const failure = this.check(commit.guards, commit.ops)
    if (failure === undefined) this.fold(commit.ops, seq)
    return failure
  }

  /**
   * Applies a commit of the log, whose guards held when it was accepted. Takes ownership of its rows. Throws `log-corrupt`
   * before changing anything when an operation cannot be applied: such a commit was never accepted.
   */
  apply(commit: Pick<Commit, 'ops'>, seq: number): void {
    const { ops } = commit
    const failure = ops.some((op) => op.o !== 'put') ? checkOps(this, ops) : undefined
    if (failure) throw new SkerryError('log-corrupt', `cannot apply commit ${seq}`, { seq }, { cause: guardError(failure) })
    this.fold(ops, seq)
  }

  /** Puts a row back as a snapshot recorded it. */
  load(t: string, k: string, entry: { row: Row; version: number }): void {
    const key = internString(k)
    this.table(t).write(key, { row: internRow(entry.row, key), version: entry.version })
  }

  /**
   * Tells of each row of these tables that an operation changes, for what is kept up with the graph. The rest of its commit may not be
   * applied yet, so the listener notes, and looks later. It must not throw.
   */
  follow(tables: readonly string[], listener: (change: RowChange) => void): void {
    for (const table of tables) this.followers.set(table, [...(this.followers.get(table) ?? []), listener])
  }

  /** The graph as of now, readable while commits go on. */
  view(): GraphView {
    const view = new CopyOnWriteView(this.seq, this.tables, (closed) => this.views.delete(closed))
    this.views.add(view)
    return view
  }

  /** The same, to be asked as the graph itself is. */
  freeze(): Frozen {
    const view = new CopyOnWriteView(this.seq, this.tables, (closed) => this.views.delete(closed))
    this.views.add(view)
    return { graph: view.reader(this, (name) => this.tables.get(name)), close: () => view.close() }
  }

  /** Hash of all rows, versions and the seq; the same on every replica whatever the order of its maps. O(n). */
  hash(): string {
    return stateHash(this.seq, this.entries())
  }

  private *entries(): Generator<[string, string, Entry]> {
    for (const [name, table] of this.tables) for (const [key, entry] of table.entries) yield [name, key, entry]
  }

  private fold(ops: readonly Op[], seq: number): void {
    for (const op of ops) this.applyOp(op, seq)
    this.seq = seq
  }

  private applyOp(op: Op, seq: number): void {
    const table = this.table(op.t)
    const old = table.entries.get(op.k)
    if (this.views.size > 0) for (const view of this.views) view.keep(op.t, table, op.k, old)
    if (op.o === 'del') table.delete(op.k)
    else if (op.o === 'put') {
      const key = internString(op.k)
      table.write(key, { row: internRow(op.v, key), version: seq })
    } else if (op.o === 'set') table.write(op.k, { row: { ...old!.row, ...internRow(op.v, op.k) }, version: seq })
    else {
      const before = old!.row[op.field]
      const now = (typeof before === 'number' ? before : 0) + op.delta
      table.write(op.k, { row: { ...old!.row, [op.field]: now }, version: old!.version })
    }
    const listeners = this.followers.get(op.t)
    if (listeners === undefined) return
    const change = { table: op.t, key: op.k, old: old?.row, row: table.entries.get(op.k)?.row }
    for (const listener of listeners) listener(change)
  }

  private table(name: string): Table {
    let table = this.tables.get(name)
    if (table === undefined) this.tables.set(name, (table = new Table({ indexes: [] })))
    return table
  }

  private index(t: string, field: string) {
    const index = this.tables.get(t)?.indexes.get(field)
    if (index === undefined) throw new SkerryError('internal', `table ${t} has no index on ${field}`, { table: t, field })
    return index
  }
}
