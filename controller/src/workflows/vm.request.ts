/** What a call asks for when it creates a VM: sizes, networks, place; and what is wrong with it. Pure. */
import { hostAllocatorStrategies, MAX_DATA_VOLUMES, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { needAllHeard } from '../orphans/reunite.ts'
import { groupsIn } from '../place/affinity.ts'
import { boundTo, boundToOf } from '../place/binding.ts'
import { type PlaceRequest, placeVm } from '../place/host.ts'
import { schedulingGroupsIn } from '../place/scheduling-rules.ts'
import { storageWish } from '../place/storage-tags.ts'
import { offeredQos } from './volume.limits.ts'
import { type CheckInput, need, needEnabled } from './world.ts'

/** CPU and memory: the offering's, unless the call says its own (0 says nothing). */
export function sizeOf(graph: Graph, params: Row): { cpuNum: number; memorySize: number } {
  const offering = params['instanceOfferingUuid']
    ? needEnabled(graph, 'instanceOffering', params['instanceOfferingUuid'])
    : undefined
  const cpuNum = (offering?.['cpuNum'] ?? params['cpuNum'] ?? 0) as number
  const memorySize = (offering?.['memorySize'] ?? params['memorySize'] ?? 0) as number
  if (cpuNum < 1 || memorySize < 16 * 1024 ** 2)
    throw new SkerryError('invalid-argument', 'give an instanceOfferingUuid, or cpuNum ≥ 1 and memorySize ≥ 16 MiB', {
      cpuNum,
      memorySize,
    })
  return { cpuNum, memorySize }
}

/** What a VM is installed from, rather than made of. */
export const isIso = (image: Readonly<Row>): boolean => image['format'] === 'iso'

/** Size of the root volume: what is asked for, at least the image's virtual size. An ISO has none: it must be asked for. */
export function diskOf(graph: Graph, params: Row): number {
  const image = need(graph, 'image', params['imageUuid'])
  const offering = params['rootDiskOfferingUuid'] ? needEnabled(graph, 'diskOffering', params['rootDiskOfferingUuid']) : undefined
  const asked = (offering?.['diskSize'] ?? params['rootDiskSize'] ?? 0) as number
  if (isIso(image) && asked < 1)
    throw new SkerryError(
      'invalid-argument',
      `image ${image['name']} is an ISO and has no root disk: give a rootDiskOfferingUuid, or a rootDiskSize of at least 1 byte`,
      { imageUuid: image['uuid'] },
    )
  if (isIso(image)) return asked
  if (asked > 0 && asked < (image['size'] as number))
    throw new SkerryError(
      'invalid-argument',
      `the root disk (${asked} bytes) is smaller than image ${image['name']} (${image['size']} bytes)`,
      { asked, imageSize: image['size'] },
    )
  return Math.max(asked, image['size'] as number)
}

/** Data volumes that a call asks for: those of its offerings, then those of its own sizes. */
export function dataDisksOf(graph: Graph, params: Row): { sizeBytes: number; diskOfferingUuid: string | null }[] {
  const offered = ((params['dataDiskOfferingUuids'] as string[] | undefined) ?? []).map((diskOfferingUuid) => ({
    sizeBytes: needEnabled(graph, 'diskOffering', diskOfferingUuid)['diskSize'] as number,
    diskOfferingUuid,
  }))
  const sized = ((params['dataDiskSizes'] as number[] | undefined) ?? []).map((sizeBytes) => ({
    sizeBytes,
    diskOfferingUuid: null,
  }))
  const all = [...offered, ...sized]
  if (all.length > MAX_DATA_VOLUMES)
    throw new SkerryError('invalid-argument', `a VM instance can have at most ${MAX_DATA_VOLUMES} data volumes`, {
      asked: all.length,
      limit: MAX_DATA_VOLUMES,
    })
  return all
}

/** How its host is chosen: as its offering says. */
export const allocatorOf = (graph: Graph, params: Row): string =>
  (graph.get('instanceOffering', (params['instanceOfferingUuid'] as string | undefined) ?? '')?.['allocatorStrategy'] as
    | string
    | undefined) ?? hostAllocatorStrategies[0]

export const uniqueL3s = (params: Row) => params['l3NetworkUuids'] as string[]

export function checkCreate({ graph, params, uuid }: CheckInput): void {
  needAllHeard(graph)
  if (graph.get('vmInstance', uuid)) throw new SkerryError('duplicate-uuid', `a VM instance with uuid ${uuid} exists`, { uuid })
  sizeOf(graph, params)
  const image = needEnabled(graph, 'image', params['imageUuid'])
  if (image['status'] !== 'Ready')
    throw new SkerryError('illegal-state', `image ${image['name']} is ${image['status']}, it must be Ready`, {
      uuid: image['uuid'],
      state: image['status'],
      allowed: ['Ready'],
    })
  diskOf(graph, params)
  const l3s = uniqueL3s(params)
  if (new Set(l3s).size !== l3s.length) throw new SkerryError('invalid-argument', 'l3NetworkUuids names a network twice')
  for (const l3 of l3s) needEnabled(graph, 'l3Network', l3)
  const byDefault = params['defaultL3NetworkUuid']
  if (byDefault && !l3s.includes(byDefault as string))
    throw new SkerryError('invalid-argument', 'defaultL3NetworkUuid is not among l3NetworkUuids')
  for (const [field, table] of [
    ['zoneUuid', 'zone'],
    ['clusterUuid', 'cluster'],
    ['hostUuid', 'host'],
    ['primaryStorageUuidForRootVolume', 'primaryStorage'],
  ] as const)
    if (params[field]) need(graph, table, params[field])
  offeredQos(graph, params['rootDiskOfferingUuid'], params['instanceOfferingUuid'])
  for (const uuid of (params['dataDiskOfferingUuids'] as string[] | undefined) ?? []) offeredQos(graph, uuid)
  placeVm(graph, requestOf({ graph, params }))
}

export function requestOf({ graph, params, random }: { graph: Graph; params: Row; random?: () => number }): PlaceRequest {
  const image = need(graph, 'image', params['imageUuid'])
  const stores = (image['backupStorageRefs'] as { backupStorageUuid: string }[]).map((r) =>
    graph.get('backupStorage', r.backupStorageUuid),
  )
  const { cpuNum, memorySize } = sizeOf(graph, params)
  const tags = (params['systemTags'] as string[] | undefined) ?? []
  const bound = boundTo(tags)
  const disk = graph.get('diskOffering', (params['rootDiskOfferingUuid'] as string | undefined) ?? '')
  const wish = storageWish(graph, [params['instanceOfferingUuid'], params['rootDiskOfferingUuid']])
  return {
    strategy: allocatorOf(graph, params),
    affinityGroupUuids: groupsIn(tags),
    vmSchedulingGroupUuids: schedulingGroupsIn(tags),
    ...(disk ? { storageStrategy: disk['allocatorStrategy'] as string } : {}),
    ...(wish ? { storageWish: wish } : {}),
    ...(bound ? { boundTo: bound } : {}),
    ...(random ? { random } : {}),
    ...(params['zoneUuid'] ? { zoneUuid: params['zoneUuid'] as string } : {}),
    ...(params['clusterUuid'] ? { clusterUuid: params['clusterUuid'] as string } : {}),
    ...(params['hostUuid'] ? { hostUuid: params['hostUuid'] as string } : {}),
    ...(params['primaryStorageUuidForRootVolume']
      ? { primaryStorageUuid: params['primaryStorageUuidForRootVolume'] as string }
      : {}),
    cpuNum,
    memoryBytes: memorySize,
    diskBytes: dataDisksOf(graph, params).reduce((sum, disk) => sum + disk.sizeBytes, diskOf(graph, params)),
    l3NetworkUuids: uniqueL3s(params),
    imageZones: stores.flatMap((s) => (s ? (s['attachedZoneUuids'] as string[]) : [])),
  }
}

/** What starting a VM that exists asks for: room where its volumes are, in the places that the call names. */
export function startRequestOf(graph: Graph, vm: Readonly<Row>, params: Row = {}): PlaceRequest {
  const root = need(graph, 'volume', vm['rootVolumeUuid'])
  const vmUuid = vm['uuid'] as string
  const nics = [...graph.by('vmNic', 'vmInstanceUuid', vmUuid)].map((k) => graph.get('vmNic', k)!)
  const bound = boundToOf(graph, vmUuid)
  const last = vm['lastHostUuid'] as string | null
  return {
    vmUuid,
    strategy: vm['allocatorStrategy'] as string,
    ...(params['hostUuid'] ? { hostUuid: params['hostUuid'] as string } : {}),
    ...(params['clusterUuid'] ? { clusterUuid: params['clusterUuid'] as string } : {}),
    ...(bound ? { boundTo: bound } : {}),
    ...(last ? { lastHostUuid: last } : {}),
    volumeHostUuid: root['localHostUuid'] as string,
    primaryStorageUuid: root['primaryStorageUuid'] as string,
    cpuNum: vm['cpuNum'] as number,
    memoryBytes: vm['memorySize'] as number,
    diskBytes: 0,
    l3NetworkUuids: nics.map((nic) => nic['l3NetworkUuid'] as string),
  }
}
