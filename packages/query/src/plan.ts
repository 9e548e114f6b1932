/**
 * Which way into the table is the narrowest, and how the other conditions are tested on what comes out of it. Equality,
 * in-lists and null tests go through indexes, alternatives through the union of theirs; a chain of relations is resolved from its far
 * end when that is the smaller side. A scan remains only when nothing fits.
 */
import { type Condition, type Expression, fieldHolds, isCondition } from './condition.ts'
import { type Explain, fieldOf, type PlanNode, textOf } from './explain.ts'
import { farEstimate, ownAccess, reach, union } from './reach.ts'
import type { QueryTarget } from './target.ts'
import type { View } from './view.ts'
import { type At, walk } from './walk.ts'

/** Tests one candidate. */
export type Filter = ((at: At) => boolean) | { walk: (at: At) => Generator<void, boolean> }

export interface Plan {
  keys: () => Iterable<string>
  filters: Filter[]
  explain: Explain
}

/** A way into the asked table: keys among which all are that satisfy an expression. */
interface Way {
  access: Explain['access']
  expression?: Expression
  /** Upper bound of the number of keys. */
  estimate: number
  keys: () => Iterable<string>
  node: PlanNode
}

interface Planning {
  view: View
  explain: Explain
}

/** Plans a query on the graph as it stands. Yields between slices of work, because a far end may have to be scanned. */
export function* planQuery(
  view: View,
  { target, conditions, page }: { target: QueryTarget; conditions: readonly Expression[]; page?: number | undefined },
): Generator<void, Plan> {
  const { table } = target
  const plan: PlanNode = { step: 'query', of: table, children: [] }
  const explain: Explain = { access: 'scan', examined: 0, looked: view.looked, filters: [], scans: {}, plan }
  const planning = { view, explain }
  const size = view.graph.count(table)
  const narrow = (yield* narrowest(planning, conditions, size, Number.POSITIVE_INFINITY)) ?? scan(view, table)
  const way = conditions.length === 1 && inOrderIsLess(view, narrow, { size, page }) ? inOrder(view, narrow) : narrow
  explain.access = way.access
  if (way.expression) explain.condition = textOf(way.expression)
  if (way.access === 'scan') explain.scans[table] = size
  plan.children!.push(way.node)
  const filters: Filter[] = []
  for (const expression of conditions) {
    if (expression === way.expression && isCondition(expression)) {
      // Tested again where that is cheap: between two slices a row may have left its index.
      if (expression.steps.length === 0) filters.push(ownTest(expression))
      continue
    }
    const { filter, node } = yield* makeFilter(planning, expression, way.estimate)
    filters.push(filter)
    plan.children!.push(node)
  }
  // Tests of the row alone come first: they cost nothing beside a walk.
  filters.sort((a, b) => Number(typeof a !== 'function') - Number(typeof b !== 'function'))
  return { keys: way.keys, filters, explain }
}

const scan = ({ graph }: View, table: string): Way => ({
  access: 'scan',
  estimate: graph.count(table),
  keys: () => allKeys(graph, table),
  node: { step: 'scan', of: table, estimate: graph.count(table) },
})

/** Of a table most of whose rows an index gives, a page is full long before the index is through. */
function inOrderIsLess({ graph }: View, way: Way, { size, page }: { size: number; page: number | undefined }): boolean {
  const { access, expression, estimate } = way
  if (page === undefined || access !== 'index' || !expression || !isCondition(expression)) return false
  // Rows that match may all stand at the end: then no more than four times as many are looked at as the index has.
  return estimate * 4 >= size && page * 4 < estimate && graph.inOrder(expression.target.table)
}

const inOrder = ({ graph }: View, { expression, estimate, node }: Way): Way => ({
  access: 'order',
  ...(expression ? { expression } : {}),
  estimate,
  keys: () => allKeys(graph, (expression as Condition).target.table),
  node: { ...node, step: 'order', of: (expression as Condition).target.table },
})

function* allKeys(graph: View['graph'], table: string): Generator<string> {
  for (const [key] of graph.rows(table)) yield key
}

/**
 * The narrowest way that one of the parts gives, no wider than `size` keys (an index: `indexed`); indexes before chains of relations,
 * cheap ones first.
 */
function* narrowest(
  planning: Planning,
  parts: readonly Expression[],
  size: number,
  indexed = size,
): Generator<void, Way | undefined> {
  let best: Way | undefined
  const costs = parts.map((part) => ({
    part,
    cost: costOf(planning.view, part),
    far: isCondition(part) && part.steps.length > 0,
  }))
  for (const { part, cost, far } of costs.sort((a, b) => Number(a.far) - Number(b.far) || a.cost - b.cost)) {
    // An index is better than a scan of whatever size: it says so in explain, and stays right as the table grows.
    const limit = best ? best.estimate - 1 : far || !isCondition(part) ? size : indexed
    if (cost > limit) continue
    const way = yield* wayIn(planning, part, limit)
    if (way && way.estimate <= limit) best = way
  }
  return best
}

