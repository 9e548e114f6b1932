/** Which hosts a VM is kept away from, because other members of its affinity groups are there (zstack-core §2.25). Pure. */
import type { Guard, Op, Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Ask, PlaceRequest } from './request.ts'
import { schedulingTurn } from './scheduling-rules.ts'

const PREFIX = 'affinityGroupUuid::'

/** Groups that a VM joins as it is created, by its system tags. */
export const groupsIn = (systemTags: readonly string[]): string[] => [
  ...new Set(systemTags.filter((tag) => tag.startsWith(PREFIX)).map((tag) => tag.slice(PREFIX.length))),
]

const groupsOf = (graph: Graph, vmUuid: string): string[] =>
  [...graph.by('affinityGroupUsage', 'resourceUuid', vmUuid)].map(
    (k) => graph.get('affinityGroupUsage', k)?.['affinityGroupUuid'] as string,
  )

/** The groups that count: those that are enabled. */
function inForce(graph: Graph, { vmUuid, affinityGroupUuids = [] }: PlaceRequest): Readonly<Row>[] {
  const all = new Set([...affinityGroupUuids, ...(vmUuid ? groupsOf(graph, vmUuid) : [])])
  return [...all].flatMap((uuid) => {
    const group = graph.get('affinityGroup', uuid)
    return group?.['state'] === 'Enabled' ? [group] : []
  })
}

/** Hosts on which members of a group are, but for this VM. */
function* hostsOf(graph: Graph, groupUuid: unknown, besides: string | undefined): Generator<string> {
  for (const key of graph.by('affinityGroupUsage', 'affinityGroupUuid', groupUuid)) {
    const vm = graph.get('affinityGroupUsage', key)?.['resourceUuid'] as string
    const host = vm === besides ? undefined : graph.get('vmInstance', vm)?.['hostUuid']
    if (typeof host === 'string') yield host
  }
}

export function apartFrom(graph: Graph, request: PlaceRequest): Ask['apart'] {
  const hard = new Map<string, string>()
  const soft = new Set<string>()
  for (const group of inForce(graph, request))
    for (const host of hostsOf(graph, group['uuid'], request.vmUuid)) {
      if (group['policy'] === 'antiHard') hard.set(host, group['name'] as string)
      else soft.add(host)
    }
  return { hard, soft }
}

/** Of a commit that places a VM: two members of a group that must be apart can't be placed in the same moment,
 * and neither can those of scheduling rules. */
export function keepApart(graph: Graph, request: PlaceRequest): { guards: Guard[]; ops: Op[] } {
  const keys = inForce(graph, request)
    .filter((group) => group['policy'] === 'antiHard')
    .map((group) => group['uuid'] as string)
  const turn = schedulingTurn(graph, request)
  return {
    guards: [
      ...turn.guards,
      ...keys.map((k): Guard => ({ g: 'version', t: 'affinityGroup', k, seq: graph.version('affinityGroup', k)! })),
    ],
    // Only its version moves: who decided by the one before decides anew.
    ops: [...turn.ops, ...keys.map((k): Op => ({ o: 'set', t: 'affinityGroup', k, v: {} }))],
  }
}

/** Why a VM can't become a member of the group as it is now; undefined: it can. */
export function nonConflicting(graph: Graph, group: Readonly<Row>, vm: Readonly<Row>): string | undefined {
  if (group['zoneUuid'] && vm['zoneUuid'] && group['zoneUuid'] !== vm['zoneUuid'])
    return `affinity group ${group['name']} is of another zone than VM instance ${vm['name']}`
  if (group['policy'] !== 'antiHard' || typeof vm['hostUuid'] !== 'string') return undefined
  for (const host of hostsOf(graph, group['uuid'], vm['uuid'] as string))
    if (host === vm['hostUuid'])
      return `VM instance ${vm['name']} is on a host with another member of affinity group ${group['name']}: stop one of them first`
  return undefined
}
