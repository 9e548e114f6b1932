/** Networks that IPsec connections could carry, and what tunnels have carried. Looks only. */
import { type Row, resources, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { ipsecs } from '../desired/ipsec.ts'
import { routerOf } from '../desired/router.ts'
import type { Call } from '../engine/port.ts'
import { render } from '../inventory/index.ts'
import { needPossible } from '../workflows/ipsec.check.ts'
import { nowhere } from '../workflows/ipsec.ts'
import { type AgentsPort, need } from '../workflows/world.ts'

/** As ZStack's. */
const PAGE = 1_000
const COUNTERS_MS = 10_000

/** A connection as it is, or as one of this VIP would be before anything is said of its peer. */
function subject(graph: Graph, { uuid, vipUuid }: Row): Row | undefined {
  if (uuid !== undefined) return need(graph, 'ipsecConnection', uuid)
  if (vipUuid === undefined) return undefined
  return {
    uuid: null,
    vipUuid: need(graph, 'vip', vipUuid)['uuid'],
    peerAddress: null,
    idType: 'fqdn',
    peerCidrs: [],
    l3NetworkUuids: [],
  }
}

function candidates(graph: Graph, params: Row): Row {
  const of = subject(graph, params)
  const there = (of?.['l3NetworkUuids'] as string[] | undefined) ?? []
  const publicL3 = params['publicL3Uuid'] === undefined ? undefined : need(graph, 'l3Network', params['publicL3Uuid'])['uuid']
  const fits = (l3: Readonly<Row>): boolean => {
    const uuid = l3['uuid'] as string
    if (there.includes(uuid) || uuid === publicL3 || l3['category'] !== 'Private') return false
    if (!of) return routerOf(graph, uuid) !== publicL3
    try {
      needPossible(graph, { ...of, l3NetworkUuids: [...there, uuid] })
      return true
    } catch (error) {
      if (error instanceof SkerryError) return false
      throw error
    }
  }
  const [start, limit] = [(params['start'] as number | undefined) ?? 0, (params['limit'] as number | undefined) ?? PAGE]
  const rows = [...graph.rows('l3Network')].map(([, row]) => row).filter(fits)
  return { inventories: rows.slice(start, start + limit).map((row) => render(graph, resources.l3Network, row)) }
}

export const ipsecReads = (graph: Graph): Record<string, (call: Call) => Row> => ({
  GetCandidateL3NetworksForIpSecConnection: ({ params }) => candidates(graph, params),
})

/** What only the host of a tunnel knows: its agent is asked. */
export const ipsecCalls = ({ graph, agents, newId }: { graph: Graph; agents: AgentsPort; newId(): string }) => ({
  GetIPsecConnectionCounters: async ({ params }: Call): Promise<Row> => {
    const uuid = need(graph, 'ipsecConnection', params['uuid'])['uuid'] as string
    const [agent] = ipsecs.agents(graph, uuid)
    if (agent === undefined) throw nowhere(uuid)
    const waiting = { remainingMs: () => COUNTERS_MS, progress: () => undefined }
    return agents.command(agent, { id: newId(), noun: 'ipsec', uuid, verb: 'counters', input: {} }, waiting)
  },
})
