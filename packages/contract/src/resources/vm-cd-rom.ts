import { z } from 'zod'
import { query } from '../api.ts'
import { defineResource } from '../resource.ts'
import { path, sha256, uuid } from '../scalars.ts'

/**
 * A VM's CD drive (zstack-core §2.11). Every VM has one, empty or not; it becomes a row with the first ISO that is put into it. What is
 * in it is the host's own copy of the image, so an image that is deleted stays readable until it is taken out.
 */
export const vmCdRom = defineResource({
  name: 'vmCdRom',
  noun: 'vm-cd-rom',
  path: '/vm-instances/cdroms',
  inventory: { sdk: 'VmCdRomInventory', java: 'org.zstack.header.vm.cdrom.VmCdRomInventory' },
  summary: 'The CD drive of a VM instance',
  scope: { follows: 'vmInstanceUuid', of: 'vmInstance' },
  fields: {
    vmInstanceUuid: uuid,
    deviceId: z.number().int(),
    isoUuid: uuid.nullable(),
    isoInstallPath: path.nullable(),
    protocol: z.string().nullable().optional(),
    /** the content, fixed when it was chosen, and the storage and host that hold its copy; null: the drive is empty */
    media: z
      .object({ sha256, storePath: path, primaryStorageUuid: uuid, hostUuid: uuid, backupStorageUuid: uuid.optional() })
      .nullable(),
    /** the guest may see it: the copy is there */
    inserted: z.boolean(),
  },
  hidden: ['media', 'inserted'],
  edges: {
    vmInstance: {
      to: 'vmInstance',
      via: 'vmInstanceUuid',
      kind: 'parent',
      onDelete: 'cascade',
      inverse: 'vmCdRoms',
      inline: true,
    },
    iso: { to: 'image', via: 'isoUuid', kind: 'friend', inverse: 'vmCdRoms' },
  },
  indexes: ['vmInstanceUuid', 'isoUuid'],
  columns: ['vmInstanceUuid', 'deviceId', 'isoUuid'],
  apis: [query('QueryVmCdRom', '/vm-instances/cdroms', 'vmCdRom')],
})
