import { z } from 'zod'
import { action, changeState, create, query, remove, update } from '../api.ts'
import { defineResource, enabledDisabled, enabledState } from '../resource.ts'
import { bytes, line, path, sha256, uuid } from '../scalars.ts'

/** `http://`, `https://` or `file:///`; no user info, no fragment. Reachability is checked by the agent that downloads. */
export const imageUrl = z
  .string()
  .max(2048)
  .regex(
    /^(https?:\/\/[A-Za-z0-9.[\]:-]+\/[^\s"'<>\\^`{|}#]*|file:\/\/\/[A-Za-z0-9_./+@-]+)$/,
    'must be an http://, https:// or file:/// URL',
  )
const platform = z.enum(['Linux', 'Windows', 'Other', 'Paravirtualization', 'WindowsVirtio'])
const mediaType = z.enum(['RootVolumeTemplate', 'ISO', 'DataVolumeTemplate'])
const format = z.enum(['qcow2', 'raw', 'iso'])
const ref = z.object({ imageUuid: uuid, backupStorageUuid: uuid, installPath: z.string(), status: z.string() })

/** A disk that VMs are made from (zstack-core §2.12). */
export const image = defineResource({
  name: 'image',
  noun: 'image',
  path: '/images',
  inventory: { sdk: 'ImageInventory', java: 'org.zstack.header.image.ImageInventory' },
  summary: 'A disk that VMs are made from',
  fields: {
    state: enabledState,
    status: z.enum(['Creating', 'Downloading', 'Ready', 'Deleted']),
    size: bytes,
    actualSize: bytes,
    md5Sum: z.string().nullable(),
    url: imageUrl,
    mediaType,
    guestOsType: z.string().nullable().optional(),
    type: z.string(),
    platform,
    architecture: z.string().nullable().optional(),
    format,
    system: z.boolean(),
    virtio: z.boolean(),
    backupStorageRefs: z.array(ref),
    /** content address in the image store */
    sha256: sha256.nullable(),
    deletedAt: z.number().nullable().optional(),
  },
  hidden: ['sha256', 'deletedAt'],
  states: enabledDisabled,
  edges: {},
  indexes: ['name', 'state', 'status', 'format', 'mediaType', 'sha256'],
  columns: ['name', 'uuid', 'format', 'size', 'state', 'status'],
  apis: [
    create('AddImage', '/images', {
      of: 'image',
      workflow: 'image.add',
      verb: 'add',
      summary: 'Bring an image into backup storage',
      params: {
        url: imageUrl,
        backupStorageUuids: z.array(uuid).min(1),
        format: format.optional(),
        mediaType: mediaType.optional(),
        guestOsType: line(255).optional(),
        architecture: z.enum(['x86_64', 'aarch64', 'mips64el', 'loongarch64']).optional(),
        platform: platform.optional(),
        system: z.boolean().optional(),
        type: line(64).optional(),
        virtio: z.boolean().optional(),
        /** ours: `md5:<hex>` or `sha256:<hex>` of the bytes at the source */
        checksum: z
          .string()
          .regex(/^(md5:[0-9a-f]{32}|sha256:[0-9a-f]{64})$/)
          .optional(),
      },
    }),
    query('QueryImage', '/images', 'image'),
    update('UpdateImage', '/images/{uuid}/actions', 'image', {
      guestOsType: line(255).optional(),
      platform: platform.optional(),
      system: z.boolean().optional(),
      virtio: z.boolean().optional(),
    }),
    changeState('ChangeImageState', '/images/{uuid}/actions', 'image', ['enable', 'disable']),
    action('RecoverImage', '/images/{imageUuid}/actions', {
      of: 'image',
      workflow: 'image.recover',
      verb: 'recover',
      params: { backupStorageUuids: z.array(uuid).optional() },
      summary: 'Bring a deleted image back',
    }),
    action('ExpungeImage', '/images/{imageUuid}/actions', {
      of: 'image',
      workflow: 'image.expunge',
      verb: 'expunge',
      params: { backupStorageUuids: z.array(uuid).optional() },
      result: { kind: 'empty' },
      summary: 'Remove a deleted image and its data for good',
    }),
    remove('DeleteImage', '/images/{uuid}', 'image', {
      workflow: 'image.delete',
      params: { backupStorageUuids: z.array(uuid).optional() },
    }),
  ],
})

/** The copy of an image that volumes on one host's primary storage have as backing file; key `<psUuid>:<hostUuid>:<imageUuid>`. */
export const imageCache = defineResource({
  name: 'imageCache',
  noun: 'image-cache',
  path: '/primary-storage/imagecache',
  summary: 'A cached image on primary storage',
  fields: { primaryStorageUuid: uuid, hostUuid: uuid, imageUuid: uuid, installPath: path, size: bytes },
  edges: {
    primaryStorage: {
      to: 'primaryStorage',
      via: 'primaryStorageUuid',
      kind: 'parent',
      onDelete: 'cascade',
      inverse: 'imageCaches',
    },
    host: { to: 'host', via: 'hostUuid', kind: 'parent', onDelete: 'cascade', inverse: 'imageCaches' },
  },
  indexes: ['primaryStorageUuid', 'hostUuid', 'imageUuid'],
  columns: ['imageUuid', 'hostUuid', 'size'],
  apis: [],
})
