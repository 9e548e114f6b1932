/** What could be attached to each other, or used together: layer 2 networks and clusters, networks and images. */
import { type ResourceName, type Row, resources, SkerryError, VXLAN } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Call } from '../engine/port.ts'
import { render } from '../inventory/index.ts'
import { need } from '../workflows/world.ts'

/** As ZStack's. */
const PAGE = 1_000

function page(graph: Graph, table: ResourceName, params: Row, is: (row: Readonly<Row>) => boolean): Row {
  const [start, limit] = [(params['start'] as number | undefined) ?? 0, (params['limit'] as number | undefined) ?? PAGE]
  const rows = [...graph.rows(table)].map(([, row]) => row).filter(is)
  return { inventories: rows.slice(start, start + limit).map((row) => render(graph, resources[table], row)) }
}

/** A network over VXLAN goes where its pool goes. */
const fits = (l2: Readonly<Row>, cluster: Readonly<Row>): boolean =>
  l2['type'] !== VXLAN &&
  l2['zoneUuid'] === cluster['zoneUuid'] &&
  !(l2['attachedClusterUuids'] as unknown[]).includes(cluster['uuid'])

export const attachableCalls = (graph: Graph): Record<string, (call: Call) => Row> => ({
  GetCandidateClustersForAttachingL2Network: ({ params }) => {
    const l2 = need(graph, 'l2Network', params['l2NetworkUuid'])
    const types = params['clusterTypes'] as unknown[] | undefined
    return page(graph, 'cluster', params, (cluster) => fits(l2, cluster) && (!types?.length || types.includes(cluster['type'])))
  },
  GetCandidateL2NetworksForAttachingCluster: ({ params }) => {
    const cluster = need(graph, 'cluster', params['clusterUuid'])
    return page(graph, 'l2Network', params, (l2) => fits(l2, cluster))
  },
  GetInterdependentL3NetworksImages: ({ params }) => together(graph, params),
})

/** Clusters of the zone on whose hosts there is room for volumes at all. */
const withStorage = (graph: Graph, zoneUuid: unknown): string[] =>
  [...graph.by('cluster', 'zoneUuid', zoneUuid)].filter((k) => graph.countBy('primaryStorage', 'attachedClusterUuids', k) > 0)

function reaches(graph: Graph, l3: Readonly<Row>, cluster: string): boolean {
  const l2 = graph.get('l2Network', l3['l2NetworkUuid'] as string)
  return ((l2?.['attachedClusterUuids'] as string[] | undefined) ?? []).includes(cluster)
}

/** Whether a backup storage of the zone holds it. */
function isHeldIn(graph: Graph, image: Readonly<Row>, zoneUuid: unknown): boolean {
  const refs = (image['backupStorageRefs'] as { backupStorageUuid: string; status: string }[]).filter((r) => r.status === 'Ready')
  const stores = refs.map((ref) => graph.get('backupStorage', ref.backupStorageUuid))
  return stores.some((store) => (store?.['attachedZoneUuids'] as unknown[] | undefined)?.includes(zoneUuid))
}

/** Throws `invalid-argument` where neither is named, and `illegal-state` where nothing is found and the caller asks to be told so. */
function together(graph: Graph, params: Row): Row {
  const { zoneUuid, imageUuid, raiseException } = params
  need(graph, 'zone', zoneUuid)
  const l3s = ((params['l3NetworkUuids'] as string[] | undefined) ?? []).map((l3) => need(graph, 'l3Network', l3))
  if (l3s.length === 0 && imageUuid === undefined)
    throw new SkerryError('invalid-argument', 'give l3NetworkUuids or imageUuid', { field: 'l3NetworkUuids' })
  const clusters = withStorage(graph, zoneUuid)
  const fitting = l3s.length > 0 ? clusters.filter((cluster) => l3s.every((l3) => reaches(graph, l3, cluster))) : clusters
  const table = l3s.length > 0 ? 'image' : 'l3Network'
  const held = imageUuid === undefined || isHeldIn(graph, need(graph, 'image', imageUuid), zoneUuid)
  const is = (row: Readonly<Row>) =>
    table === 'image' ? isHeldIn(graph, row, zoneUuid) : held && fitting.some((cluster) => reaches(graph, row, cluster))
  const rows = fitting.length === 0 ? [] : [...graph.rows(table)].map(([, row]) => row).filter(is)
  if (rows.length === 0 && raiseException === true)
    throw new SkerryError('illegal-state', 'no network reaches a cluster of this zone that has storage and the image', {
      zoneUuid,
    })
  return { inventories: rows.map((row) => render(graph, resources[table], row)) }
}
