/**
 * Which way into the table is the narrowest, and how the other conditions are tested on what comes out of it. Equality,
 * in-lists and null tests go through indexes; a chain of relations is resolved from its far end when that is the smaller
 * side. A scan remains only when nothing fits.
 */
import type { Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { type Condition, fieldHolds } from './condition.ts'
import type { Query } from './parse.ts'
import { type Access, elements, farEstimate, ownAccess, reach } from './reach.ts'
import type { Step } from './target.ts'

export interface Explain {
  /** How the asked table was entered. */
  access: 'key' | 'index' | 'relation' | 'scan'
  /** The condition that gave the way in. */
  condition?: string
  /** Rows of the asked table that were looked at. */
  examined: number
  /** The other conditions, and whether each was tested row by row or against a set made once from its far end. */
  filters: { condition: string; by: 'row' | 'set' }[]
  /** Whole tables that had to be read, with their sizes. */
  scans: Record<string, number>
}

/** Tests one candidate. A walk along relations may visit many rows, and yields at each. */
export type Filter =
  | ((key: string, row: Readonly<Row>) => boolean)
  | { walk: (key: string, row: Readonly<Row>) => Generator<void, boolean> }

export interface Plan {
  keys: () => Iterable<string>
  filters: Filter[]
  explain: Explain
}

interface Entry {
  access: Explain['access']
  condition?: Condition
  estimate: number
  keys: () => Iterable<string>
}

/** Plans a query on the graph as it stands. Yields between slices of work, because a far end may have to be scanned. */
export function* planQuery(graph: Graph, query: Query): Generator<void, Plan> {
  const explain: Explain = { access: 'scan', examined: 0, filters: [], scans: {} }
  const entry = yield* chooseEntry(graph, query, explain)
  explain.access = entry.access
  if (entry.condition) explain.condition = entry.condition.text
  if (entry.access === 'scan') explain.scans[query.target.table] = graph.count(query.target.table)
  const filters: Filter[] = []
  for (const condition of query.conditions) {
    if (condition === entry.condition) {
      // Tested again where that is cheap: between two slices a row may have left its index.
      if (condition.steps.length === 0) filters.push((_key, row) => fieldHolds(condition, row[condition.field]))
      continue
    }
    const { filter, by } = yield* makeFilter(graph, condition, entry.estimate, explain)
    filters.push(filter)
    explain.filters.push({ condition: condition.text, by })
  }
  return { keys: entry.keys, filters, explain }
}

function* chooseEntry(graph: Graph, query: Query, explain: Explain): Generator<void, Entry> {
  const { table } = query.target
  let best: Entry = { access: 'scan', estimate: graph.count(table), keys: () => allKeys(graph, table) }
  for (const condition of query.conditions) {
    if (condition.steps.length > 0) continue
    const access: Access | undefined = ownAccess(graph, condition)
    // On a tie an index is still better than a scan: it says so in explain, and stays right as the table grows.
    if (access && (access.estimate < best.estimate || best.access === 'scan'))
      best = { access: access.by, condition, estimate: access.estimate, keys: access.keys }
  }
  const chains = query.conditions
    .filter((condition) => condition.steps.length > 0)
    .map((condition) => ({ condition, far: farEstimate(graph, condition) }))
  for (const { condition, far } of chains.sort((a, b) => a.far - b.far)) {
    if (far >= best.estimate && !(best.access === 'scan' && far <= best.estimate)) break
    const reached = yield* reach(graph, condition, best.estimate)
    if (!reached || (reached.keys.size >= best.estimate && best.access !== 'scan')) continue
    for (const [name, size] of reached.scans) explain.scans[name] = size
    best = { access: 'relation', condition, estimate: reached.keys.size, keys: () => reached.keys }
  }
  return best
}

function* allKeys(graph: Graph, table: string): Generator<string> {
  for (const [key] of graph.rows(table)) yield key
}

/** Below this much work a set from the far end is made without asking whether walking would be cheaper. */
const CHEAP = 64

/** Against a set from the far end where that is small beside the candidates; else by walking the relations of each candidate, if they are indexed. */
function* makeFilter(
  graph: Graph,
  condition: Condition,
  candidates: number,
  explain: Explain,
): Generator<void, { filter: Filter; by: 'row' | 'set' }> {
  const { steps } = condition
  if (steps.length === 0) return { filter: (_key, row) => fieldHolds(condition, row[condition.field]), by: 'row' }
  const walkable = steps.every(({ relation, to }) => 'field' in relation.via || graph.hasIndex(to.table, relation.via.reverse))
  const budget = walkable ? Math.max(CHEAP, candidates) : Number.POSITIVE_INFINITY
  const reached = farEstimate(graph, condition) <= budget ? yield* reach(graph, condition, budget) : undefined
  if (!reached) return { filter: { walk: (key, row) => walk(graph, condition, 0, { key, row }) }, by: 'row' }
  for (const [name, size] of reached.scans) explain.scans[name] = size
  return { filter: (key) => reached.keys.has(key), by: 'set' }
}

/** Whether some row at the far end of the steps from here satisfies the condition. */
function* walk(
  graph: Graph,
  condition: Condition,
  depth: number,
  at: { key: string; row: Readonly<Row> },
): Generator<void, boolean> {
  const step = condition.steps[depth]
  if (!step) return fieldHolds(condition, at.row[condition.field])
  for (const key of next(graph, step, at)) {
    yield
    const row = graph.get(step.to.table, key)
    if (row !== undefined && (yield* walk(graph, condition, depth + 1, { key, row }))) return true
  }
  return false
}

function next(graph: Graph, { relation, to }: Step, at: { key: string; row: Readonly<Row> }): Iterable<string> {
  return 'field' in relation.via ? elements(at.row[relation.via.field]) : graph.by(to.table, relation.via.reverse, at.key)
}
