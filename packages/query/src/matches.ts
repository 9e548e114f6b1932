/** The rows that satisfy a query's conditions, one after another: what answers, counts, groups and sums have in common. */
import { type Expression, isCondition, type Scalar, type Subquery, withValues } from './condition.ts'
import type { Explain, PlanNode } from './explain.ts'
import { byValues, type Ordered } from './in-order.ts'
import { type Filter, planQuery } from './plan.ts'
import type { QueryTarget } from './target.ts'
import { look, type View } from './view.ts'
import { type At, valuesAt } from './walk.ts'

export interface Asked {
  target: QueryTarget
  conditions: readonly Expression[]
  /** So many rows are enough, the first by createDate and key, in any order. All, unless said. */
  page?: number | undefined
  /** The same of a query that sorts. */
  ordered?: Ordered | undefined
}

/** Called for each row that matches. */
export type Visit = (at: At) => void

/**
 * Shows every matching row to `visit`. A page of a table in its own order needs no look at the rest: rows come by createDate then, as the
 * answer does. Those of the same instant as the last of the page are still looked at, because among them the key decides. Yields at each
 * row that is looked at.
 */
export function* eachMatch(view: View, asked: Asked, visit: Visit): Generator<void, Explain> {
  const { ordered: sorted } = asked
  const inOrder = sorted && asked.conditions.length === 0 && (yield* byValues(view, { ...asked, ordered: sorted }, visit))
  if (inOrder) return inOrder
  const nested: PlanNode[] = []
  const conditions: Expression[] = []
  for (const condition of asked.conditions) conditions.push(yield* answered(view, condition, nested))
  const { keys, filters, explain } = yield* planQuery(view, { ...asked, conditions })
  const { page } = asked
  const ordered = explain.access === 'scan' || explain.access === 'order'
  let found = 0
  let last: unknown
  for (const key of keys()) {
    yield
    const row = look(view, asked.target, key)
    if (row === undefined) continue
    const full = page !== undefined && ordered && found >= page && row['createDate'] !== last
    if (full && view.graph.inOrder(asked.target.table)) break
    explain.examined++
    if (!(yield* passes(filters, { key, row }))) continue
    found++
    last = row['createDate']
    visit({ key, row })
  }
  explain.plan.examined = explain.examined
  explain.plan.found = found
  explain.plan.children!.push(...nested)
  return explain
}

function* passes(filters: readonly Filter[], at: At): Generator<void, boolean> {
  for (const filter of filters) {
    if (typeof filter === 'function' ? !filter(at) : !(yield* filter.walk(at))) return false
  }
  return true
}

/** The expression with the values of its nested queries, which are asked once, before the table is entered. */
function* answered(view: View, expression: Expression, into: PlanNode[]): Generator<void, Expression> {
  if (isCondition(expression))
    return expression.subquery ? withValues(expression, yield* valuesOf(view, expression.subquery, into)) : expression
  const parts: Expression[] = []
  for (const part of 'all' in expression ? expression.all : expression.any) parts.push(yield* answered(view, part, into))
  return 'all' in expression ? { all: parts } : { any: parts }
}

function* valuesOf(view: View, { target, conditions, path }: Subquery, into: PlanNode[]): Generator<void, Scalar[]> {
  const rows: At[] = []
  const explain = yield* eachMatch(view, { target, conditions }, (at) => rows.push(at))
  into.push({ ...explain.plan, step: 'nested' })
  const values = new Set<unknown>()
  for (const at of rows) for (const value of yield* valuesAt(view, path, at)) values.add(value)
  return [...values] as Scalar[]
}
