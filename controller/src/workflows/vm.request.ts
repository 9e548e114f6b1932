/** What a call asks for when it creates a VM: sizes, networks, place; and what is wrong with it. Pure. */
import { type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { placeVm } from '../place/host.ts'
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

/** Size of the root volume: what is asked for, at least the image's virtual size. */
export function diskOf(graph: Graph, params: Row): number {
  const image = need(graph, 'image', params['imageUuid'])
  const offering = params['rootDiskOfferingUuid'] ? needEnabled(graph, 'diskOffering', params['rootDiskOfferingUuid']) : undefined
  const asked = (offering?.['diskSize'] ?? params['rootDiskSize'] ?? 0) as number
  if (asked > 0 && asked < (image['size'] as number))
    throw new SkerryError(
      'invalid-argument',
      `the root disk (${asked} bytes) is smaller than image ${image['name']} (${image['size']} bytes)`,
      { asked, imageSize: image['size'] },
    )
  return Math.max(asked, image['size'] as number)
}

export const uniqueL3s = (params: Row) => params['l3NetworkUuids'] as string[]

export function checkCreate({ graph, params, uuid }: CheckInput): void {
  if (graph.get('vmInstance', uuid)) throw new SkerryError('duplicate-uuid', `a VM instance with uuid ${uuid} exists`, { uuid })
  sizeOf(graph, params)
  const image = needEnabled(graph, 'image', params['imageUuid'])
  if (image['status'] !== 'Ready')
    throw new SkerryError('illegal-state', `image ${image['name']} is ${image['status']}, it must be Ready`, {
      uuid: image['uuid'],
      state: image['status'],
      allowed: ['Ready'],
    })
  if (image['format'] === 'iso')
    throw new SkerryError('invalid-argument', `image ${image['name']} is an ISO: it has no root disk`, {
      imageUuid: image['uuid'],
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
  placeVm(graph, requestOf({ graph, params }))
}

export function requestOf({ graph, params }: { graph: Graph; params: Row }) {
  const image = need(graph, 'image', params['imageUuid'])
  const stores = (image['backupStorageRefs'] as { backupStorageUuid: string }[]).map((r) =>
    graph.get('backupStorage', r.backupStorageUuid),
  )
  const { cpuNum, memorySize } = sizeOf(graph, params)
  return {
    ...(params['zoneUuid'] ? { zoneUuid: params['zoneUuid'] as string } : {}),
    ...(params['clusterUuid'] ? { clusterUuid: params['clusterUuid'] as string } : {}),
    ...(params['hostUuid'] ? { hostUuid: params['hostUuid'] as string } : {}),
    ...(params['primaryStorageUuidForRootVolume']
      ? { primaryStorageUuid: params['primaryStorageUuidForRootVolume'] as string }
      : {}),
    cpuNum,
    memoryBytes: memorySize,
    diskBytes: diskOf(graph, params),
    l3NetworkUuids: uniqueL3s(params),
    imageZones: stores.flatMap((s) => (s ? (s['attachedZoneUuids'] as string[]) : [])),
  }
}
