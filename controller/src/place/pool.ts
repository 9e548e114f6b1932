/**
 * Which primary storage of a host takes a volume (zstack-core §3.15): filters with a reason for every refusal, then the order that
 * the strategy gives. Pure; the commit's counter guard decides.
 */
import { type PrimaryStorageAllocatorStrategy, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { type PlaceSettings, settingsOf } from './settings.ts'
import { isRather, type StorageWish, storageWish, wishRefusal } from './storage-tags.ts'

export interface PoolRequest {
  host: Readonly<Row>
  primaryStorageUuid?: string
  /** bytes; 0 when nothing new is to be stored */
  diskBytes: number
  /** a `primaryStorageAllocatorStrategies`; default: the one with the most physical room */
  strategy?: string | undefined
  /** what tags of its offerings say */
  wish?: StorageWish | undefined
}

interface Pool {
  storage: Readonly<Row>
  part: Readonly<Row>
}

/** How good a storage is: the largest wins, of equal ones the first. */
const scores: Record<PrimaryStorageAllocatorStrategy, (graph: Graph, pool: Pool) => number> = {
  DefaultPrimaryStorageAllocationStrategy: (_graph, { part }) => part['availablePhysicalCapacity'] as number,
  MaximumAvailableCapacityPrimaryStorageAllocationStrategy: (_graph, { part }) => part['availableCapacity'] as number,
  LeastVolumePrimaryStorageAllocationStrategy: (graph, { storage }) =>
    -graph.countBy('volume', 'primaryStorageUuid', storage['uuid']),
}
const DEFAULT = 'DefaultPrimaryStorageAllocationStrategy'

function refusal({ storage, part }: { storage: Readonly<Row>; part: Readonly<Row> | undefined }, o: PoolAsk): string | undefined {
  const named = `primary storage ${storage['name']}`
  // A disabled one takes nothing new, and lets go of nothing that it has.
  const inUse = storage['state'] === 'Disabled' && o.diskBytes === 0
  if (storage['state'] !== 'Enabled' && !inUse) return `${named} is ${storage['state']}`
  if (part?.['status'] !== 'Connected') return `${named} is not connected there`
  if (o.diskBytes === 0) return undefined
  const free = (part['availableCapacity'] as number) - o.settings.diskFloor(part)
  if (free < o.diskBytes) return `${o.diskBytes} bytes are needed on ${named}, ${Math.max(0, free)} are free`
  const physical = (part['availablePhysicalCapacity'] as number) - o.settings.physicalFloor(part)
  return physical < 0 ? `${named} is promised more than once, and its disks are nearly full` : undefined
}
type PoolAsk = PoolRequest & { settings: PlaceSettings }

/** A storage on the request's host, and why it can't take it. */
function lookAt(graph: Graph, psUuid: string, o: PoolAsk) {
  const storage = graph.get('primaryStorage', psUuid)!
  const part = graph.get('localStorageHost', `${psUuid}:${o.host['uuid']}`)
  const unwished = o.wish && wishRefusal(graph, storage, o.wish)
  return { storage, part, because: unwished ?? refusal({ storage, part }, o) }
}

/** All that could take it, in no order. */
export function possiblePools(graph: Graph, request: PoolRequest, settings: PlaceSettings = settingsOf(graph)): Pool[] {
  const uuids = graph.by('primaryStorage', 'attachedClusterUuids', request.host['clusterUuid'])
  return [...uuids].flatMap((psUuid) => {
    const { storage, part, because } = lookAt(graph, psUuid, { ...request, settings })
    return because === undefined ? [{ storage, part: part! }] : []
  })
}

/** The storage, or why each one was refused; no reason at all when none is attached. */
export function choosePool(
  graph: Graph,
  request: PoolRequest,
  settings: PlaceSettings = settingsOf(graph),
): { storage: string | undefined; reasons: string[] } {
  const score = scores[(request.strategy ?? DEFAULT) as PrimaryStorageAllocatorStrategy] ?? scores[DEFAULT]
  const reasons: string[] = []
  let best: { storage: string; rather: boolean; score: number } | undefined
  const ask = { ...request, settings }
  for (const psUuid of graph.by('primaryStorage', 'attachedClusterUuids', request.host['clusterUuid'])) {
    if (request.primaryStorageUuid && psUuid !== request.primaryStorageUuid) continue
    const { storage, part, because } = lookAt(graph, psUuid, ask)
    if (because !== undefined) reasons.push(because)
    else {
      const scored = score(graph, { storage, part: part! })
      const rather = request.wish !== undefined && isRather(graph, storage, request.wish)
      if (!best || (rather === best.rather ? scored > best.score : rather)) best = { storage: psUuid, rather, score: scored }
    }
  }
  return { storage: best?.storage, reasons }
}

/** How the offering of a data volume wants its storage chosen. */
export function offeredStorage(graph: Graph, diskOfferingUuid: unknown): Pick<PoolRequest, 'strategy' | 'wish'> {
  const offering = typeof diskOfferingUuid === 'string' ? graph.get('diskOffering', diskOfferingUuid) : undefined
  if (!offering) return {}
  return { strategy: offering['allocatorStrategy'] as string | undefined, wish: storageWish(graph, [diskOfferingUuid]) }
}

/** Throws `no-primary-storage`, whose message says why each one was refused. */
export function needPool(graph: Graph, request: PoolRequest): string {
  const { storage, reasons } = choosePool(graph, request)
  if (storage) return storage
  const why = reasons.join('; ') || 'none is attached to its cluster'
  throw new SkerryError('no-primary-storage', `no primary storage of host ${request.host['name']} takes this volume: ${why}`, {
    hostUuid: request.host['uuid'],
    bytes: request.diskBytes,
    refused: reasons,
  })
}
