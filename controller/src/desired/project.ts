/**
 * Desired state as a projection of the graph: which documents exist, on which agent, and what they say. Pure. Nobody writes a
 * document by hand: change the graph, and the documents that depend on it change with it.
 */
import { type Op, type Row, resourceOf } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { balancers } from './balancer.ts'
import { bridges } from './bridge.ts'
import { ipsecs } from './ipsec.ts'
import { isos } from './iso.ts'
import { leases } from './lease.ts'
import { metadata } from './metadata.ts'
import { nicSecurities } from './nic-security.ts'
import { pools } from './pool.ts'
import type { Projection } from './projection.ts'
import { routers } from './router.ts'
import { routes } from './routes.ts'
import { securityGroups } from './security-group.ts'
import { securityMembers } from './security-members.ts'
import { vips } from './vip.ts'
import { vms } from './vm.ts'
import { volumes } from './volume.ts'

/** One document's place: keys are `<agentUuid>/<noun>/<uuid>`. */
export interface DocumentRef {
  agentUuid: string
  noun: string
  uuid: string
}

export const projections: readonly Projection[] = [
  bridges,
  securityMembers,
  securityGroups,
  nicSecurities,
  vms,
  pools,
  isos,
  volumes,
  routers,
  leases,
  metadata,
  vips,
  balancers,
  routes,
  ipsecs,
]

export const documentKey = (ref: DocumentRef) => `${ref.agentUuid}/${ref.noun}/${ref.uuid}`

/** `noun/uuid` of every document that these operations may change. `before` is asked before they are applied, `after` afterwards. */
export function touched(ops: readonly Op[], graph: Graph): Set<string> {
  const found = new Set<string>()
  for (const op of ops) {
    if (op.o === 'add' || !resourceOf(op.t)) continue
    const row = graph.get(op.t, op.k)
    if (!row) continue
    for (const projection of projections) {
      const uuids = projection.touchedBy[op.t]?.(row as Row, graph) ?? []
      for (const uuid of uuids) found.add(`${projection.noun}/${uuid}`)
    }
  }
  return found
}

/** Everything that any row asks for: for start-up, when the code that projects may have changed. */
export function everything(graph: Graph): Set<string> {
  const found = new Set<string>()
  for (const projection of projections) {
    for (const [table, uuidsOf] of Object.entries(projection.touchedBy)) {
      for (const [, row] of graph.rows(table))
        for (const uuid of uuidsOf(row as Row, graph)) found.add(`${projection.noun}/${uuid}`)
    }
  }
  for (const [, row] of graph.rows('desired')) found.add(`${row['noun']}/${row['uuid']}`)
  return found
}

/** Operations that bring the `desired` table in line with the graph for these documents. Hashing comes in as an argument. */
export function reproject(graph: Graph, names: Iterable<string>, job: string | null, hash: (spec: Row) => string): Op[] {
  const ops: Op[] = []
  for (const name of names) {
    const [noun, uuid] = name.split('/') as [string, string]
    const projection = projections.find((p) => p.noun === noun)
    if (!projection) continue
    const agents = new Set(projection.agents(graph, uuid))
    const [first] = agents
    const shared =
      first !== undefined && !projection.perAgent?.(graph, uuid) ? hash(projection.spec(graph, uuid, first)) : undefined
    for (const agentUuid of agents) {
      const key = documentKey({ agentUuid, noun, uuid })
      const old = graph.get('desired', key)
      const wanted = shared ?? hash(projection.spec(graph, uuid, agentUuid))
      if (!old || old['tombstone'] || old['hash'] !== wanted)
        ops.push({ o: 'put', t: 'desired', k: key, v: { agentUuid, noun, uuid, of: name, hash: wanted, tombstone: false, job } })
    }
    for (const key of graph.by('desired', 'of', name)) {
      const old = graph.get('desired', key)!
      if (agents.has(old['agentUuid'] as string) || old['tombstone']) continue
      // An agent that is no longer enrolled can't be told anything: its documents just go.
      if (!graph.get('agent', old['agentUuid'] as string)) ops.push({ o: 'del', t: 'desired', k: key })
      else ops.push({ o: 'put', t: 'desired', k: key, v: { ...old, tombstone: true, job } })
    }
  }
  return ops
}
