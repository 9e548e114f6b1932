/**
 * The far end of a condition, and the way back from it: which keys of the asked table can satisfy it. Works over indexes
 * where there are any; a missing one costs a scan of that table, once. Work is counted, so that a plan can give up early.
 */
import type { Graph } from '@skerry/graph'
import { type Condition, fieldHolds } from './condition.ts'
import { keyField, type Step } from './target.ts'
import { look, sees, type View } from './view.ts'

/** Keys that an index (or the key itself) gives for a condition on a table's own field; undefined where none fits. */
export interface Access {
  by: 'key' | 'index'
  /** Upper bound of the number of keys. */
  estimate: number
  keys: () => Iterable<string>
}

export function ownAccess(graph: Graph, condition: Condition): Access | undefined {
  const { op, values, field, kind } = condition
  const { table } = condition.target
  if (condition.inner !== undefined || condition.noneAt !== undefined) return undefined
  if (op === '=' || op === '?=') return byValues(graph, condition, values)
  // An empty list is null to a query but in no bucket of its index.
  if (op === 'is null' && kind !== 'list' && graph.hasIndex(table, field)) {
    return { by: 'index', estimate: graph.countBy(table, field, null), keys: () => graph.by(table, field, null) }
  }
  return undefined
}

function byValues(graph: Graph, { target, field, kind }: Condition, values: Condition['values']): Access | undefined {
  const { table } = target
  if (field === keyField(target) && kind === 'string') {
    const keys = [...new Set(values as string[])]
    return { by: 'key', estimate: keys.length, keys: () => keys.filter((key) => graph.get(table, key) !== undefined) }
  }
  if (!graph.hasIndex(table, field)) return undefined
  const distinct = [...new Set(values)]
  const estimate = distinct.reduce<number>((sum, value) => sum + graph.countBy(table, field, value), 0)
  return { by: 'index', estimate, keys: () => union(distinct.map((value) => graph.by(table, field, value))) }
}

export function union(parts: Iterable<string>[]): Iterable<string> {
  if (parts.length === 1) return parts[0]!
  const all = new Set<string>()
  for (const part of parts) for (const key of part) all.add(key)
  return all
}

/** Rows that had to be looked at without an index, by table. */
export type Scans = Map<string, number>

/** Rough work to find the far end of a condition: how many rows have to be looked at. */
export function farEstimate(graph: Graph, condition: Condition): number {
  let work = farAccess(graph, condition)?.estimate ?? graph.count(condition.target.table)
  for (const { from, relation } of condition.steps) {
    if ('field' in relation.via && !graph.hasIndex(from.table, relation.via.field)) work += graph.count(from.table)
  }
  return work
}

/** That the near row must have none of them doesn't matter at the far end. */
const farAccess = (graph: Graph, { noneAt: _, ...condition }: Condition): Access | undefined => ownAccess(graph, condition)

export interface Reached {
  keys: Set<string>
  scans: Scans
}

/** Keys of the asked table that satisfy a condition behind relations; undefined when that takes more work than `budget`. Yields between slices of work. */
export function* reach(view: View, condition: Condition, budget: number): Generator<void, Reached | undefined> {
  const scans: Scans = new Map()
  const meter = { left: budget }
  let keys = yield* farKeys(view, condition, meter, scans)
  for (const step of [...condition.steps].reverse()) {
    if (!keys) return undefined
    keys = yield* back(view, step, keys, { meter, scans })
  }
  return keys && { keys, scans }
}

interface Meter {
  left: number
}

function* farKeys(view: View, condition: Condition, meter: Meter, scans: Scans): Generator<void, Set<string> | undefined> {
  const { graph } = view
  const { table } = condition.target
  const access = farAccess(graph, condition)
  const keys = new Set<string>()
  if (access) {
    meter.left -= access.estimate
    if (meter.left < 0) return undefined
    for (const key of access.keys()) if (look(view, condition.target, key)) keys.add(key)
    return keys
  }
  meter.left -= graph.count(table)
  if (meter.left < 0) return undefined
  scans.set(table, graph.count(table))
  for (const [key, row] of graph.rows(table)) {
    if (sees(view, condition.target, key, row) && fieldHolds(condition, row[condition.field])) keys.add(key)
    yield
  }
  return keys
}

/** From the keys at a relation's far side to those at its near side. */
function* back(
  view: View,
  step: Step,
  far: Set<string>,
  cost: { meter: Meter; scans: Scans },
): Generator<void, Set<string> | undefined> {
  const { graph } = view
  const { from, relation, to } = step
  const near = new Set<string>()
  if ('reverse' in relation.via) {
    for (const key of far) {
      if (--cost.meter.left < 0) return undefined
      for (const owner of elements(graph.get(to.table, key)?.[relation.via.reverse]))
        if (!near.has(owner) && look(view, from, owner)) near.add(owner)
      yield
    }
    return near
  }
  const { field } = relation.via
  if (graph.hasIndex(from.table, field)) {
    for (const key of far) {
      cost.meter.left -= 1 + graph.countBy(from.table, field, key)
      if (cost.meter.left < 0) return undefined
      for (const owner of graph.by(from.table, field, key)) if (look(view, from, owner)) near.add(owner)
      yield
    }
    return near
  }
  cost.meter.left -= graph.count(from.table)
  if (cost.meter.left < 0) return undefined
  cost.scans.set(from.table, graph.count(from.table))
  for (const [key, row] of graph.rows(from.table)) {
    if (sees(view, from, key, row) && elements(row[field]).some((value) => far.has(value))) near.add(key)
    yield
  }
  return near
}

/** The keys that a reference field holds: one, a list, or none. */
export function elements(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return Array.isArray(value) ? value.filter((element) => typeof element === 'string') : []
}
