/** CD drive with an ISO → the host's own copy of it, where the VM's root volume is. */
import { cachePath, type Row, type storageDesired, storePath } from '@skerry/contract'
import { agentOn } from './agents-of.ts'
import type { Projection } from './projection.ts'

interface Media {
  sha256: string
  storePath: string
  primaryStorageUuid: string
  hostUuid: string
  /** of the storage server that `storePath` is on */
  backupStorageUuid?: string
}
export const mediaOf = (drive: Readonly<Row> | undefined): Media | null => (drive?.['media'] as Media | null | undefined) ?? null

export const isos: Projection = {
  noun: 'iso',
  kind: 'storage',
  touchedBy: {
    vmCdRom: (row) => [row['uuid'] as string],
    agent: (row, graph) =>
      typeof row['hostUuid'] === 'string'
        ? [...graph.by('volume', 'localHostUuid', row['hostUuid'])].flatMap((volume) => [
            ...graph.by('vmCdRom', 'vmInstanceUuid', graph.get('volume', volume)?.['vmInstanceUuid']),
          ])
        : [],
  },
  agents(graph, uuid) {
    const agent = agentOn(graph, mediaOf(graph.get('vmCdRom', uuid))?.hostUuid, 'storage')
    return agent ? [agent] : []
  },
  spec(graph, uuid): Row {
    const drive = graph.get('vmCdRom', uuid)!
    const media = mediaOf(drive)!
    const spec: storageDesired.IsoSpec = {
      poolUuid: media.primaryStorageUuid,
      imageUuid: drive['isoUuid'] as string,
      sha256: media.sha256,
      sourcePath: storePath(media.storePath, media.sha256, 'iso'),
      ...(media.backupStorageUuid ? { backupStorageUuid: media.backupStorageUuid } : {}),
      cachePath: cachePath(graph.get('primaryStorage', media.primaryStorageUuid)?.['url'] as string, media.sha256, 'iso'),
    }
    return spec
  },
}
