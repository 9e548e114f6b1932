/** Volume → file on the host that holds it; a deleted one keeps it until it is expunged. */
import { cachePath, fileNameOf, type Row, type storageDesired, storePath, volumePath } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { agentOn } from './agents-of.ts'
import type { Projection } from './projection.ts'

/** What a volume of more than one file says besides; nothing of the others, whose documents stay as they were. */
function filesOf(graph: Graph, volume: Readonly<Row>): Pick<storageDesired.VolumeSpec, 'layers' | 'next' | 'drop'> {
  const snapshots = [...graph.by('volumeSnapshot', 'volumeUuid', volume['uuid'])].map((k) => graph.get('volumeSnapshot', k)!)
  // The file of one that is being taken is still the volume's own.
  const layers = snapshots
    .filter((s) => s['status'] !== 'Creating')
    .map((s) => ({ snapshotUuid: s['uuid'] as string, file: fileNameOf(s['primaryStorageInstallPath'] as string) }))
    .sort((a, b) => (a.snapshotUuid < b.snapshotUuid ? -1 : 1))
  const next = volume['next'] as storageDesired.VolumeSpec['next'] | null
  const drop = (volume['drop'] as string[] | undefined) ?? []
  return { ...(layers.length > 0 ? { layers } : {}), ...(next ? { next } : {}), ...(drop.length > 0 ? { drop } : {}) }
}

interface Below {
  sha256: string
  format: 'qcow2' | 'raw'
  storePath: string
  /** of the storage server that `storePath` is on */
  backupStorageUuid?: string
}

export const volumes: Projection = {
  noun: 'volume',
  kind: 'storage',
  touchedBy: {
    volume: (row) => [row['uuid'] as string],
    volumeSnapshot: (row) => [row['volumeUuid'] as string],
    agent: (row, graph) => (typeof row['hostUuid'] === 'string' ? [...graph.by('volume', 'localHostUuid', row['hostUuid'])] : []),
  },
  agents(graph, uuid) {
    const volume = graph.get('volume', uuid)
    // What is being copied appears by a command; as a document it would be made, empty.
    if (!volume || volume['copyOf'] || !['Creating', 'Ready', 'Deleted'].includes(volume['status'] as string)) return []
    const agent = agentOn(graph, volume['localHostUuid'] as string | null, 'storage')
    return agent ? [agent] : []
  },
  spec(graph, uuid): Row {
    const volume = graph.get('volume', uuid)!
    const poolPath = graph.get('primaryStorage', volume['primaryStorageUuid'] as string)?.['url'] as string
    const format = volume['format'] as 'qcow2' | 'raw'
    // What lies below a volume was fixed at its birth: a later deletion of the image changes nothing for it.
    const below = volume['backing'] as Below | null
    const spec: storageDesired.VolumeSpec = {
      poolUuid: volume['primaryStorageUuid'] as string,
      path: (volume['installPath'] as string | null) ?? volumePath(poolPath, uuid, format),
      format,
      sizeBytes: volume['size'] as number,
      backing: below
        ? {
            imageUuid: volume['rootImageUuid'] as string,
            sha256: below.sha256,
            format: below.format,
            sourcePath: storePath(below.storePath, below.sha256, below.format),
            cachePath: cachePath(poolPath, below.sha256, below.format),
            ...(below.backupStorageUuid ? { backupStorageUuid: below.backupStorageUuid } : {}),
          }
        : null,
      birth: volume['status'] === 'Creating' ? 'create' : 'exists',
      ...filesOf(graph, volume),
    }
    return spec
  },
}
