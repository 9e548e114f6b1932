/** From a row along relations, one row after another. May visit many, and yields at each. */
import type { Row } from '@skerry/contract'
import { type Condition, fieldHolds } from './condition.ts'
import { elements } from './reach.ts'
import type { FieldPath, Step } from './target.ts'
import { look, type View } from './view.ts'

/** A row and its key in its table. */
export interface At {
  key: string
  row: Readonly<Row>
}

/** Rows that were found not to satisfy a condition, by how many of its steps lie before them. */
type Failed = Set<string>[]

/**
 * Whether the row satisfies the condition. Each row is looked at once a step, however many ways lead to it: a chain that goes to and fro
 * (`hosts.zone.hosts.zone…`) would else take time exponential in its length.
 */
export function walk(view: View, condition: Condition, at: At): Generator<void, boolean> {
  return from(view, { condition, failed: condition.steps.map(() => new Set()) }, 0, at)
}

/** From this depth of the steps on. */
function* from(view: View, asked: { condition: Condition; failed: Failed }, depth: number, at: At): Generator<void, boolean> {
  const found = yield* someBehind(view, asked, depth, at)
  return asked.condition.noneAt === depth ? !found : found
}

/** Whether some row at the far end of the steps from here satisfies the condition. */
function* someBehind(
  view: View,
  asked: { condition: Condition; failed: Failed },
  depth: number,
  at: At,
): Generator<void, boolean> {
  const { condition } = asked
  const step = condition.steps[depth]
  if (!step) return fieldHolds(condition, at.row[condition.field])
  const failed = asked.failed[depth]!
  for (const key of next(view, step, at)) {
    yield
    if (failed.has(key)) continue
    const row = look(view, step.to, key)
    if (row && (yield* from(view, asked, depth + 1, { key, row }))) return true
    failed.add(key)
  }
  return false
}

/** What stands at a path: no value, one, or several. Nulls are left out; a row that several ways lead to gives its values once. */
export function* valuesAt(view: View, path: FieldPath, at: At): Generator<void, unknown[]> {
  let rows: At[] = [at]
  for (const step of path.steps) {
    const far = new Map<string, At>()
    for (const near of rows) {
      for (const key of next(view, step, near)) {
        yield
        const row = far.has(key) ? undefined : look(view, step.to, key)
        if (row) far.set(key, { key, row })
      }
    }
    rows = [...far.values()]
  }
  return rows.flatMap(({ row }) => valuesOf(path, row[path.field])).filter((one) => one !== null && one !== undefined)
}

const valuesOf = ({ inner }: FieldPath, value: unknown): unknown[] =>
  Array.isArray(value) ? (inner === undefined ? value : value.map((one) => (one as Row | null)?.[inner])) : [value]

function next({ graph }: View, { relation, to }: Step, at: At): Iterable<string> {
  if ('field' in relation.via) return elements(at.row[relation.via.field])
  const { reverse } = relation.via
  return graph.hasIndex(to.table, reverse) ? graph.by(to.table, reverse, at.key) : pointing(graph, { to, reverse }, at.key)
}

/** Keys of the rows that point at this one, where no index says so. */
function* pointing(graph: View['graph'], { to, reverse }: { to: Step['to']; reverse: string }, key: string): Generator<string> {
  for (const [owner, row] of graph.rows(to.table)) if (elements(row[reverse]).includes(key)) yield owner
}
