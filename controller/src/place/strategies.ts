/**
 * Which of the hosts that can take a VM gets it: the one that costs least (zstack-core §3.13). Pure. A new strategy is one entry here
 * and its name in the contract.
 */
import type { HostAllocatorStrategy } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Ask, Candidate } from './request.ts'

export interface Strategy {
  /** Never less than `vms`, the VMs that the host has: a search may end when no host with so few is left. `any` has them all as 0. */
  cost(ask: Ask, candidate: Candidate, vms: number): number
  /** any host is as good as another */
  any?: boolean
  /** the host where the VM ran last comes before all others */
  lastHostFirst?: boolean
}

const fewest: Strategy = { cost: (_ask, _candidate, vms) => vms }
const anyHost: Strategy = { any: true, cost: (_ask, _candidate, vms) => vms }

/** VMs that are off, and were on this host last. */
function stopped(graph: Graph, hostUuid: unknown): number {
  let count = 0
  for (const key of graph.by('vmInstance', 'lastHostUuid', hostUuid)) {
    const vm = graph.get('vmInstance', key)
    if (vm?.['hostUuid'] === null && vm['state'] === 'Stopped') count += 1
  }
  return count
}

const strategies: Record<HostAllocatorStrategy, Strategy> = {
  LeastVmPreferredHostAllocatorStrategy: fewest,
  StoppedVmAwareLeastVmPreferredHostAllocatorStrategy: {
    cost: ({ graph }, { host }, vms) => vms + stopped(graph, host['uuid']),
  },
  DefaultHostAllocatorStrategy: anyHost,
  DesignatedHostAllocatorStrategy: { ...anyHost, lastHostFirst: true },
  LastHostPreferredAllocatorStrategy: { ...fewest, lastHostFirst: true },
}

/** More than any number of VMs: hosts that a soft rule would rather leave out come last. */
export const RATHER_NOT = 2 ** 40

export const strategyOf = (name: string | undefined): Strategy =>
  strategies[name as HostAllocatorStrategy] ?? strategies.LeastVmPreferredHostAllocatorStrategy

/** With what soft rules and a soft binding add. */
export function costOf(ask: Ask, candidate: Candidate, vms: number): number {
  const { request, apart, settings, rules } = ask
  const { uuid, clusterUuid } = candidate.host as { uuid: string; clusterUuid: string }
  const unbound = request.boundTo && settings.bindingIsSoft() && ![uuid, clusterUuid].some((k) => request.boundTo!.includes(k))
  const broken = rules.broken(uuid) + (apart.soft.has(uuid) ? 1 : 0)
  const preferred = strategyOf(request.strategy).cost(ask, candidate, vms)
  return preferred + broken * RATHER_NOT + (unbound ? 2 * RATHER_NOT : 0)
}
