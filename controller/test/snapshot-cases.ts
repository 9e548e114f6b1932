/** Volumes with snapshots before their workflows are proven. */
import type { Row } from '@skerry/contract'
import { after, type Before, created, on } from './before.ts'
import { data } from './volume-cases.ts'
import { GIB, id, u } from './world.ts'

export const snapshot = id('snapshot')
export const second = id('second snapshot')
const made: [string, ReturnType<typeof on>] = [
  'volume.create',
  on('volume', data, { name: 'data', diskSize: GIB, primaryStorageUuid: u.ps }),
]
export const taken = (uuid: string, more: Row = {}): [string, ReturnType<typeof on>] => [
  'volumeSnapshot.create',
  on('volumeSnapshot', uuid, { name: 'before', volumeUuid: data, ...more }),
]
const attached: [string, ReturnType<typeof on>] = [
  'volume.attach',
  on('volume', data, { volumeUuid: data, vmInstanceUuid: u.vm }),
]
const onVm = [created, made, attached]
/** A volume that lies on its storage. */
export const onData = [made]

export const snapshotCases: Record<string, Before> = {
  'volumeSnapshot.create': after(onVm, taken(snapshot)[1]),
  'volumeSnapshot.revert': after([made, taken(snapshot), taken(second)], on('volumeSnapshot', snapshot)),
  'volumeSnapshot.delete': after([...onVm, taken(snapshot), taken(second)], on('volumeSnapshot', snapshot)),
  // Its jobs are nobody's here: what they delete is proven by theirs.
  'volumeSnapshot.batchDelete': after(
    [made, taken(snapshot), taken(second)],
    on('volumeSnapshot', id('batch'), { uuids: [second, snapshot] }),
  ),
  'volume.fromSnapshot': after(
    [...onVm, taken(snapshot)],
    on('volume', id('copy'), { name: 'copy', volumeSnapshotUuid: snapshot }),
  ),
  'volumeSnapshot.size': after([made, taken(snapshot)], on('volumeSnapshot', snapshot)),
  'volume.resizeData': after(onVm, on('volume', data, { size: 2 * GIB })),
  'volume.resizeRoot': async (w) => {
    await after([created], on('vmInstance', u.vm))(w)
    return on('volume', w.state.graph.get('vmInstance', u.vm)!['rootVolumeUuid'] as string, { size: 50 * GIB })
  },
}

export const otherSnapshotCases: [sentence: string, workflow: string, before: Before][] = [
  ['a volume without a VM', 'volumeSnapshot.create', after([made], taken(snapshot)[1])],
  ['the latest snapshot', 'volumeSnapshot.delete', after([made, taken(snapshot), taken(second)], on('volumeSnapshot', second))],
  [
    'a root with branches',
    'volumeSnapshot.delete',
    after(
      [made, taken(snapshot), taken(second), ['volumeSnapshot.revert', on('volumeSnapshot', snapshot)], taken(id('third'))],
      on('volumeSnapshot', snapshot),
    ),
  ],
  [
    'a volume with snapshots',
    'volume.expunge',
    after([made, taken(snapshot), ['volume.delete', on('volume', data)]], on('volume', data)),
  ],
]
