/** Volume → file on the host that holds it. */
import { cachePath, type Row, type storageDesired, storePath, volumePath } from '@skerry/contract'
import { agentOn } from './agents-of.ts'
import type { Projection } from './projection.ts'

export const volumes: Projection = {
  noun: 'volume',
  kind: 'storage',
  touchedBy: {
    volume: (row) => [row['uuid'] as string],
    agent: (row, graph) => (typeof row['hostUuid'] === 'string' ? [...graph.by('volume', 'localHostUuid', row['hostUuid'])] : []),
  },
  agents(graph, uuid) {
    const volume = graph.get('volume', uuid)
    if (!volume || !['Creating', 'Ready'].includes(volume['status'] as string)) return []
    const agent = agentOn(graph, volume['localHostUuid'] as string | null, 'storage')
    return agent ? [agent] : []
  },
  spec(graph, uuid): Row {
    const volume = graph.get('volume', uuid)!
    const poolPath = graph.get('primaryStorage', volume['primaryStorageUuid'] as string)?.['url'] as string
    const format = volume['format'] as 'qcow2' | 'raw'
    // What lies below a volume was fixed at its birth: a later deletion of the image changes nothing for it.
    const below = volume['backing'] as { sha256: string; format: 'qcow2' | 'raw'; storePath: string } | null
    const spec: storageDesired.VolumeSpec = {
      poolUuid: volume['primaryStorageUuid'] as string,
      path: volumePath(poolPath, uuid, format),
      format,
      sizeBytes: volume['size'] as number,
      backing: below
        ? {
            imageUuid: volume['rootImageUuid'] as string,
            sha256: below.sha256,
            format: below.format,
            sourcePath: storePath(below.storePath, below.sha256, below.format),
            cachePath: cachePath(poolPath, below.sha256, below.format),
          }
        : null,
      birth: volume['status'] === 'Ready' ? 'exists' : 'create',
    }
    return spec
  },
}
