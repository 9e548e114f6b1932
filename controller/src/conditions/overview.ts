/** The site at a glance: counts that indexes give, so that it costs nothing to ask. Pure. */
import { type Severity, type SiteOverview, SKERRY_VERSION, severities, vmStates } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Board } from './board.ts'
import type { SiteFacts } from './site.ts'

export interface Overview extends SiteOverview {
  conditions: Record<Severity, number>
}

export interface OverviewPorts {
  graph: Graph
  board: Board
  nodeUuid: string
  site(): SiteFacts
}

const states = new Set([...Object.keys(vmStates), ...Object.values(vmStates).flatMap((events) => Object.values(events))])

export function overviewOf({ graph, board, nodeUuid, site }: OverviewPorts): Overview {
  const { store, bus, upMs } = site()
  const { writable, reason, durableSeq, bytes, oldestSeq } = store
  const byState = Object.fromEntries(
    [...states].map((state) => [state, graph.countBy('vmInstance', 'state', state)] as const).filter(([, n]) => n > 0),
  )
  const connected = (table: string) => {
    let n = 0
    for (const [, row] of graph.rows(table)) if (row['status'] === 'Connected') n++
    return n
  }
  const jobs = (state: string) => graph.countBy('job', 'state', state)
  return {
    controller: { uuid: nodeUuid, version: SKERRY_VERSION, upMs: Math.round(upMs) },
    store: { writable, reason: reason?.code ?? null, durableSeq, bytes, oldestSeq },
    nats: { state: bus },
    agents: { total: graph.count('agent'), connected: connected('agent') },
    hosts: { total: graph.count('host'), connected: connected('host') },
    vms: { total: graph.count('vmInstance'), byState },
    jobs: { processing: jobs('processing'), undoing: jobs('undoing'), stuck: jobs('stuck') },
    conditions: countsBySeverity(board),
  }
}

export function countsBySeverity(board: Board): Record<Severity, number> {
  const counts = Object.fromEntries(severities.map((s) => [s, 0])) as Record<Severity, number>
  for (const { severity } of board.all()) counts[severity]++
  return counts
}

export function countsByCode(board: Board): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { code } of board.all()) counts.set(code, (counts.get(code) ?? 0) + 1)
  return counts
}
