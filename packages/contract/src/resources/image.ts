import { z } from 'zod'
import { action, call, changeState, create, query, remove, update } from '../api.ts'
import { defineResource, deletionPolicy, enabledDisabled, enabledState } from '../resource.ts'
import { bytes, line, path, sha256, uuid } from '../scalars.ts'

const SOURCE = /^(https?:\/\/[A-Za-z0-9.[\]:-]+\/[^\s"'<>\\^`{|}#]*|file:\/\/\/[A-Za-z0-9_./+@-]+)$/
const UPLOAD = /^upload:\/\/[A-Za-z0-9_.+@%~-]+$/

/** `http://`, `https://` or `file:///`; no user info, no fragment. Reachability is checked by the agent that downloads. */
export const sourceUrl = z.string().max(2048).regex(SOURCE, 'must be an http://, https:// or file:/// URL')
/** Also `upload://<name of the file>`: its bytes are sent to us. */
export const imageUrl = z
  .string()
  .max(2048)
  .regex(new RegExp(`${SOURCE.source}|${UPLOAD.source}`), 'must be an http://, https://, file:/// or upload:// URL')
export const isUpload = (url: unknown): boolean => typeof url === 'string' && UPLOAD.test(url)
const platform = z.enum(['Linux', 'Windows', 'Other', 'Paravirtualization', 'WindowsVirtio'])
const mediaType = z.enum(['RootVolumeTemplate', 'ISO', 'DataVolumeTemplate'])
const format = z.enum(['qcow2', 'raw', 'iso'])
const ref = z.object({ imageUuid: uuid, backupStorageUuid: uuid, installPath: z.string(), status: z.string() })
/** Of an upload under way. `longJobUuid`: of the long job that added the image, where there was one. */
const uploadDetails = z.object({
  longJobUuid: uuid.nullable(),
  longJobState: z.string().nullable(),
  imageUuid: uuid,
  imageUploadUrl: z.string(),
  offset: bytes,
})

/** A disk that VMs are made from (zstack-core §2.12). */
export const image = defineResource({
  name: 'image',
  noun: 'image',
  path: '/images',
  inventory: { sdk: 'ImageInventory', java: 'org.zstack.header.image.ImageInventory' },
  summary: 'A disk that VMs are made from',
  scope: { owner: 'ownerUuid', used: true },
  fields: {
    state: enabledState,
    status: z.enum(['Creating', 'Downloading', 'Ready', 'Error', 'Deleted']),
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
    deletionPolicy: deletionPolicy.optional(),
    /** why an upload has come to nothing: its image is in status Error */
    uploadError: z.string().nullable().optional(),
  },
  hidden: ['sha256', 'deletedAt', 'deletionPolicy'],
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
    {
      ...call('GetUploadImageJobDetails', 'GET', '/images/upload-job/details/{imageId}', {
        verb: 'upload-details',
        params: { imageId: line(255) },
        result: { kind: 'fields', schema: z.object({ existingJobDetails: z.array(uploadDetails) }) },
        summary: 'Where the bytes of an image go that is being uploaded, and how many are there',
      }),
      // What it answers lets whoever knows it write.
      rights: 'admin' as const,
    },
    {
      ...action('FinishImageUpload', '/images/{uuid}/actions', {
        of: 'image',
        workflow: 'image.receive',
        verb: 'finish-upload',
        params: { sizeBytes: bytes },
        summary: 'Check an image of which all bytes were uploaded, and take it in',
      }),
      own: true,
    },
    {
      ...action('CancelImageUpload', '/images/{uuid}/actions', {
        of: 'image',
        workflow: 'image.cancelUpload',
        verb: 'cancel-upload',
        params: { reason: line(500).optional() },
        summary: 'Give up an upload: what was sent is removed, the image stays in status Error until it is deleted',
      }),
      own: true,
    },
    call('GetCandidateVmForAttachingIso', 'GET', '/images/iso/{isoUuid}/vm-candidates', {
      verb: 'vm-candidates',
      result: { kind: 'inventories', of: 'vmInstance' },
      summary: 'VM instances into whose CD drive an ISO image can be put',
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
  scope: 'admin',
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
