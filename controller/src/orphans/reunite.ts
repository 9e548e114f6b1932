/**
 * The first meeting with an agent after a restore. The graph is of yesterday, the host is of today, and the host is right: guests
 * keep the power that they have, routers stay where they are, and only then is anything sent. Pure.
 */
import {
  type Change,
  type Fact,
  type kvmDesired,
  type Op,
  type Row,
  SkerryError,
  type Status,
  type vrouterDesired,
} from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { uplinkNumber } from '../desired/uplink.ts'
import { releaseHost } from '../workflows/vm.state.ts'
import type { Held } from './find.ts'

export interface Meeting {
  agentUuid: string
  held: readonly Held[]
  statuses: readonly Status[]
  /** power of each domain of ours on the host, as libvirt says it now: statuses are only as new as the agent's last pass */
  domains: ReadonlyMap<string, string>
  now: number
}

/** Agents that were not met yet. One that is deleted will never be. */
export const unheard = (graph: Graph): string[] =>
  [...graph.rows('reunion')].flatMap(([key]) => (graph.get('agent', key) ? [key] : []))

/** Throws `hosts-unheard` while some host may hold addresses that look free here. */
export function needAllHeard(graph: Graph): void {
  const agents = unheard(graph)
  if (agents.length === 0) return
  const hosts = [...new Set(agents.map((k) => hostNameOf(graph, k)))].sort()
  throw new SkerryError('hosts-unheard', `since the restore nothing was heard from ${hosts.slice(0, 10).join(', ')}`, {
    hosts,
    agents,
  })
}

function hostNameOf(graph: Graph, agentUuid: string): string {
  const agent = graph.get('agent', agentUuid)
  const host = graph.get('host', (agent?.['hostUuid'] as string | null | undefined) ?? '')
  return String(host?.['name'] ?? agent?.['name'] ?? agentUuid)
}

/** The change that ends the wait for this agent. */
export function reunite(graph: Graph, meeting: Meeting): Change {
  const { agentUuid } = meeting
  const agent = graph.get('agent', agentUuid)
  const ops: Op[] = [{ o: 'del', t: 'reunion', k: agentUuid }]
  const facts: Fact[] = []
  if (agent?.['kind'] === 'kvm' && typeof agent['hostUuid'] === 'string') {
    for (const vm of vmsOf(graph, agent['hostUuid'])) {
      const part = meetVm(graph, vm, { ...meeting, hostUuid: agent['hostUuid'] })
      ops.push(...part.ops)
      facts.push(...part.facts)
    }
  }
  if (agent?.['kind'] === 'vrouter') ops.push(...meetRouters(graph, meeting))
  return { ops, facts }
}

/** VMs that this host runs or ran last, destroyed ones too: one may have been recovered since. */
function vmsOf(graph: Graph, hostUuid: string): Row[] {
  const keys = new Set([...graph.by('vmInstance', 'hostUuid', hostUuid), ...graph.by('vmInstance', 'lastHostUuid', hostUuid)])
  return [...keys]
    .map((k) => graph.get('vmInstance', k)! as Row)
    .filter((vm) => (vm['hostUuid'] ?? vm['lastHostUuid']) === hostUuid && vm['state'] !== 'Created')
}

type Seen = Meeting & { hostUuid: string }

