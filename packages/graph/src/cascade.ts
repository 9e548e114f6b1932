/**
 * What a deletion takes with it, computed from the edges alone. It only plans: the caller shows the plan (dryRun), runs a
 * workflow a row, or turns it into one commit.
 */
import type { Graph } from './graph.ts'

/**
 * Rows of `table` hang on a row of `parent`: their field `via` holds its key (or, with `list`, a list that holds it). With `named` it is
 * the other way round: field `via` of the parent holds the key of the one row that can't be without it.
 */
export interface CascadeEdge {
  table: string
  via: string
  parent: string
  onDelete: 'cascade' | 'restrict' | 'detach' | 'stop'
  list?: boolean
  named?: boolean
  /** with `named`: only where the parent's fields have these values */
  where?: Readonly<Record<string, string | number | null>>
}

export interface CascadeStep {
  table: string
  key: string
  /** `detach`: take the parent's key out of field `via`; `stop`: the row stays but must stop using the parent. */
  action: 'delete' | 'detach' | 'stop'
  /** For detach and stop: the field that points at the deleted parent. */
  via?: string
  /** The row whose deletion brings this one into the plan; the root has none. Of several the first that was met. */
  parent?: { table: string; key: string }
}

export interface CascadePlan {
  /** Children before parents, the root last. */
  order: CascadeStep[]
  /** Rows that forbid the deletion, with the edge's words. */
  refusals: { table: string; key: string; because: string }[]
}

interface Ref {
  table: string
  key: string
}

const id = (ref: Ref) => `${ref.table}\n${ref.key}`

/**
 * Plans the deletion of one row. A row that some cascade edge deletes anyway neither restricts nor is detached or stopped.
 * Cycles are tolerated: each row comes once.
 */
export function planCascade(edges: readonly CascadeEdge[], graph: Graph, root: Ref): CascadePlan {
  const plan: CascadePlan = { order: [], refusals: [] }
  if (graph.get(root.table, root.key) === undefined) return plan
  const doomed = collect(edges, graph, root)
  const said = new Set<string>()
  for (const { ref: parent, under } of leafFirst(edges, graph, root)) {
    for (const edge of edges) {
      if (edge.parent !== parent.table || edge.onDelete === 'cascade') continue
      for (const key of children(edge, graph, parent.key)) {
        if (doomed.has(id({ table: edge.table, key }))) continue
        const name = `${edge.table}\n${key}\n${edge.onDelete}\n${edge.via}\n${id(parent)}`
        if (said.has(name)) continue
        said.add(name)
        if (edge.onDelete === 'restrict')
          plan.refusals.push({ table: edge.table, key, because: `${edge.table}.${edge.via} is ${parent.table} ${parent.key}` })
        else plan.order.push({ table: edge.table, key, action: edge.onDelete, via: edge.via, parent })
      }
    }
    plan.order.push({ table: parent.table, key: parent.key, action: 'delete', ...(under ? { parent: under } : {}) })
  }
  return plan
}

/** Keys of the edge's rows that hang on this parent, in stable order. */
function children(edge: CascadeEdge, graph: Graph, parentKey: string): string[] {
  if (edge.named) {
    const parent = graph.get(edge.parent, parentKey)
    if (Object.entries(edge.where ?? {}).some(([field, is]) => (parent?.[field] ?? null) !== is)) return []
    const key = parent?.[edge.via]
    return typeof key === 'string' && graph.get(edge.table, key) ? [key] : []
  }
  if (graph.hasIndex(edge.table, edge.via)) return [...graph.by(edge.table, edge.via, parentKey)].sort()
  const found: string[] = []
  for (const [key, row] of graph.rows(edge.table)) {
    const value = row[edge.via]
    if (value === parentKey || (Array.isArray(value) && value.includes(parentKey))) found.push(key)
  }
  return found.sort()
}

function* cascadeChildren(edges: readonly CascadeEdge[], graph: Graph, parent: Ref): Generator<Ref> {
  for (const edge of edges) {
    if (edge.parent !== parent.table || edge.onDelete !== 'cascade') continue
    for (const key of children(edge, graph, parent.key)) yield { table: edge.table, key }
  }
}

function collect(edges: readonly CascadeEdge[], graph: Graph, root: Ref): Set<string> {
  const doomed = new Set([id(root)])
  const open = [root]
  for (let next = open.pop(); next; next = open.pop()) {
    for (const child of cascadeChildren(edges, graph, next)) {
      if (doomed.has(id(child))) continue
      doomed.add(id(child))
      open.push(child)
    }
  }
  return doomed
}

/** Post-order without recursion: chains (snapshot trees) may be thousands deep. */
function* leafFirst(edges: readonly CascadeEdge[], graph: Graph, root: Ref): Generator<{ ref: Ref; under: Ref | undefined }> {
  const seen = new Set([id(root)])
  const stack = [{ ref: root, left: cascadeChildren(edges, graph, root) }]
  for (let top = stack.at(-1); top; top = stack.at(-1)) {
    const next = top.left.next()
    if (next.done) {
      stack.pop()
      yield { ref: top.ref, under: stack.at(-1)?.ref }
    } else if (!seen.has(id(next.value))) {
      seen.add(id(next.value))
      stack.push({ ref: next.value, left: cascadeChildren(edges, graph, next.value) })
    }
  }
}
