/**
 * Snapshots of a volume that is adopted, from its document. Names, sizes and which came of which are not in it: each begins a tree of
 * its own. What their files lie on is asked of the agents anyway, so they can be gone back to and deleted as any.
 */
import { besides, type Op, type Row, type storageDesired } from '@skerry/contract'
import { treeRow } from '../workflows/volume-snapshot.trees.ts'

export function adoptedSnapshots(volume: Readonly<Row>, { path, layers = [] }: storageDesired.VolumeSpec, now: number): Op[] {
  return layers.flatMap(({ snapshotUuid: uuid, file }): Op[] => {
    const row: Row = {
      uuid,
      name: `adopted-${uuid.slice(0, 8)}`,
      description: null,
      createDate: now,
      lastOpDate: now,
      type: 'Hypervisor',
      volumeUuid: volume['uuid'],
      treeUuid: uuid,
      parentUuid: null,
      primaryStorageUuid: volume['primaryStorageUuid'],
      primaryStorageInstallPath: besides(path, file),
      volumeType: volume['type'],
      format: volume['format'],
      latest: false,
      size: 0,
      distance: 1,
      state: 'Enabled',
      status: 'Ready',
      backupStorageRefs: [],
      groupUuid: null,
    }
    const tree = treeRow(uuid, { volumeUuid: volume['uuid'] as string, current: false, now })
    return [
      { o: 'put', t: 'volumeSnapshotTree', k: uuid, v: tree },
      { o: 'put', t: 'volumeSnapshot', k: uuid, v: row },
    ]
  })
}