function meetVm(graph: Graph, vm: Row, { held, statuses, domains, hostUuid, now }: Seen): { ops: Op[]; facts: Fact[] } {
  const uuid = vm['uuid'] as string
  const spec = held.find((h) => h.noun === 'vm' && h.uuid === uuid)?.spec as kvmDesired.VmSpec | null | undefined
  const status = statuses.find((s) => s.noun === 'vm' && s.uuid === uuid)
  const power = domains.get(uuid)
  const there = spec !== undefined || power !== undefined
  const destroyed = ['Destroyed', 'Expunging'].includes(vm['state'] as string)
  if (destroyed && !there) return { ops: [], facts: [] }
  const observed = (status?.observed ?? {}) as { cause?: string }
  const on = power === 'Running' || power === 'Paused' || power === 'Crashed'
  const epoch = Math.max(vm['placementEpoch'] as number, spec?.placementEpoch ?? 0)
  const set = on
    ? {
        ...runs(graph, hostUuid, { state: power, cause: spec?.power.cause ?? 'api' }),
        // A panicked guest is kept as it is, for somebody to look at.
        ...(power === 'Crashed' ? { stateCause: observed.cause ?? 'panicked' } : {}),
        ...(power === 'Paused' ? { stateCause: observed.cause ?? 'by-hand', paused: observed.cause === 'api' } : {}),
      }
    : stands({ hostUuid, cause: there ? (observed.cause ?? 'restored') : 'gone' })
  const news = Object.fromEntries(
    Object.entries({ ...set, placementEpoch: epoch, destroyedAt: null }).filter(([k, v]) => (vm[k] ?? null) !== v),
  )
  // Already off, as it was: why is what was known, not what is told now.
  const asBefore = vm['state'] === set['state'] && vm['power'] === set['power'] && (there || vm['stateCause'] === 'gone')
  if (asBefore && epoch === vm['placementEpoch']) return { ops: [], facts: [] }
  const ops: Op[] = [
    { o: 'set', t: 'vmInstance', k: uuid, v: asBefore ? { placementEpoch: epoch } : { ...news, lastOpDate: now } },
  ]
  if (on && vm['hostUuid'] === null) ops.push(...takeHost(hostUuid, vm))
  if (!on && vm['hostUuid'] !== null) ops.push(...releaseHost(graph, vm['hostUuid'], vm))
  const moved = vm['state'] !== set['state']
  const data = { from: vm['state'], to: set['state'], cause: 'restored' }
  return { ops, facts: moved ? [{ noun: 'vmInstance', uuid, event: 'state-changed', data }] : [] }
}

const runs = (graph: Graph, hostUuid: string, { state, cause }: { state: string; cause: string }): Row => ({
  state,
  stateCause: null,
  hostUuid,
  clusterUuid: graph.get('host', hostUuid)?.['clusterUuid'] ?? null,
  power: 'Running',
  powerCause: cause,
})

const stands = ({ hostUuid, cause }: { hostUuid: string; cause: string }): Row => ({
  state: 'Stopped',
  stateCause: cause,
  hostUuid: null,
  lastHostUuid: hostUuid,
  power: 'Stopped',
  powerCause: cause,
})

/** Without a limit: it runs, whatever the graph would have allowed. */
const takeHost = (k: string, vm: Row): Op[] => [
  { o: 'add', t: 'host', k, field: 'availableCpuCapacity', delta: -(vm['cpuNum'] as number) },
  { o: 'add', t: 'host', k, field: 'availableMemoryCapacity', delta: -(vm['memorySize'] as number) },
]

/** A network whose router was chosen after the backup keeps it: a second one would answer for the same addresses. */
function meetRouters(graph: Graph, { agentUuid, held, now }: Meeting): Op[] {
  return held.flatMap(({ noun, uuid, spec }): Op[] => {
    const l3 = noun === 'router' ? graph.get('l3Network', uuid) : undefined
    if (!l3 || spec === null || l3['routerAgentUuid'] !== null) return []
    const number = uplinkNumber((spec as vrouterDesired.RouterSpec).uplink?.hostIp)
    const key = `${agentUuid}:${number}`
    const dates = { createDate: now, lastOpDate: now }
    const row = { uuid: key, name: key, agentUuid, l3NetworkUuid: uuid, number, ...dates }
    const uplink: Op[] =
      number === null || graph.get('routerUplink', key) ? [] : [{ o: 'put', t: 'routerUplink', k: key, v: row }]
    return [...uplink, { o: 'set', t: 'l3Network', k: uuid, v: { routerAgentUuid: agentUuid, routerUplink: number } }]
  })
}
