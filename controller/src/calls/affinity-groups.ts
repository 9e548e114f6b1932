/** Affinity groups that a VM can be put into. */
import { type Row, resources } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { render } from '../inventory/index.ts'
import { nonConflicting } from '../place/affinity.ts'
import { need } from '../workflows/world.ts'

const shown = (graph: Graph, fits: (group: Readonly<Row>) => boolean): Row => ({
  inventories: [...graph.rows('affinityGroup')]
    .filter(([, group]) => group['state'] === 'Enabled' && fits(group))
    .map(([, group]) => render(graph, resources.affinityGroup, group)),
})

/** Those that it isn't in, and in which nothing stands against it where it is now. */
export function groupsForVm(graph: Graph, vmUuid: unknown): Row {
  const vm = need(graph, 'vmInstance', vmUuid)
  const isIn = new Set(
    [...graph.by('affinityGroupUsage', 'resourceUuid', vmUuid)].map(
      (k) => graph.get('affinityGroupUsage', k)?.['affinityGroupUuid'],
    ),
  )
  return shown(graph, (group) => !isIn.has(group['uuid']) && nonConflicting(graph, group, vm) === undefined)
}

/** Those of the zone, and of no zone; with a host, those in which nothing stands against it there. */
export function groupsForNewVm(graph: Graph, params: Row): Row {
  for (const [field, table] of [
    ['zoneUuid', 'zone'],
    ['clusterUuid', 'cluster'],
    ['hostUuid', 'host'],
  ] as const)
    if (params[field] !== undefined) need(graph, table, params[field])
  const vm = { uuid: null, name: 'that is to be created', zoneUuid: params['zoneUuid'], hostUuid: params['hostUuid'] ?? null }
  return shown(graph, (group) => nonConflicting(graph, group, vm) === undefined)
}
