/**
 * Which host and primary storage a VM gets: filters, each with a reason for every refusal, then the host that the strategy prefers
 * (zstack-core §3.13). Pure. The choice is only a proposal: the commit's counter guards decide, so nothing is oversold when two
 * choose at once.
 */
import { type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { apartFrom } from './affinity.ts'
import { hostsWithRoom, type Need } from './capacity-tree.ts'
import { refusalOf } from './filters.ts'
import { hostIndexOf } from './host-index.ts'
import type { Ask, Candidate, Placement, PlaceRequest, Refused } from './request.ts'
import { isHostOf, type Only, schedulingRules } from './scheduling-rules.ts'
import { type PlaceSettings, settingsOf } from './settings.ts'
import { costOf, RATHER_NOT, strategyOf } from './strategies.ts'

export type { Placement, PlaceRequest, Refused } from './request.ts'

/** Refused hosts that an error names. */
const NAMED = 100

function askOf(graph: Graph, request: PlaceRequest, settings: PlaceSettings): Ask {
  const rules = schedulingRules(graph, request)
  return { graph, request, settings, apart: apartFrom(graph, request), rules, clusters: new Map() }
}

const placementOf = ({ host, storage }: Candidate): Placement => ({
  hostUuid: host['uuid'] as string,
  clusterUuid: host['clusterUuid'] as string,
  zoneUuid: host['zoneUuid'] as string,
  primaryStorageUuid: storage!,
})

/** The only host that needs to be looked at: the one that was asked for, or that holds the volumes. */
const onlyHost = ({ hostUuid, volumeHostUuid }: PlaceRequest) => hostUuid ?? volumeHostUuid

/** Hosts of the places that were asked for; `only`: just this one. */
function* scopeOf({ graph, request }: Ask, only?: string): Generator<string> {
  if (only) {
    if (graph.get('host', only)) yield only
  } else if (request.clusterUuid) yield* graph.by('host', 'clusterUuid', request.clusterUuid)
  else if (request.zoneUuid) yield* graph.by('host', 'zoneUuid', request.zoneUuid)
  else for (const [key] of graph.rows('host')) yield key
}

const needOf = ({ request }: Ask): Need => ({
  cpus: request.cpuNum,
  memory: request.memoryBytes,
  disk: request.diskBytes > 0 ? request.diskBytes : Number.NEGATIVE_INFINITY,
})

/** Hosts worth looking at, the cheapest first; those left out have no room, or are not among those that rules name. */
function worthALook(ask: Ask, among: Only | undefined): Iterable<{ uuid: string; vms: number }> {
  const { graph, request } = ask
  const only = onlyHost(request)
  const index = only || (among && 'hosts' in among) ? undefined : hostIndexOf(graph)
  if (!index) return byVms(ask, only ? [only] : among ? hostsAmong(graph, among) : scopeOf(ask))
  const { any } = strategyOf(request.strategy)
  const trees = among
    ? index.treeOfGroup(ask.settings, (among as { group: string }).group)
    : index.trees(ask.settings, clustersOf(ask))
  return hostsWithRoom(trees, needOf(ask), { any: any === true, random: request.random })
}

const clustersOf = ({ graph, request: { clusterUuid, zoneUuid } }: Ask): Iterable<string> | undefined =>
  clusterUuid ? [clusterUuid] : zoneUuid ? graph.by('cluster', 'zoneUuid', zoneUuid) : undefined

const hostsAmong = (graph: Graph, among: Only): readonly string[] =>
  'hosts' in among ? among.hosts : [...graph.rows('host')].flatMap(([uuid]) => (isHostOf(graph, among.group, uuid) ? [uuid] : []))

/** Those of these hosts that are there, the cheapest first. */
function byVms({ graph, request }: Ask, hosts: Iterable<string>): { uuid: string; vms: number }[] {
  const { any } = strategyOf(request.strategy)
  const found = [...hosts].filter((uuid) => graph.get('host', uuid))
  const vmsOf = (uuid: string) => (any ? 0 : graph.countBy('vmInstance', 'hostUuid', uuid))
  return found.map((uuid) => ({ uuid, vms: vmsOf(uuid) })).sort((a, b) => a.vms - b.vms)
}

function lookAt(ask: Ask, uuid: string): { candidate: Candidate; refused: Refused | undefined } {
  const candidate: Candidate = { host: ask.graph.get('host', uuid)! }
  return { candidate, refused: refusalOf(ask, candidate) }
}

function choose(ask: Ask): Candidate | undefined {
  const { graph, request } = ask
  const last = request.lastHostUuid
  if (last && strategyOf(request.strategy).lastHostFirst && graph.get('host', last)) {
    const { candidate, refused } = lookAt(ask, last)
    if (!refused) return candidate
  }
  const { preferred, only } = ask.rules
  let best: Priced | undefined
  // One host or few are looked at as they are; among many, those that soft rules name come first, or all others would be looked at.
  const few = onlyHost(request) !== undefined || only !== undefined
  if (!few) for (const among of preferred) best = cheapest(ask, worthALook(ask, among), { best, least: 0 })
  return cheapest(ask, worthALook(ask, only), { best, least: few ? 0 : preferred.length * RATHER_NOT })?.candidate
}

interface Priced {
  candidate: Candidate
  cost: number
}

/** The cheapest of these hosts and `best`. `least`: what each of them costs besides its VMs, but for those that were looked at before. */
function cheapest(
  ask: Ask,
  hosts: Iterable<{ uuid: string; vms: number }>,
  from: { best: Priced | undefined; least: number },
): Priced | undefined {
  let { best } = from
  for (const { uuid, vms } of hosts) {
    if (best && vms + from.least >= best.cost) break
    if (ask.rules.forbids(uuid) || (best && vms + ask.rules.broken(uuid) * RATHER_NOT >= best.cost)) continue
    const { candidate, refused } = lookAt(ask, uuid)
    if (refused) continue
    const cost = costOf(ask, candidate, vms)
    if (!best || cost < best.cost) best = { candidate, cost }
    if (cost <= vms + from.least) break
  }
  return best
}

/** Chooses, or throws `no-host` whose details name the hosts and why each was refused. */
export function placeVm(graph: Graph, request: PlaceRequest, settings: PlaceSettings = settingsOf(graph)): Placement {
  const ask = askOf(graph, request, settings)
  const found = choose(ask)
  if (found) return placementOf(found)
  const refused: Refused[] = []
  for (const uuid of scopeOf(ask, onlyHost(request))) {
    const because = lookAt(ask, uuid).refused
    if (because) refused.push(because)
    if (refused.length === NAMED) break
  }
  throw noHost(refused, refused.length < NAMED ? refused.length : countOf(ask))
}

/** How many hosts the places have that were asked for. */
function countOf({ graph, request }: Ask): number {
  if (request.clusterUuid) return graph.countBy('host', 'clusterUuid', request.clusterUuid)
  return request.zoneUuid ? graph.countBy('host', 'zoneUuid', request.zoneUuid) : graph.count('host')
}

function noHost(refused: readonly Refused[], hosts: number): SkerryError {
  const named = refused.slice(0, 20).map((r) => `${r.host}: ${r.because}`)
  const more = hosts > named.length ? [`and ${hosts - named.length} more`] : []
  const why = hosts > 0 ? [...named, ...more].join('; ') : 'there is no host here'
  return new SkerryError('no-host', `no host can take this VM instance: ${why}`, { refused, hosts })
}

/** A host that could take it. */
export interface Possible extends Placement {
  host: string
  /** VMs that it has */
  vms: number
}

/** Every host of the places that were asked for: those that could take it, the preferred first, and why the others can't. */
export function candidates(
  graph: Graph,
  request: PlaceRequest,
  settings: PlaceSettings = settingsOf(graph),
): { possible: Possible[]; refused: Refused[] } {
  const ask = askOf(graph, request, settings)
  const possible: (Possible & { cost: number })[] = []
  const refused: Refused[] = []
  const { lastHostFirst, any } = strategyOf(request.strategy)
  for (const uuid of scopeOf(ask, request.hostUuid)) {
    const { candidate, refused: because } = lookAt(ask, uuid)
    if (because) refused.push(because)
    else {
      const vms = graph.countBy('vmInstance', 'hostUuid', uuid)
      const cost = lastHostFirst && uuid === request.lastHostUuid ? -1 : costOf(ask, candidate, any ? 0 : vms)
      possible.push({ host: candidate.host['name'] as string, ...placementOf(candidate), vms, cost })
    }
  }
  possible.sort((a, b) => a.cost - b.cost)
  return { possible: possible.map(({ cost: _cost, ...rest }) => rest), refused }
}

/**
 * The lowest that a host's counters may get when something more is placed there, as the limits of guards: whoever commits second
 * can't take what the first has taken.
 */
export const hostFloor = (graph: Graph, host: Readonly<Row>): { cpus: number; memory: number } => ({
  cpus: 0,
  memory: settingsOf(graph).memoryFloor(host),
})
