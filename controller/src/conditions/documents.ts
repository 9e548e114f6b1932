/** What agents say of the documents that they were given, where it is not good. Pure. */
import { type AgentKind, type ErrorBody, flatRouter, type Row, type Status } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { AgentBook } from '../agents/book.ts'
import { called, type Finding, nameOf, nounOf } from './finding.ts'

/** Below these parts of a storage's size, its room is a condition. */
export const NEARLY_FULL = 0.1
export const FULL = 0.02

/** Table of the resource behind a document. */
const tablesOf: Readonly<Record<string, readonly string[]>> = {
  vm: ['vmInstance'],
  bridge: ['l2Network'],
  volume: ['volume'],
  pool: ['primaryStorage', 'backupStorage'],
  router: ['l3Network'],
  lease: ['vmNic'],
  metadata: ['vmNic'],
  ipsec: ['ipsecConnection'],
  balancer: ['loadBalancer'],
}

interface About {
  noun: string
  uuid: string
  name: string | null
  related: unknown[]
  place: string
  facts: Row
  /** `volume root-1 on host h1` */
  what: string
}

function aboutOf(graph: Graph, agentUuid: string, noun: string, documentUuid: string): About {
  // a flat router is of its network
  const isFlat = noun === 'router' && !graph.get('l3Network', documentUuid) && graph.get('l3Network', flatRouter(documentUuid))
  const uuid = isFlat ? flatRouter(documentUuid) : documentUuid
  const agent = graph.get('agent', agentUuid)
  const host = nameOf(graph, 'host', agent?.['hostUuid'])
  const table = tablesOf[noun]?.find((t) => graph.get(t, uuid))
  const row = table ? graph.get(table, uuid) : undefined
  const shown = table ? nounOf(table) : noun
  const name = table ? nameOf(graph, table, uuid) : null
  return {
    ...{ noun: shown, uuid, name, place: `${noun}/${agentUuid}` },
    related: [row?.['vmInstanceUuid'], agent?.['hostUuid']],
    facts: { document: noun, host, hostUuid: agent?.['hostUuid'] ?? null, agentUuid, agentKind: agent?.['kind'] as AgentKind },
    what: `${called(shown, name, uuid)} on ${host ? `host ${host}` : `agent ${agentUuid}`}`,
  }
}

const finding = (
  code: Finding['code'],
  { noun, uuid, name, related, place, facts }: About,
  message: string,
  more: Row = {},
): Finding => ({
  ...{ code, noun, uuid, name, related, place, message },
  details: { ...facts, ...more },
})

/** `key`: `<agentUuid>/<noun>/<uuid>`. `refusal`: what the agent said when it was given the document. */
export function documentFindings(graph: Graph, book: AgentBook, key: string, refusal: ErrorBody | undefined): Finding[] {
  const [agentUuid, noun, uuid] = key.split('/') as [string, string, string]
  if (!graph.get('agent', agentUuid)) return []
  const row = graph.get('desired', key)
  const status = book.statusOf(agentUuid, noun, uuid)
  if (!row) return []
  const found: Finding[] = []
  if (refusal) {
    const about = aboutOf(graph, agentUuid, noun, uuid)
    found.push(finding('document-refused', about, `${about.what} was refused: ${refusal.message}`, { error: refusal }))
  }
  if (!status) return found
  if (status.condition === 'Failed' || status.condition === 'Refused')
    found.push(failure(aboutOf(graph, agentUuid, noun, uuid), status, row['tombstone'] === true))
  else if (noun === 'pool' && !row['tombstone']) found.push(...room(graph, agentUuid, status))
  return found
}

function failure(about: About, status: Status, removing: boolean): Finding {
  const error = status.error as unknown as ErrorBody | null
  const code =
    status.noun === 'volume' && error?.code === 'volume-lost'
      ? 'volume-lost'
      : status.noun === 'pool' && !removing
        ? 'storage-missing'
        : 'resource-failed'
  const said = error ? `${error.message}${error.cause ? `: ${error.cause.message}` : ''}` : status.condition
  const message = `${about.what}${removing ? ' cannot be removed' : ''}: ${said}`
  return finding(code, about, message, { condition: status.condition, ...(error ? { error } : {}), at: status.at })
}

function room(graph: Graph, agentUuid: string, status: Status): Finding[] {
  const { totalBytes, availableBytes } = status.observed as { totalBytes?: number; availableBytes?: number }
  if (!totalBytes || availableBytes === undefined || availableBytes >= totalBytes * NEARLY_FULL) return []
  const about = aboutOf(graph, agentUuid, 'pool', status.uuid)
  const code = availableBytes < totalBytes * FULL ? 'storage-full' : 'storage-nearly-full'
  const table = graph.get('primaryStorage', status.uuid) ? 'primaryStorage' : 'backupStorage'
  const path = graph.get(table, status.uuid)?.['url']
  const percent = Math.floor((100 * availableBytes) / totalBytes)
  return [finding(code, about, `${about.what} (${path}) has ${percent} % of its room left`, { path, totalBytes, availableBytes })]
}
