/** Moves of a VM's state, by the contract's table, and what a VM holds of its host. */
import { type Fact, type Guard, type Op, type Row, vmStates } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { agentOn } from '../desired/agents-of.ts'
import { flatsOfVm } from '../desired/flat.ts'
import { hostFloor } from '../place/host.ts'
import { type EndCtx, need } from './world.ts'

/** States from which an event leads somewhere. */
export const statesWith = (event: string): string[] =>
  Object.entries(vmStates)
    .filter(([, events]) => event in events)
    .map(([state]) => state)

/** The move as guard, operation and fact; already being there is fine, so a repeat changes nothing. `uuid`: default, of the call. */
export function moveVm(
  ctx: EndCtx,
  event: string,
  extra: Row = {},
  uuid: string = ctx.input.uuid,
): { guards: Guard[]; ops: Op[]; facts: Fact[] } {
  const vm = need(ctx.world.graph, 'vmInstance', uuid)
  const from = vm['state'] as string
  const to = vmStates[from]?.[event] ?? targetOf(event)
  return {
    guards: [{ g: 'field', t: 'vmInstance', k: uuid, field: 'state', in: [...statesWith(event), to] }],
    ops: [{ o: 'set', t: 'vmInstance', k: uuid, v: { state: to, lastOpDate: ctx.world.now(), ...extra } }],
    facts: from === to ? [] : [{ noun: 'vmInstance', uuid, event: 'state-changed', data: { from, to } }],
  }
}

const targetOf = (event: string): string =>
  Object.values(vmStates)
    .map((events) => events[event])
    .find((to) => to !== undefined) ?? event

/** Takes the CPUs and memory of a VM from a host, as counter guards: two at once can't both take the last. */
export function reserveHost(graph: Graph, hostUuid: string, vm: Row): { guards: Guard[]; ops: Op[] } {
  const cpu = vm['cpuNum'] as number
  const memory = vm['memorySize'] as number
  const floor = hostFloor(graph, need(graph, 'host', hostUuid))
  return {
    guards: [
      { g: 'counter', t: 'host', k: hostUuid, field: 'availableCpuCapacity', delta: -cpu, min: floor.cpus },
      { g: 'counter', t: 'host', k: hostUuid, field: 'availableMemoryCapacity', delta: -memory, min: floor.memory },
      { g: 'field', t: 'host', k: hostUuid, field: 'state', in: ['Enabled'] },
    ],
    ops: [
      { o: 'add', t: 'host', k: hostUuid, field: 'availableCpuCapacity', delta: -cpu },
      { o: 'add', t: 'host', k: hostUuid, field: 'availableMemoryCapacity', delta: -memory },
    ],
  }
}

/** Gives them back. A host that is gone has nothing to be given. */
export function releaseHost(graph: Graph, hostUuid: unknown, vm: Row): Op[] {
  if (typeof hostUuid !== 'string' || !graph.get('host', hostUuid)) return []
  return [
    { o: 'add', t: 'host', k: hostUuid, field: 'availableCpuCapacity', delta: vm['cpuNum'] as number },
    { o: 'add', t: 'host', k: hostUuid, field: 'availableMemoryCapacity', delta: vm['memorySize'] as number },
  ]
}

/**
 * Gives back what a VM holds of its host, once: several jobs may be getting it off at the same time (its own, its host's), and whoever
 * meets a VM that has been moved meanwhile decides anew.
 */
export function leaveHost(graph: Graph, vm: Row): { guards: Guard[]; ops: Op[] } {
  const k = vm['uuid'] as string
  return {
    guards: [{ g: 'version', t: 'vmInstance', k, seq: graph.version('vmInstance', k)! }],
    ops: releaseHost(graph, vm['hostUuid'], vm),
  }
}

/**
 * Documents that a VM needs before it can start: of its networks' bridges those on its own host and on the hosts of their routers. The
 * others are nothing to it: a host that is away keeps no VM of another host from starting.
 */
export function needsOf(graph: Graph, vmUuid: string): string[] {
  const nics = [...graph.by('vmNic', 'vmInstanceUuid', vmUuid)].map((k) => graph.get('vmNic', k)!)
  const l3s = [...new Set(nics.map((n) => n['l3NetworkUuid'] as string))]
  const home = graph.get('vmInstance', vmUuid)?.['hostUuid'] as string | undefined
  const bridges = l3s.flatMap((uuid) => {
    const l3 = graph.get('l3Network', uuid)
    const routerAt = graph.get('agent', (l3?.['routerAgentUuid'] as string | null) ?? '')?.['hostUuid'] as string | undefined
    return [home, routerAt]
      .map((hostUuid) => agentOn(graph, hostUuid, 'kvm'))
      .flatMap((agentUuid) => (agentUuid ? [`${agentUuid}/bridge/${l3?.['l2NetworkUuid']}`] : []))
  })
  // a flat network has a router on each host of its guests: that of its own host is waited for
  const near = agentOn(graph, home, 'vrouter')
  const flats = near ? flatsOfVm(graph, vmUuid).map((u) => `${near}/router/${u}`) : []
  const cards = nics.flatMap((n) => [`lease/${n['uuid']}`, `metadata/${n['uuid']}`])
  return [...new Set(bridges), ...l3s.map((u) => `router/${u}`), ...flats, ...cards]
}
