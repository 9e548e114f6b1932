import { z } from 'zod'
import { query, update } from '../api.ts'
import { defineResource, enabledDisabled, enabledState } from '../resource.ts'
import { bytes, path, sha256, time, uuid } from '../scalars.ts'

/** A block device of a VM (zstack-core §2.13). */
export const volume = defineResource({
  name: 'volume',
  noun: 'volume',
  path: '/volumes',
  inventory: { sdk: 'VolumeInventory', java: 'org.zstack.header.volume.VolumeInventory' },
  summary: 'A disk of a VM',
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
    backing: z.object({ sha256, format: z.enum(['qcow2', 'raw']), storePath: path }).nullable(),
  },
  hidden: ['localHostUuid', 'backing'],
  states: enabledDisabled,
  edges: {
    vmInstance: {
      to: 'vmInstance',
      via: 'vmInstanceUuid',
      kind: 'parent',
      onDelete: 'cascade',
      inverse: 'allVolumes',
      inline: true,
    },
    primaryStorage: { to: 'primaryStorage', via: 'primaryStorageUuid', kind: 'parent', onDelete: 'restrict', inverse: 'volumes' },
    image: { to: 'image', via: 'rootImageUuid', kind: 'friend', inverse: 'volumes' },
    localHost: { to: 'host', via: 'localHostUuid', kind: 'parent', onDelete: 'restrict', inverse: 'localVolumes' },
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
  apis: [query('QueryVolume', '/volumes', 'volume'), update('UpdateVolume', '/volumes/{uuid}/actions', 'volume')],
})
