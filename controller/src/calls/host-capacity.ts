/** CPUs and memory of hosts, clusters or zones. */
import type { Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { type PlaceSettings, settingsOf } from '../place/settings.ts'
import { need } from '../workflows/world.ts'

interface Count {
  totalCpu: number
  availableCpu: number
  totalMemory: number
  availableMemory: number
  managedCpuNum: number
}

/** Available is what VMs can still get, with what is promised twice, and without what is kept for the hosts. */
function countOf(graph: Graph, hosts: Iterable<string>, settings: PlaceSettings): Count {
  const sum = { totalCpu: 0, availableCpu: 0, totalMemory: 0, availableMemory: 0, managedCpuNum: 0 }
  for (const uuid of hosts) {
    const host = graph.get('host', uuid)!
    sum.totalCpu += host['totalCpuCapacity'] as number
    sum.availableCpu += Math.max(0, host['availableCpuCapacity'] as number)
    sum.totalMemory += host['totalMemoryCapacity'] as number
    sum.availableMemory += Math.max(0, (host['availableMemoryCapacity'] as number) - settings.memoryFloor(host))
    sum.managedCpuNum += host['cpuNum'] as number
  }
  return sum
}

/** What the caller asks about: the narrowest that it names; with `all`, or when it names nothing, every zone. */
function asked(graph: Graph, params: Row): { type: string; hosts: Map<string, string[]> } {
  const named = (field: string, table: string) =>
    ((params[field] as string[] | undefined) ?? []).map((uuid) => need(graph, table, uuid)['uuid'] as string)
  const grouped = (field: string, uuids: readonly string[]) => new Map(uuids.map((k) => [k, [...graph.by('host', field, k)]]))
  const all = params['all'] === true
  const hosts = all ? [] : named('hostUuids', 'host')
  if (hosts.length > 0) return { type: 'HostVO', hosts: new Map(hosts.map((uuid) => [uuid, [uuid]])) }
  const clusters = all ? [] : named('clusterUuids', 'cluster')
  if (clusters.length > 0) return { type: 'ClusterVO', hosts: grouped('clusterUuid', clusters) }
  const zones = all ? [] : named('zoneUuids', 'zone')
  return { type: 'ZoneVO', hosts: grouped('zoneUuid', zones.length > 0 ? zones : [...graph.rows('zone')].map(([k]) => k)) }
}

export function hostCapacityOf(graph: Graph, params: Row): Row {
  const settings = settingsOf(graph)
  const { type, hosts } = asked(graph, params)
  const hypervisor = params['hypervisorType'] as string | undefined
  const ours = (k: string) => hypervisor === undefined || graph.get('host', k)?.['hypervisorType'] === hypervisor
  const groups = [...hosts].map(([resourceUuid, of]) => ({ resourceUuid, of: of.filter(ours) }))
  return {
    ...countOf(graph, new Set(groups.flatMap(({ of }) => of)), settings),
    resourceType: type,
    capacityData: groups.map(({ resourceUuid, of }) => ({ resourceUuid, ...countOf(graph, of, settings) })),
  }
}
