/**
 * A graph as it would be after some operations, without making them: for plans and dry runs. Reads see the draft, the base stays
 * untouched. Meant for a handful of changed rows; it must not be held across a commit to the base.
 */
import type { Op, Row } from '@skerry/contract'
import type { Graph } from './graph.ts'

/** What projections and deciding steps read of a graph. */
export type ReadableGraph = Pick<
  Graph,
  'seq' | 'incarnation' | 'epoch' | 'get' | 'version' | 'by' | 'countBy' | 'hasIndex' | 'rows' | 'count' | 'tableNames'
>

/** null: deleted in the draft. */
type Changed = Map<string, Readonly<Row> | null>

export class DraftGraph implements ReadableGraph {
  readonly #base: ReadableGraph
  readonly #tables = new Map<string, Changed>()

  constructor(base: ReadableGraph) {
    this.#base = base
  }

  get seq(): number {
    return this.#base.seq
  }
  get incarnation(): number {
    return this.#base.incarnation
  }
  get epoch(): number {
    return this.#base.epoch
  }

  /** Applies operations to the draft. Guards are not tested: a plan says what would be tried. */
  apply(ops: readonly Op[]): void {
    for (const op of ops) {
      const before = this.get(op.t, op.k)
      if (op.o === 'del') this.#changed(op.t).set(op.k, null)
      else if (op.o === 'put') this.#changed(op.t).set(op.k, op.v)
      else if (op.o === 'set') this.#changed(op.t).set(op.k, { ...before, ...op.v })
      else this.#changed(op.t).set(op.k, { ...before, [op.field]: Number(before?.[op.field] ?? 0) + op.delta })
    }
  }

  get(t: string, k: string): Readonly<Row> | undefined {
    const changed = this.#tables.get(t)
    return changed?.has(k) ? (changed.get(k) ?? undefined) : this.#base.get(t, k)
  }

  /** Of the base; a row that is new in the draft has the version that the next commit would give it. */
  version(t: string, k: string): number | undefined {
    const changed = this.#tables.get(t)?.get(k)
    return changed === null ? undefined : changed ? this.seq + 1 : this.#base.version(t, k)
  }

  *by(t: string, field: string, value: unknown): Generator<string> {
    const changed = this.#tables.get(t)
    for (const key of this.#base.by(t, field, value)) if (!changed?.has(key)) yield key
    for (const [key, row] of changed ?? []) if (row && holds(row[field], value)) yield key
  }

  countBy(t: string, field: string, value: unknown): number {
    return this.#tables.has(t) ? [...this.by(t, field, value)].length : this.#base.countBy(t, field, value)
  }

  hasIndex(t: string, field: string): boolean {
    return this.#base.hasIndex(t, field)
  }

  *rows(t: string): IterableIterator<[string, Readonly<Row>]> {
    const changed = this.#tables.get(t)
    for (const entry of this.#base.rows(t)) if (!changed?.has(entry[0])) yield entry
    for (const [key, row] of changed ?? []) if (row) yield [key, row]
  }

  count(t: string): number {
    return this.#tables.has(t) ? [...this.rows(t)].length : this.#base.count(t)
  }

  tableNames(): string[] {
    return [...new Set([...this.#base.tableNames(), ...this.#tables.keys()])]
  }

  #changed(t: string): Changed {
    let changed = this.#tables.get(t)
    if (!changed) this.#tables.set(t, (changed = new Map()))
    return changed
  }
}

/** As an index finds it: null also finds a row without the field, a list is found by each of its elements. */
function holds(field: unknown, value: unknown): boolean {
  if (Array.isArray(field)) return field.includes(value)
  return (field ?? null) === (value ?? null)
}
