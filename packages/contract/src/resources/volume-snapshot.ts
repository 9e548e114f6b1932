import { z } from 'zod'
import { action, attach, createParams, query, remove, update } from '../api.ts'
import { defineResource, enabledState } from '../resource.ts'
import { bytes, path, uuid } from '../scalars.ts'

/** Snapshots that may lie over each other (ZStack volumeSnapshot.incrementalSnapshot.maxNum). */
export const MAX_SNAPSHOT_DEPTH = 64
/** Snapshots of one volume: they all stand in its document. */
export const MAX_SNAPSHOTS = 256

/** What became of one of several. `size`: bytes that it took. `error`: as ZStack's. */
const deletedSnapshot = z.object({
  snapshotUuid: uuid,
  success: z.boolean(),
  size: bytes.optional(),
  error: z.object({ code: z.string(), description: z.string(), details: z.string() }).optional(),
})

/** A moment of a volume that it can go back to (zstack-core §2.14): one file of those that the volume consists of. */
export const volumeSnapshot = defineResource({
  name: 'volumeSnapshot',
  noun: 'volume-snapshot',
  path: '/volume-snapshots',
  inventory: { sdk: 'VolumeSnapshotInventory', java: 'org.zstack.header.storage.snapshot.VolumeSnapshotInventory' },
  summary: 'A moment of a volume that it can go back to',
  scope: { follows: 'volumeUuid', of: 'volume' },
  fields: {
    type: z.enum(['Hypervisor', 'Storage']),
    volumeUuid: uuid,
    treeUuid: uuid,
    parentUuid: uuid.nullable(),
    primaryStorageUuid: uuid,
    primaryStorageInstallPath: path.nullable(),
    volumeType: z.enum(['Root', 'Data', 'Memory', 'Cache']),
    format: z.enum(['qcow2', 'raw']),
    /** the volume's present content began from this one */
    latest: z.boolean(),
    /** bytes that it takes on its disk */
    size: bytes,
    /** snapshots from the root of its tree down to this one, counted from 1 */
    distance: z.number().int(),
    state: enabledState,
    status: z.enum(['Creating', 'Ready', 'Deleting', 'Deleted']),
    backupStorageRefs: z.array(z.object({ volumeSnapshotUuid: uuid, backupStorageUuid: uuid, installPath: path })),
    groupUuid: uuid.nullable().optional(),
  },
  edges: {
    volume: { to: 'volume', via: 'volumeUuid', kind: 'parent', onDelete: 'cascade', inverse: 'snapshots' },
    tree: { to: 'volumeSnapshotTree', via: 'treeUuid', kind: 'friend', inverse: 'snapshots' },
    parent: { to: 'volumeSnapshot', via: 'parentUuid', kind: 'friend', inverse: 'children' },
    primaryStorage: { to: 'primaryStorage', via: 'primaryStorageUuid', kind: 'friend', inverse: 'volumeSnapshots' },
  },
  indexes: ['name', 'volumeUuid', 'treeUuid', 'parentUuid', 'primaryStorageUuid', 'status'],
  columns: ['name', 'uuid', 'volumeUuid', 'parentUuid', 'size', 'latest', 'status', 'createDate'],
  apis: [
    attach('CreateVolumeSnapshot', 'POST', '/volumes/{volumeUuid}/volume-snapshots', {
      of: 'volumeSnapshot',
      workflow: 'volumeSnapshot.create',
      verb: 'create',
      params: createParams,
      summary: 'Keep what a volume holds now, of a running VM instance too',
    }),
    query('QueryVolumeSnapshot', '/volume-snapshots', 'volumeSnapshot'),
    update('UpdateVolumeSnapshot', '/volume-snapshots/{uuid}/actions', 'volumeSnapshot'),
    action('RevertVolumeFromSnapshot', '/volume-snapshots/{uuid}/actions', {
      of: 'volumeSnapshot',
      workflow: 'volumeSnapshot.revert',
      verb: 'revert',
      summary: 'Give a volume the content that it had; what was written since is gone. Its VM instance must be stopped',
      result: { kind: 'empty' },
    }),
    action('GetVolumeSnapshotSize', '/volume-snapshots/{uuid}/actions', {
      of: 'volumeSnapshot',
      workflow: 'volumeSnapshot.size',
      verb: 'size',
      summary: 'How large a snapshot is, for a guest and on its disk',
      result: { kind: 'fields', schema: z.object({ size: bytes, actualSize: bytes }) },
    }),
    action('BatchDeleteVolumeSnapshot', '/volume-snapshots/batch-delete', {
      of: 'volumeSnapshot',
      workflow: 'volumeSnapshot.batchDelete',
      verb: 'delete-batch',
      names: { uuids: 'volumeSnapshot' },
      params: { uuids: z.array(uuid).min(1).max(MAX_SNAPSHOTS), deleteMode: z.enum(['Permissive', 'Enforcing', '']).optional() },
      summary: 'Delete several snapshots, each by itself; says of each what became of it',
      result: { kind: 'fields', schema: z.object({ results: z.array(deletedSnapshot) }) },
    }),
    remove('DeleteVolumeSnapshot', '/volume-snapshots/{uuid}', 'volumeSnapshot', {
      workflow: 'volumeSnapshot.delete',
      summary: 'Delete one snapshot; the others and the volume keep what they hold',
    }),
  ],
})

/** The snapshots of a volume that came of one another. A volume whose present content comes of none of these begins another tree. */
export const volumeSnapshotTree = defineResource({
  name: 'volumeSnapshotTree',
  noun: 'volume-snapshot-tree',
  path: '/volume-snapshots/trees',
  inventory: { sdk: 'VolumeSnapshotTreeInventory', java: 'org.zstack.header.storage.snapshot.VolumeSnapshotTreeInventory' },
  summary: 'Snapshots of a volume that came of one another',
  scope: { follows: 'volumeUuid', of: 'volume' },
  fields: { volumeUuid: uuid, current: z.boolean(), status: z.enum(['Creating', 'Completed', 'Deleting']) },
  tree: { field: 'tree', of: 'volumeSnapshot', via: 'treeUuid', parent: 'parentUuid' },
  edges: {
    volume: { to: 'volume', via: 'volumeUuid', kind: 'parent', onDelete: 'cascade', inverse: 'snapshotTrees' },
  },
  indexes: ['volumeUuid'],
  columns: ['uuid', 'volumeUuid', 'current', 'status', 'createDate'],
  apis: [query('QueryVolumeSnapshotTree', '/volume-snapshots/trees', 'volumeSnapshotTree')],
})
