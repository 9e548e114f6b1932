/**
 * What a deletion takes with it: the plan from the contract's edges, and the one commit that carries it out. Pure. Rows come leaf
 * first; a guest whose card goes is stopped before, because a card that was taken out of the graph would stay in a running guest.
 */
import { type Guard, isOwned, type Op, OWNER, type Resource, type Row, resources, SkerryError } from '@skerry/contract'
import { type CascadeEdge, type CascadePlan, type CascadeStep, type Graph, planCascade } from '@skerry/graph'

/** Every `parent` edge of the contract, and what accounts own; friends never cascade. */
export const cascadeEdges: readonly CascadeEdge[] = Object.values(resources as Record<string, Resource>).flatMap((resource) =>
  Object.values(resource.edges)
    .filter((edge) => edge.kind === 'parent')
    .flatMap((edge): CascadeEdge[] => [
      {
        table: resource.name,
        via: edge.via,
        parent: edge.to,
        onDelete: edge.onDelete ?? 'restrict',
        ...(edge.list ? { list: true } : {}),
      },
      ...(edge.both
        ? [
            {
              table: edge.to,
              via: edge.via,
              parent: resource.name,
              onDelete: 'cascade' as const,
              named: true,
              ...(edge.bothWhere ? { where: edge.bothWhere } : {}),
            },
          ]
        : []),
    ])
    .concat(isOwned(resource) ? [{ table: resource.name, via: OWNER, parent: 'account', onDelete: 'cascade' }] : []),
)

/** The plan, or `in-use` naming what forbids it: an edge that restricts does so in either mode. */
export function cascadeOf(graph: Graph, table: string, key: string): CascadePlan {
  const plan = planCascade(cascadeEdges, graph, { table, key })
  if (plan.refusals.length > 0) throw inUse(graph, { table, key }, plan.refusals)
  return { ...plan, order: withImages(graph, withStops(graph, plan.order)) }
}

function inUse(graph: Graph, { table, key }: { table: string; key: string }, refusals: CascadePlan['refusals']): SkerryError {
  const distinct = [...new Map(refusals.map((r) => [`${r.table} ${r.key}`, r])).values()]
  const users = distinct
    .slice(0, 20)
    .map((r) => ({ resource: r.table, uuid: r.key, name: graph.get(r.table, r.key)?.['name'], because: r.because }))
  const named = users
    .slice(0, 5)
    .map((u) => `${u.resource} ${u.name ?? u.uuid}`)
    .join(', ')
  const more = distinct.length > 5 ? ` and ${distinct.length - 5} more` : ''
  const name = graph.get(table, key)?.['name'] ?? key
  return new SkerryError('in-use', `${table} ${name} is still used by ${named}${more}`, { uuid: key, users })
}

/** Is there a guest, or may there be one? */
export const mayRun = (vm: Readonly<Row>): boolean =>
  vm['hostUuid'] !== null && !['Stopped', 'Destroyed'].includes(String(vm['state']))

/** Before a card goes, the guest that has it is stopped. */
function withStops(graph: Graph, order: readonly CascadeStep[]): CascadeStep[] {
  const gone = new Set(order.filter((s) => s.action !== 'detach').map((s) => `${s.table} ${s.key}`))
  return order.flatMap((step) => {
    if (step.table !== 'vmNic' || step.action !== 'delete') return [step]
    const key = graph.get('vmNic', step.key)?.['vmInstanceUuid'] as string
    const vm = graph.get('vmInstance', key)
    if (!vm || gone.has(`vmInstance ${key}`) || !mayRun(vm)) return [step]
    gone.add(`vmInstance ${key}`)
    return [{ table: 'vmInstance', key, action: 'stop', parent: { table: 'vmNic', key: step.key } }, step]
  })
}

type Ref = { backupStorageUuid: string }
const refsOf = (image: Readonly<Row> | undefined) => (image?.['backupStorageRefs'] as Ref[] | undefined) ?? []

const storagesGone = (order: readonly CascadeStep[]) =>
  new Set(order.filter((s) => s.table === 'backupStorage' && s.action === 'delete').map((s) => s.key))

/** An image goes with the last backup storage that holds it, as ZStack's does; no edge can say that. */
function withImages(graph: Graph, order: readonly CascadeStep[]): CascadeStep[] {
  const gone = storagesGone(order)
  if (gone.size === 0) return [...order]
  const nowhere = [...graph.rows('image')].filter(([, image]) => refsOf(image).every((r) => gone.has(r.backupStorageUuid)))
  return [...nowhere.map(([key]): CascadeStep => ({ table: 'image', key, action: 'delete' })), ...order]
}

/** Images that are elsewhere too are not there any more. */
export function shortenRefs(graph: Graph, order: readonly CascadeStep[]): Op[] {
  const gone = storagesGone(order)
  if (gone.size === 0) return []
  return [...graph.rows('image')].flatMap(([k, image]): Op[] => {
    const left = refsOf(image).filter((r) => !gone.has(r.backupStorageUuid))
    return left.length === 0 || left.length === refsOf(image).length
      ? []
      : [{ o: 'set', t: 'image', k, v: { backupStorageRefs: left } }]
  })
}

/** All rows of the plan in one commit: what was shown is what goes. `stop` is the guests' own matter (cascade.guests.ts). */
export function cascadeChange(graph: Graph, plan: CascadePlan): { guards: Guard[]; ops: Op[] } {
  const guards: Guard[] = []
  const ops: Op[] = []
  const shorter = new Map<string, unknown[]>()
  for (const step of plan.order) {
    const { table: t, key: k, via } = step
    const row = graph.get(t, k)
    if (!row || step.action === 'stop') continue
    if (step.action === 'delete') {
      guards.push({ g: 'version', t, k, seq: graph.version(t, k)! })
      ops.push({ o: 'del', t, k })
    } else if (via && step.parent) {
      const value = row[via]
      if (!Array.isArray(value)) {
        guards.push({ g: 'field', t, k, field: via, in: [step.parent.key] })
        ops.push({ o: 'set', t, k, v: { [via]: null } })
        continue
      }
      const left = (shorter.get(`${t} ${k} ${via}`) ?? value).filter((v) => v !== step.parent!.key)
      shorter.set(`${t} ${k} ${via}`, left)
      guards.push({ g: 'version', t, k, seq: graph.version(t, k)! })
      ops.push({ o: 'set', t, k, v: { [via]: left } })
    }
  }
  return { guards, ops }
}
