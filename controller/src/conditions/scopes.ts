/**
 * Everything that can have conditions, as scopes: `site`, or `<kind>:<key>`. What a scope's conditions are follows from the
 * sources alone, so looking at one scope again is always right, and looking at all of them is the whole truth. Pure.
 */
import type { ErrorBody, SiteCondition } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { AgentBook } from '../agents/book.ts'
import { documentFindings } from './documents.ts'
import { conditionOf, type Finding } from './finding.ts'
import {
  agentFindings,
  hostFindings,
  jobFindings,
  orphanFindings,
  pluginFindings,
  serverFindings,
  vmFindings,
} from './resources.ts'
import { type SiteFacts, siteFindings } from './site.ts'
import { tunnelFindings } from './tunnels.ts'

export interface Sources {
  graph: Graph
  book: AgentBook
  /** what an agent answered to a document it was given, by `<agentUuid>/<noun>/<uuid>` */
  refusals: ReadonlyMap<string, ErrorBody>
  /** tombstones that wait for an agent */
  removals(agentUuid: string): number
  site(): SiteFacts
}

export const SITE = 'site'
export const scopeOf = {
  agent: (uuid: string) => `agent:${uuid}`,
  host: (uuid: string) => `host:${uuid}`,
  vm: (uuid: string) => `vm:${uuid}`,
  job: (uuid: string) => `job:${uuid}`,
  storage: (uuid: string) => `storage:${uuid}`,
  orphan: (uuid: string) => `orphan:${uuid}`,
  document: (key: string) => `document:${key}`,
  plugin: (uuid: string) => `plugin:${uuid}`,
  tunnel: (uuid: string) => `tunnel:${uuid}`,
} as const

/** Tables whose rows are scopes by themselves. */
export const scopeOfTable: Readonly<Record<string, (key: string) => string>> = {
  agent: scopeOf.agent,
  host: scopeOf.host,
  vmInstance: scopeOf.vm,
  backupStorage: scopeOf.storage,
  job: scopeOf.job,
  orphan: scopeOf.orphan,
  desired: scopeOf.document,
  plugin: scopeOf.plugin,
  ipsecConnection: scopeOf.tunnel,
}

export function findingsOf(scope: string, s: Sources): Finding[] {
  if (scope === SITE) return siteFindings(s.site())
  const colon = scope.indexOf(':')
  const key = scope.slice(colon + 1)
  switch (scope.slice(0, colon)) {
    case 'agent':
      return agentFindings(s.graph, s.book, key, s.removals(key))
    case 'host':
      return hostFindings(s.graph, key)
    case 'vm':
      return vmFindings(s.graph, key)
    case 'storage':
      return serverFindings(s.graph, key)
    case 'job':
      return jobFindings(s.graph, key)
    case 'plugin':
      return pluginFindings(s.graph, key)
    case 'tunnel':
      return tunnelFindings(s.graph, key)
    case 'orphan':
      return orphanFindings(s.graph, key)
    default:
      return documentFindings(s.graph, s.book, key, s.refusals.get(key))
  }
}

/** Every scope that there is now, most of them without conditions. */
export function* allScopes({ graph, book, refusals }: Pick<Sources, 'graph' | 'book' | 'refusals'>): Generator<string> {
  yield SITE
  for (const [uuid] of graph.rows('agent')) {
    yield scopeOf.agent(uuid)
    for (const { noun, uuid: of } of book.statusesOf(uuid)) yield scopeOf.document(`${uuid}/${noun}/${of}`)
  }
  for (const key of refusals.keys()) yield scopeOf.document(key)
  for (const [uuid] of graph.rows('host')) yield scopeOf.host(uuid)
  for (const [uuid] of graph.rows('backupStorage')) yield scopeOf.storage(uuid)
  for (const [uuid] of graph.rows('ipsecConnection')) yield scopeOf.tunnel(uuid)
  for (const [uuid] of graph.rows('orphan')) yield scopeOf.orphan(uuid)
  for (const [uuid] of graph.rows('plugin')) yield scopeOf.plugin(uuid)
  for (const uuid of graph.by('job', 'state', 'stuck')) yield scopeOf.job(uuid)
  for (const [uuid] of graph.rows('vmInstance')) yield scopeOf.vm(uuid)
}

/** All conditions of this moment, by looking at everything: what the board holds must be the same. */
export function conditionsOf(sources: Sources, now: number): SiteCondition[] {
  const found = new Map<string, SiteCondition>()
  for (const scope of allScopes(sources))
    for (const finding of findingsOf(scope, sources)) {
      const condition = conditionOf(finding, now)
      found.set(condition.id, condition)
    }
  return [...found.values()]
}