/** Rough work to find the keys that satisfy an expression; infinite where only a look at each row can tell. */
function costOf(view: View, expression: Expression): number {
  if ('any' in expression) return expression.any.reduce((sum, part) => sum + costOf(view, part), 0)
  if ('all' in expression) return Math.min(...expression.all.map((part) => costOf(view, part)))
  if (expression.noneAt !== undefined) return Number.POSITIVE_INFINITY
  if (expression.steps.length > 0) return farEstimate(view.graph, expression)
  return ownAccess(view.graph, expression)?.estimate ?? Number.POSITIVE_INFINITY
}

function* wayIn(planning: Planning, expression: Expression, limit: number): Generator<void, Way | undefined> {
  if ('all' in expression) return yield* narrowest(planning, expression.all, limit)
  if ('any' in expression) return yield* unionOf(planning, expression, limit)
  const { graph } = planning.view
  const condition = expression.text
  if (expression.steps.length === 0) {
    const access = ownAccess(graph, expression)
    if (!access) return undefined
    const of = access.by === 'key' ? expression.target.table : fieldOf(expression)
    const node: PlanNode = { step: access.by, of, condition, estimate: access.estimate }
    return { access: access.by, expression, estimate: access.estimate, keys: access.keys, node }
  }
  const reached = yield* reach(planning.view, expression, limit)
  if (!reached) return undefined
  for (const [name, size] of reached.scans) planning.explain.scans[name] = size
  const node: PlanNode = { step: 'relation', of: fieldOf(expression), condition, estimate: reached.keys.size }
  return { access: 'relation', expression, estimate: reached.keys.size, keys: () => reached.keys, node }
}

/** A way into each of the alternatives, or none. */
function* unionOf(
  planning: Planning,
  expression: { any: readonly Expression[] },
  limit: number,
): Generator<void, Way | undefined> {
  const ways: Way[] = []
  let estimate = 0
  for (const part of expression.any) {
    const way = yield* wayIn(planning, part, limit - estimate)
    if (!way || (estimate += way.estimate) > limit) return undefined
    ways.push(way)
  }
  const node: PlanNode = { step: 'union', condition: textOf(expression), estimate, children: ways.map((way) => way.node) }
  return { access: 'union', expression, estimate, keys: () => union(ways.map((way) => way.keys())), node }
}

/** Below this much work a set from the far end is made without asking whether walking would be cheaper. */
const CHEAP = 64

const ownTest =
  (condition: Condition): Filter =>
  ({ row }) =>
    fieldHolds(condition, row[condition.field]) !== (condition.noneAt === 0)

function* makeFilter(
  planning: Planning,
  expression: Expression,
  candidates: number,
): Generator<void, { filter: Filter; node: PlanNode }> {
  if (isCondition(expression)) return yield* conditionFilter(planning, expression, candidates)
  const all = 'all' in expression
  const made: { filter: Filter; node: PlanNode }[] = []
  for (const part of all ? expression.all : expression.any) made.push(yield* makeFilter(planning, part, candidates))
  const node: PlanNode = { step: all ? 'and' : 'or', children: made.map((one) => one.node) }
  return {
    filter: joined(
      made.map((one) => one.filter),
      all,
    ),
    node,
  }
}

/** Whether all filters hold, or some. */
function joined(filters: readonly Filter[], all: boolean): Filter {
  const plain = filters.filter((filter) => typeof filter === 'function')
  if (plain.length === filters.length) return all ? (at) => plain.every((f) => f(at)) : (at) => plain.some((f) => f(at))
  return {
    *walk(at) {
      for (const filter of filters) if ((typeof filter === 'function' ? filter(at) : yield* filter.walk(at)) !== all) return !all
      return all
    },
  }
}

/** Against a set from the far end where that is small beside the candidates; else by walking the relations of each candidate, if they are indexed. */
function* conditionFilter(
  { view, explain }: Planning,
  condition: Condition,
  candidates: number,
): Generator<void, { filter: Filter; node: PlanNode }> {
  const { steps, noneAt, text } = condition
  const as = (by: 'row' | 'set'): PlanNode => {
    explain.filters.push({ condition: text, by })
    return { step: 'test', of: fieldOf(condition), condition: text, by }
  }
  if (steps.length === 0) return { filter: ownTest(condition), node: as('row') }
  const walkable = steps.every(
    ({ relation, to }) => 'field' in relation.via || view.graph.hasIndex(to.table, relation.via.reverse),
  )
  const budget = walkable ? Math.max(CHEAP, candidates) : Number.POSITIVE_INFINITY
  // What none of many rows may have can't be told from the rows that do, but for the asked ones themselves.
  const fromFar = !noneAt && farEstimate(view.graph, condition) <= budget
  const reached = fromFar ? yield* reach(view, condition, budget) : undefined
  if (!reached) return { filter: { walk: (at) => walk(view, condition, at) }, node: as('row') }
  for (const [name, size] of reached.scans) explain.scans[name] = size
  return { filter: ({ key }) => reached.keys.has(key) !== (noneAt === 0), node: as('set') }
}
