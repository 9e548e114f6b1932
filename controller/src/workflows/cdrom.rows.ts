/** Rows of CD drives: what is in them, and how they come and go with their VM. */
import { cachePath, type Op, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { isSftp } from './backup-storage.sftp.ts'
import type { VolumePlace } from './volume.rows.ts'
import { need, needEnabled } from './world.ts'

/** Fields of an empty drive. */
export const emptyDrive: Readonly<Row> = { isoUuid: null, isoInstallPath: null, media: null, inserted: false }

/** A VM's drive: a row since the first ISO. */
export function driveOf(graph: Graph, vmUuid: unknown): Readonly<Row> | undefined {
  const [key] = graph.by('vmCdRom', 'vmInstanceUuid', vmUuid)
  return key === undefined ? undefined : graph.get('vmCdRom', key)
}

/** Fields of a drive that gets this ISO. The guest doesn't see it before the host has its copy. */
export function loaded(graph: Graph, image: Readonly<Row>, at: VolumePlace): Row {
  const zone = need(graph, 'host', at.hostUuid)['zoneUuid'] as string
  const pool = need(graph, 'primaryStorage', at.primaryStorageUuid)['url'] as string
  const sha256 = image['sha256'] as string
  const media = { sha256, ...sourceIn(storeFor(graph, image, zone)), ...placeOf(at) }
  return { isoUuid: image['uuid'], isoInstallPath: cachePath(pool, sha256, 'iso'), media, inserted: false }
}

/** Where a host gets an image from. */
export const sourceIn = (store: Readonly<Row>) => ({
  storePath: store['url'] as string,
  ...(isSftp(store) ? { backupStorageUuid: store['uuid'] as string } : {}),
})

const placeOf = ({ hostUuid, primaryStorageUuid }: VolumePlace) => ({ hostUuid, primaryStorageUuid })

export function driveRow(own: { uuid: string; vmInstanceUuid: string }, fields: Readonly<Row>, now: number): Row {
  const name = `vm-${own.vmInstanceUuid}-cdRom`
  return { ...own, name, description: null, createDate: now, lastOpDate: now, deviceId: 0, protocol: null, ...fields }
}

/** Removes a VM's drive. */
export const dropDrives = (graph: Graph, vmUuid: unknown): Op[] =>
  [...graph.by('vmCdRom', 'vmInstanceUuid', vmUuid)].map((k): Op => ({ o: 'del', t: 'vmCdRom', k }))

/** Names of the documents of a VM's drive. */
export const isoNames = (graph: Graph, vmUuid: unknown): string[] =>
  [...graph.by('vmCdRom', 'vmInstanceUuid', vmUuid)].map((k) => `iso/${k}`)

/** A backup storage of that zone that holds the image. Throws `no-backup-storage`. */
export function storeFor(graph: Graph, image: Readonly<Row>, zoneUuid: string): Readonly<Row> {
  const store = (image['backupStorageRefs'] as { backupStorageUuid: string }[])
    .map((r) => graph.get('backupStorage', r.backupStorageUuid))
    .find((s) => s && (s['attachedZoneUuids'] as string[]).includes(zoneUuid))
  if (store) return store
  throw new SkerryError('no-backup-storage', `no backup storage of this zone holds image ${image['name']}`, {
    imageUuid: image['uuid'],
  })
}

/** The image, an ISO that can be used now. */
export function needIso(graph: Graph, uuid: unknown): Row {
  const image = needEnabled(graph, 'image', uuid)
  if (image['format'] !== 'iso')
    throw new SkerryError('invalid-argument', `image ${image['name']} is ${image['format']}, not an ISO`, {
      imageUuid: uuid,
      format: image['format'],
    })
  if (image['status'] !== 'Ready')
    throw new SkerryError('illegal-state', `image ${image['name']} is ${image['status']}, it must be Ready`, {
      uuid,
      state: image['status'],
      allowed: ['Ready'],
    })
  return image
}
