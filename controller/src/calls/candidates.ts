/** Where a VM could be created or started now. Hosts are looked at as placement does, and shown to whom may see them. */
import { type Row, resourceOf, resources, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Call } from '../engine/port.ts'
import { render } from '../inventory/index.ts'
import { candidates, type PlaceRequest } from '../place/host.ts'
import { requestOf, startRequestOf } from '../workflows/vm.request.ts'
import { need } from '../workflows/world.ts'

export interface CandidatePorts {
  /** all of it: where there is room depends on what the caller may not see */
  graph: Graph
  /** what the caller sees of it */
  seen: Graph
}

/** Throws `vm-illegal-state` for a VM that has a host already. */
export function candidateCalls({ graph, seen }: CandidatePorts): Record<string, (call: Call) => Row> {
  const found = (request: PlaceRequest, lists: Readonly<Record<string, string>>): Row => {
    const { possible } = candidates(graph, request)
    const list = (table: string): Row[] => {
      const uuids = [...new Set(possible.map((one) => one[`${table}Uuid` as 'hostUuid']))]
      return uuids.flatMap((uuid) => {
        const row = seen.get(table, uuid)
        return row ? [render(seen, resourceOf(table)!, row)] : []
      })
    }
    return Object.fromEntries(Object.entries(lists).map(([name, table]) => [name, list(table)]))
  }
  return {
    GetCandidateZonesClustersHostsForCreatingVm: ({ params }) =>
      found(requestOf({ graph, params }), { zones: 'zone', clusters: 'cluster', hosts: 'host' }),
    GetCandidatePrimaryStoragesForCreatingVm: ({ params }) => storagesFor(graph, seen, params),
    GetVmStartingCandidateClustersHosts: ({ params }) => {
      const vm = need(seen, 'vmInstance', params['uuid'])
      if (vm['hostUuid'] !== null)
        throw new SkerryError(
          'vm-illegal-state',
          `VM instance ${vm['name']} is ${vm['state']}: only one that is off can be started`,
          {
            uuid: vm['uuid'],
            state: vm['state'],
            allowed: ['Stopped'],
          },
        )
      return found(startRequestOf(graph, vm), { clusters: 'cluster', hosts: 'host' })
    },
  }
}

/** The least that a VM can have: how large it will be is not said. */
const SMALLEST = { cpuNum: 1, memorySize: 16 * 1024 ** 2 }

/** All disks of a new VM go to one primary storage, so where its root volume could be the others could be too. */
function storagesFor(graph: Graph, seen: Graph, params: Row): Row {
  const request = requestOf({ graph, params: { ...params, ...SMALLEST } })
  const those = [...seen.rows('primaryStorage')].filter(
    ([primaryStorageUuid]) => candidates(graph, { ...request, primaryStorageUuid }).possible.length > 0,
  )
  const shown = those.map(([, row]) => render(seen, resources.primaryStorage, row))
  const disks = ['dataDiskOfferingUuids', 'dataDiskSizes'].flatMap((field) => (params[field] as unknown[] | undefined) ?? [])
  return {
    rootVolumePrimaryStorages: shown,
    dataVolumePrimaryStorages: Object.fromEntries(disks.map((disk) => [String(disk), shown])),
  }
}
