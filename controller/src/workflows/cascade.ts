/** Cascade plans from the contract's edges, and the one commit that carries a plan out. Pure. */
import { type Guard, type Op, type Resource, type Row, resources, SkerryError } from '@skerry/contract'
import { type CascadeEdge, type CascadePlan, type Graph, planCascade } from '@skerry/graph'

/** Every `parent` edge of the contract; friends never cascade. */
export const cascadeEdges: readonly CascadeEdge[] = Object.values(resources as Record<string, Resource>).flatMap((resource) =>
  Object.values(resource.edges)
    .filter((edge) => edge.kind === 'parent')
    .map((edge) => ({
      table: resource.name,
      via: edge.via,
      parent: edge.to,
      onDelete: edge.onDelete ?? 'restrict',
      ...(edge.list ? { list: true } : {}),
    })),
)

/** The plan, or `in-use` naming what forbids it. Enforcing overrides nothing here: data is not thrown away by a flag (DECISIONS.md). */
export function cascadeOf(graph: Graph, table: string, key: string): CascadePlan {
  const plan = planCascade(cascadeEdges, graph, { table, key })
  if (plan.refusals.length > 0) {
    const distinct = [...new Map(plan.refusals.map((r) => [`${r.table} ${r.key}`, r])).values()]
    const users = distinct
      .slice(0, 20)
      .map((r) => ({ resource: r.table, uuid: r.key, name: graph.get(r.table, r.key)?.['name'], because: r.because }))
    const named = users
      .slice(0, 5)
      .map((u) => `${u.resource} ${u.name ?? u.uuid}`)
      .join(', ')
    const more = distinct.length > 5 ? ` and ${distinct.length - 5} more` : ''
    const name = graph.get(table, key)?.['name'] ?? key
    throw new SkerryError('in-use', `${table} ${name} is still used by ${named}${more}`, { uuid: key, users })
  }
  return plan
}

/** All rows of the plan in one commit, guarded by their versions: what was shown is what goes. */
export function cascadeChange(graph: Graph, plan: CascadePlan): { guards: Guard[]; ops: Op[] } {
  const guards: Guard[] = []
  const detached = new Map<string, Row>()
  const ops: Op[] = []
  for (const step of plan.order) {
    const row = graph.get(step.table, step.key)
    if (!row) continue
    guards.push({ g: 'version', t: step.table, k: step.key, seq: graph.version(step.table, step.key)! })
    if (step.action === 'delete') ops.push({ o: 'del', t: step.table, k: step.key })
    else if (step.via && step.parent) {
      const id = `${step.table}/${step.key}/${step.via}`
      const now = detached.get(id) ?? { [step.via]: row[step.via] }
      const value = now[step.via]
      const next = { [step.via]: Array.isArray(value) ? value.filter((v) => v !== step.parent!.key) : null }
      detached.set(id, next)
      ops.push({ o: 'set', t: step.table, k: step.key, v: next })
    }
  }
  return { guards, ops }
}
