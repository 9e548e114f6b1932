/** What the scheduling rules of a VM say of hosts: hard ones refuse them, soft ones make them cost more. Pure. */
import type { Guard, Op, Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { PlaceRequest } from './request.ts'

const PREFIX = 'vmSchedulingRuleGroupUuid::'

/** Groups that a VM joins as it is created, by its system tags. */
export const schedulingGroupsIn = (systemTags: readonly string[]): string[] => [
  ...new Set(systemTags.filter((tag) => tag.startsWith(PREFIX)).map((tag) => tag.slice(PREFIX.length))),
]

/** There can't be two of one member in one group. */
export const refKey = (groupUuid: string, memberUuid: string): string => `${groupUuid}:${memberUuid}`

export const isHostOf = (graph: Graph, hostGroupUuid: unknown, hostUuid: string): boolean =>
  graph.get('hostSchedulingRuleGroupRef', refKey(hostGroupUuid as string, hostUuid)) !== undefined

/** The VMs of a group. */
export const membersOf = (graph: Graph, vmGroupUuid: unknown): Readonly<Row>[] =>
  [...graph.by('vmSchedulingRuleGroupRef', 'vmGroupUuid', vmGroupUuid)].flatMap((key) => {
    const vm = graph.get('vmInstance', graph.get('vmSchedulingRuleGroupRef', key)?.['vmUuid'] as string)
    return vm ? [vm] : []
  })

/** Groups of the VM that is placed, whether it is there or is being made. */
function groupsOf(graph: Graph, { vmUuid, vmSchedulingGroupUuids = [] }: PlaceRequest): string[] {
  const held = vmUuid ? [...graph.by('vmSchedulingRuleGroupRef', 'vmUuid', vmUuid)] : []
  const named = held.map((key) => graph.get('vmSchedulingRuleGroupRef', key)?.['vmGroupUuid'] as string)
  return [...new Set([...vmSchedulingGroupUuids, ...named])].filter((uuid) => graph.get('vmSchedulingRuleGroup', uuid))
}

/** Rules in force over a group. */
export const rulesOf = (graph: Graph, field: 'vmGroupUuid' | 'hostGroupUuid', groupUuid: string): Readonly<Row>[] =>
  [...graph.by('vmSchedulingRule', field, groupUuid)]
    .map((key) => graph.get('vmSchedulingRule', key)!)
    .filter((rule) => rule['state'] === 'Enabled')

/** What one rule asks of a host. */
interface Demand {
  admits(hostUuid: string): boolean
  /** why a host is not admitted */
  because: string
  /** all that it admits, where it names them */
  only?: Only
}

/** Hosts of a group, or on which VMs are. */
export type Only = { group: string } | { hosts: readonly string[] }

function byHosts(graph: Graph, rule: Readonly<Row>): Demand {
  const group = rule['hostGroupUuid'] as string
  const name = graph.get('hostSchedulingRuleGroup', group)?.['name']
  const isIn = (hostUuid: string) => isHostOf(graph, group, hostUuid)
  if (rule['rule'] === 'ANTIAFFINITY')
    return {
      admits: (host) => !isIn(host),
      because: `scheduling rule ${rule['name']} keeps it off the hosts of group ${name}`,
    }
  const because = `scheduling rule ${rule['name']} keeps it on the hosts of group ${name}`
  return { admits: isIn, because, only: { group } }
}

function byOthers(graph: Graph, rule: Readonly<Row>, besides: string | undefined): Demand {
  const others = membersOf(graph, rule['vmGroupUuid']).filter((vm) => vm['uuid'] !== besides)
  const hosts = new Set(others.flatMap(({ hostUuid }) => (typeof hostUuid === 'string' ? [hostUuid] : [])))
  if (rule['rule'] === 'ANTIAFFINITY')
    return {
      admits: (host) => !hosts.has(host),
      because: `scheduling rule ${rule['name']} keeps it apart from a VM instance that is there`,
    }
  // The first of them may be anywhere.
  const because = `scheduling rule ${rule['name']} keeps it together with VM instances that are elsewhere`
  return {
    admits: (host) => hosts.size === 0 || hosts.has(host),
    because,
    ...(hosts.size > 0 ? { only: { hosts: [...hosts] } } : {}),
  }
}

/** Rules of a VM, as placement asks them. */
export interface SchedulingRules {
  /** why a host can't be taken; undefined: no hard rule forbids it */
  refuse(host: Readonly<Row>): string | undefined
  /** the same of its hard rules alone, without words */
  forbids(hostUuid: string): boolean
  /** how many soft rules it would break there */
  broken(hostUuid: string): number
  /** the only hosts that a hard rule admits */
  only: Only | undefined
  /** hosts that soft rules would rather have: any other breaks as many rules as these are */
  preferred: readonly Only[]
}

const NONE: SchedulingRules = {
  refuse: () => undefined,
  forbids: () => false,
  broken: () => 0,
  only: undefined,
  preferred: [],
}

export function schedulingRules(graph: Graph, request: PlaceRequest): SchedulingRules {
  if (graph.count('vmSchedulingRuleGroup') === 0) return NONE
  const groups = groupsOf(graph, request)
  if (groups.length === 0) return NONE
  const zones = groups.map((uuid) => graph.get('vmSchedulingRuleGroup', uuid)!)
  const rules = groups.flatMap((uuid) => rulesOf(graph, 'vmGroupUuid', uuid))
  const demands = (mode: string) =>
    rules
      .filter((rule) => rule['mode'] === mode)
      .map((rule) => (rule['hostGroupUuid'] ? byHosts(graph, rule) : byOthers(graph, rule, request.vmUuid)))
  const [hard, soft] = [demands('HARD'), demands('SOFT')]
  const sizeOf = (only: Only) =>
    'hosts' in only ? only.hosts.length : graph.countBy('hostSchedulingRuleGroupRef', 'hostGroupUuid', only.group)
  const named = (some: Demand[]) => some.flatMap(({ only }) => (only ? [only] : []))
  return {
    refuse({ uuid, zoneUuid }) {
      const foreign = zones.find((group) => group['zoneUuid'] !== zoneUuid)
      if (foreign) return `VM scheduling group ${foreign['name']} is of another zone`
      return hard.find(({ admits }) => !admits(uuid as string))?.because
    },
    forbids: (hostUuid) => hard.some(({ admits }) => !admits(hostUuid)),
    broken: (hostUuid) => soft.filter(({ admits }) => !admits(hostUuid)).length,
    only: named(hard).sort((a, b) => sizeOf(a) - sizeOf(b))[0],
    preferred: named(soft),
  }
}

/**
 * Of a commit that places a VM. The versions of its groups say that no rule, member or host has come meanwhile; where VMs are kept
 * apart or together they move, so that two members that are placed in one moment are placed one after the other.
 */
export function schedulingTurn(graph: Graph, request: PlaceRequest): { guards: Guard[]; ops: Op[] } {
  const groups = groupsOf(graph, request)
  const inTurn = (uuid: string) =>
    rulesOf(graph, 'vmGroupUuid', uuid).some((rule) => rule['mode'] === 'HARD' && !rule['hostGroupUuid'])
  return { guards: groups.map((k) => unmoved(graph, k)), ops: groups.filter(inTurn).map(moves) }
}

export const unmoved = (graph: Graph, k: string): Guard => ({
  ...{ g: 'version', t: 'vmSchedulingRuleGroup', k },
  seq: graph.version('vmSchedulingRuleGroup', k)!,
})
/** Only its version moves. */
export const moves = (k: string): Op => ({ o: 'set', t: 'vmSchedulingRuleGroup', k, v: {} })

/** What a hard rule would hold for: as it is, or as a call is about to make it. */
interface Held {
  members: readonly Readonly<Row>[]
  isHost(hostUuid: string): boolean
}

const placed = ({ hostUuid }: Readonly<Row>): boolean => typeof hostUuid === 'string'

/** Why VMs that are on hosts now would break the rule; undefined: none does. */
export function brokenBy(rule: Readonly<Row>, { members, isHost }: Held): string | undefined {
  const on = members.filter(placed)
  const said = `hard scheduling rule ${rule['name']}`
  const apart = rule['rule'] === 'ANTIAFFINITY'
  if (rule['hostGroupUuid']) {
    const wrong = on.find(({ hostUuid }) => isHost(hostUuid as string) === apart)
    const where = apart ? 'on a host that it must keep off' : 'not on one of the hosts that it must be on'
    return wrong && `VM instance ${wrong['name']} is ${where} by ${said}: stop it first`
  }
  const hosts = new Map<unknown, unknown>()
  for (const { name, hostUuid } of on) {
    if (apart && hosts.has(hostUuid))
      return `VM instances ${hosts.get(hostUuid)} and ${name} are on one host, against ${said}: stop one of them first`
    hosts.set(hostUuid, name)
    if (!apart && hosts.size > 1) {
      const [a, b] = [...hosts.values()]
      return `VM instances ${a} and ${b} are on different hosts, against ${said}: stop one of them first`
    }
  }
  return undefined
}
