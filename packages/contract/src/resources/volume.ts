import { z } from 'zod'
import { action, attach, changeState, create, query, remove, update } from '../api.ts'
import { volumeQos } from '../desired/kvm.ts'
import { defineResource, deletionPolicy, enabledDisabled, enabledState } from '../resource.ts'
import { bytes, path, sha256, time, uuid } from '../scalars.ts'
import { volumeFormats } from './kinds.ts'
import { getDataVolumeAttachableVm, getVolumeCapabilities } from './vm-reads.ts'
import { deleteVolumeQos, getVolumeQos, setVolumeQos } from './volume-qos.ts'

/** Data volumes of one VM (ZStack kvm.dataVolume.maxNum). */
export const MAX_DATA_VOLUMES = 24

/** A block device that a VM has or can have (zstack-core §2.13). A data volume gets its place with its first VM. */
export const volume = defineResource({
  name: 'volume',
  noun: 'volume',
  path: '/volumes',
  inventory: { sdk: 'VolumeInventory', java: 'org.zstack.header.volume.VolumeInventory' },
  summary: 'A disk of a VM',
  scope: { owner: 'ownerUuid' },
  fields: {
    primaryStorageUuid: uuid.nullable(),
    vmInstanceUuid: uuid.nullable(),
    diskOfferingUuid: uuid.nullable(),
    rootImageUuid: uuid.nullable(),
    installPath: path.nullable(),
    type: z.enum(['Root', 'Data', 'Memory', 'Cache']),
    format: z.enum(['qcow2', 'raw']),
    size: bytes,
    actualSize: bytes.nullable(),
    deviceId: z.number().int().nullable(),
    state: enabledState,
    status: z.enum(['Creating', 'Ready', 'NotInstantiated', 'Deleted']),
    isShareable: z.boolean(),
    lastDetachDate: time.nullable().optional(),
    lastVmInstanceUuid: uuid.nullable().optional(),
    lastAttachDate: time.nullable().optional(),
    /** host whose disk holds a local volume */
    localHostUuid: uuid.nullable(),
    /** what it was made over, fixed at its birth */
    backing: z
      .object({ sha256, format: z.enum(['qcow2', 'raw']), storePath: path, backupStorageUuid: uuid.optional() })
      .nullable(),
    /** it is being taken from its VM: out of the VM's document, but its slot is not free before the guest has let go */
    detaching: z.boolean().optional(),
    /** job that gives it its place now, and takes it away again should it fail */
    placingJob: z.string().nullable().optional(),
    deletedAt: z.number().nullable().optional(),
    deletionPolicy: deletionPolicy.optional(),
    /** how fast it may be at most */
    qos: volumeQos.nullable().optional(),
    /** snapshot that the present content began from */
    latestSnapshotUuid: uuid.nullable().optional(),
    /** file that is about to become the present one, and the job that makes it so */
    next: z.object({ file: z.string(), over: z.string() }).nullable().optional(),
    /** files that are to be removed */
    drop: z.array(z.string()).optional(),
    /** job that works on its files now */
    filesJob: z.string().nullable().optional(),
    /** file whose content it is getting: its agent hears of it as a volume when it has all of it */
    copyOf: z.string().nullable().optional(),
  },
  hidden: [
    'qos',
    'latestSnapshotUuid',
    'next',
    'drop',
    'filesJob',
    'copyOf',
    'localHostUuid',
    'backing',
    'detaching',
    'placingJob',
    'deletedAt',
    'deletionPolicy',
  ],
  states: enabledDisabled,
  edges: {
    // A root volume goes with its VM by the VM's own edge; a data volume outlives it.
    vmInstance: {
      to: 'vmInstance',
      via: 'vmInstanceUuid',
      kind: 'parent',
      onDelete: 'detach',
      inverse: 'allVolumes',
      inline: true,
    },
    primaryStorage: { to: 'primaryStorage', via: 'primaryStorageUuid', kind: 'parent', onDelete: 'cascade', inverse: 'volumes' },
    diskOffering: { to: 'diskOffering', via: 'diskOfferingUuid', kind: 'parent', onDelete: 'detach', inverse: 'volumes' },
    image: { to: 'image', via: 'rootImageUuid', kind: 'friend', inverse: 'volumes' },
    localHost: { to: 'host', via: 'localHostUuid', kind: 'parent', onDelete: 'cascade', inverse: 'localVolumes' },
  },
  indexes: [
    'name',
    'state',
    'status',
    'type',
    'vmInstanceUuid',
    'primaryStorageUuid',
    'rootImageUuid',
    'localHostUuid',
    'diskOfferingUuid',
  ],
  columns: ['name', 'uuid', 'type', 'size', 'state', 'status', 'vmInstanceUuid'],
  apis: [
    volumeFormats,
    getDataVolumeAttachableVm,
    getVolumeCapabilities,
    setVolumeQos,
    deleteVolumeQos,
    getVolumeQos,
    create('CreateDataVolume', '/volumes/data', {
      of: 'volume',
      workflow: 'volume.create',
      summary: 'Create a data volume',
      params: {
        diskOfferingUuid: uuid.optional(),
        /** bytes; SDKs send 0 beside an offering */
        diskSize: bytes.optional(),
        primaryStorageUuid: uuid.optional(),
      },
    }),
    create('CreateDataVolumeFromVolumeSnapshot', '/volumes/data/from/volume-snapshots/{volumeSnapshotUuid}', {
      of: 'volume',
      workflow: 'volume.fromSnapshot',
      verb: 'create-from-snapshot',
      summary: 'Create a data volume with the content of a snapshot, beside it and independent of it',
      params: { primaryStorageUuid: uuid.optional() },
    }),
    query('QueryVolume', '/volumes', 'volume'),
    update('UpdateVolume', '/volumes/{uuid}/actions', 'volume'),
    changeState('ChangeVolumeState', '/volumes/{uuid}/actions', 'volume', ['enable', 'disable']),
    attach('AttachDataVolumeToVm', 'POST', '/volumes/{volumeUuid}/vm-instances/{vmInstanceUuid}', {
      of: 'volume',
      workflow: 'volume.attach',
      verb: 'attach',
      summary: 'Give a data volume to a VM instance, running or stopped',
    }),
    attach('DetachDataVolumeFromVm', 'DELETE', '/volumes/{uuid}/vm-instances', {
      of: 'volume',
      workflow: 'volume.detach',
      verb: 'detach',
      params: { vmUuid: uuid.optional() },
      summary: 'Take a data volume from its VM instance, once the guest has let go of it',
    }),
    action('ResizeRootVolume', '/volumes/resize/{uuid}/actions', {
      of: 'volume',
      workflow: 'volume.resizeRoot',
      verb: 'resize',
      params: { size: bytes, vmInstanceUuid: uuid.optional() },
      summary: 'Make a root volume larger, of a running VM instance too',
    }),
    action('ResizeDataVolume', '/volumes/data/resize/{uuid}/actions', {
      of: 'volume',
      workflow: 'volume.resizeData',
      verb: 'resize-data',
      params: { size: bytes },
      summary: 'Make a data volume larger, of a running VM instance too',
    }),
    remove('DeleteDataVolume', '/volumes/{uuid}', 'volume', {
      workflow: 'volume.delete',
      summary: 'Detach a data volume and mark it for removal (recover brings it back)',
    }),
    action('RecoverDataVolume', '/volumes/{uuid}/actions', {
      of: 'volume',
      workflow: 'volume.recover',
      verb: 'recover',
      summary: 'Bring a deleted data volume back',
    }),
    action('ExpungeDataVolume', '/volumes/{uuid}/actions', {
      of: 'volume',
      workflow: 'volume.expunge',
      verb: 'expunge',
      summary: 'Remove a deleted data volume and its data for good',
      result: { kind: 'empty' },
    }),
  ],
})
