/** Rows of volumes: what they take of their storage, and how they leave their VM. */
import { type Guard, type Op, type Row, SkerryError, volumePath } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { needPool } from '../place/pool.ts'
import { settingsOf } from '../place/settings.ts'
import { need } from './world.ts'

export interface VolumePlace {
  hostUuid: string
  primaryStorageUuid: string
}

/**
 * Takes room for volumes on one host's part of a storage, as a counter guard: two at once can't both have the last of it. Throws
 * `no-primary-storage` when there is too little now.
 */
export function takeRoom(graph: Graph, at: VolumePlace, sizeBytes: number): { guards: Guard[]; ops: Op[] } {
  needPool(graph, {
    host: need(graph, 'host', at.hostUuid),
    primaryStorageUuid: at.primaryStorageUuid,
    diskBytes: sizeBytes,
  })
  const part = `${at.primaryStorageUuid}:${at.hostUuid}`
  const delta = -sizeBytes
  const min = settingsOf(graph).diskFloor(need(graph, 'localStorageHost', part))
  return {
    guards: [{ g: 'counter', t: 'localStorageHost', k: part, field: 'availableCapacity', delta, min }],
    ops: [
      { o: 'add', t: 'localStorageHost', k: part, field: 'availableCapacity', delta },
      { o: 'add', t: 'primaryStorage', k: at.primaryStorageUuid, field: 'availableCapacity', delta },
    ],
  }
}

/** Gives back the room of a volume and of its snapshots. One that has no place, or whose storage is gone, has none to give. */
export function giveRoom(graph: Graph, volume: Readonly<Row>): Op[] {
  const storage = volume['primaryStorageUuid'] as string
  const part = `${storage}:${volume['localHostUuid']}`
  const delta = (volume['size'] as number) + snapshotBytes(graph, volume['uuid'] as string)
  return [
    ...(graph.get('localStorageHost', part)
      ? [{ o: 'add' as const, t: 'localStorageHost', k: part, field: 'availableCapacity', delta }]
      : []),
    ...(volume['localHostUuid'] && graph.get('primaryStorage', storage)
      ? [{ o: 'add' as const, t: 'primaryStorage', k: storage, field: 'availableCapacity', delta }]
      : []),
  ]
}

/** Fields of a volume that gets this place. */
export function placed(graph: Graph, uuid: string, at: VolumePlace): Row {
  const pool = need(graph, 'primaryStorage', at.primaryStorageUuid)['url'] as string
  return {
    primaryStorageUuid: at.primaryStorageUuid,
    localHostUuid: at.hostUuid,
    installPath: volumePath(pool, uuid, 'qcow2'),
    status: 'Creating',
  }
}

/** Fields of a data volume that has no place and no VM. */
export const unplaced: Readonly<Row> = {
  primaryStorageUuid: null,
  localHostUuid: null,
  installPath: null,
  actualSize: null,
  status: 'NotInstantiated',
}

/** A data volume as it is made: without a VM, and without a place until `placed` says one. */
export const dataVolumeRow = (own: { uuid: string; name: unknown; description: unknown; size: number }, now: number): Row => ({
  ...own,
  createDate: now,
  lastOpDate: now,
  ...unplaced,
  vmInstanceUuid: null,
  diskOfferingUuid: null,
  rootImageUuid: null,
  type: 'Data',
  format: 'qcow2',
  deviceId: null,
  state: 'Enabled',
  isShareable: false,
  lastVmInstanceUuid: null,
  lastDetachDate: null,
  lastAttachDate: null,
  backing: null,
  detaching: false,
  placingJob: null,
  deletedAt: null,
  ...oneFile,
})

/** Fields of a volume with a single file, which no job works on. */
export const oneFile: Readonly<Row> = { latestSnapshotUuid: null, next: null, drop: [], filesJob: null }

export const snapshotsOf = (graph: Graph, volumeUuid: string): Readonly<Row>[] =>
  [...graph.by('volumeSnapshot', 'volumeUuid', volumeUuid)].map((k) => graph.get('volumeSnapshot', k)!)

/** Throws `in-use` while a job works on its files. */
export function needIdleFiles(volume: Readonly<Row>, job?: string): void {
  const busy = volume['filesJob'] as string | null | undefined
  if (busy && busy !== job)
    throw new SkerryError('in-use', `a job is at work on the files of volume ${volume['name']}`, {
      uuid: volume['uuid'],
      job: busy,
    })
}

/** Bytes of its snapshots: what they take of its storage besides its own size. */
export const snapshotBytes = (graph: Graph, volumeUuid: string): number =>
  snapshotsOf(graph, volumeUuid).reduce((sum, s) => sum + (s['size'] as number), 0)

/** Removes its snapshots and their trees; their room goes with the volume's. */
export const dropSnapshots = (graph: Graph, volumeUuid: string): Op[] => [
  ...[...graph.by('volumeSnapshot', 'volumeUuid', volumeUuid)].map((k): Op => ({ o: 'del', t: 'volumeSnapshot', k })),
  ...[...graph.by('volumeSnapshotTree', 'volumeUuid', volumeUuid)].map((k): Op => ({ o: 'del', t: 'volumeSnapshotTree', k })),
]

/** Removes all volumes of a VM and gives their room back. */
export function dropVolumes(graph: Graph, vmUuid: string): Op[] {
  return [...graph.by('volume', 'vmInstanceUuid', vmUuid)].flatMap((k): Op[] => [
    { o: 'del', t: 'volume', k },
    ...dropSnapshots(graph, k),
    ...giveRoom(graph, graph.get('volume', k)!),
  ])
}

/** Takes a volume out of its VM: it stays where it is, and can be given to another VM there. */
export function detached(volume: Readonly<Row>, now: number): Op {
  const v = {
    vmInstanceUuid: null,
    deviceId: null,
    detaching: false,
    lastVmInstanceUuid: volume['vmInstanceUuid'],
    lastDetachDate: now,
    lastOpDate: now,
  }
  return { o: 'set', t: 'volume', k: volume['uuid'] as string, v }
}

/** Data volumes of a VM. */
export const dataVolumesOf = (graph: Graph, vmUuid: string): Readonly<Row>[] =>
  [...graph.by('volume', 'vmInstanceUuid', vmUuid)].map((k) => graph.get('volume', k)!).filter((v) => v['type'] === 'Data')

/** The data volume; a root volume lives and goes with its VM, so it is refused, as is one in another status than these. */
export function needData(graph: Graph, uuid: unknown, allowed: readonly string[]): Row {
  const volume = need(graph, 'volume', uuid)
  if (volume['type'] !== 'Data')
    throw new SkerryError(
      'invalid-argument',
      `volume ${volume['name']} is a ${volume['type']} volume: this is for data volumes`,
      {
        uuid,
        type: volume['type'],
      },
    )
  if (!allowed.includes(volume['status'] as string))
    throw new SkerryError(
      'illegal-state',
      `volume ${volume['name']} is ${volume['status']}, it must be ${allowed.join(' or ')}`,
      { uuid, state: volume['status'], allowed: [...allowed] },
    )
  return volume
}
