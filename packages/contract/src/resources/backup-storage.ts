import { z } from 'zod'
import { action, attach, call, changeState, create, query, remove, update } from '../api.ts'
import { defineResource, enabledDisabled, enabledState } from '../resource.ts'
import { bytes, hostname, line, path, name as resourceName, secretRef, secretValue, text, uuid } from '../scalars.ts'
import { backupStorageTypes } from './kinds.ts'

const sdk = 'ImageStoreBackupStorageInventory'

/** A host key as ssh-keygen shows it. */
export const hostKey = z.string().regex(/^SHA256:[A-Za-z0-9+/]{43}$/)

export const SFTP = 'SftpBackupStorage'
export const IMAGE_STORE = 'ImageStoreBackupStorage'

const fields = {
  url: path,
  type: z.string(),
  state: enabledState,
  status: z.enum(['Connecting', 'Connected', 'Disconnected']),
  totalCapacity: bytes,
  availableCapacity: z.number().int(),
  attachedZoneUuids: z.array(uuid),
  hostname: hostname,
  username: z.string(),
  sshPort: z.number().int(),
  password: secretRef,
  /** the agent that keeps an image store; none keeps a server's folder: whichever has to do with it goes there */
  agentUuid: uuid.nullable(),
  /** of a storage server: who answered first. Nobody else is believed. */
  hostKey: hostKey.nullable().optional(),
  /** why it is Disconnected: an error */
  disconnectCause: z.record(z.string(), z.unknown()).nullable().optional(),
} as const
const hidden = ['password', 'agentUuid', 'hostKey', 'disconnectCause'] as const
const access = {
  hostname,
  username: line(255),
  password: secretValue,
  sshPort: z.number().int().min(1).max(65535).optional(),
}

/** What of a server may be changed, and its name. */
const accessParams = {
  ...{ name: resourceName.optional(), description: text.optional() },
  ...{ hostname: hostname.optional(), username: access.username.optional() },
  ...{ password: secretValue.optional(), sshPort: access.sshPort },
}

/**
 * Where images live (zstack-core §2.5). Image store: content-addressed, in a folder of a host that has agent-storage. Sftp: the same in a
 * folder of any server with a stock sshd, which agents of the hosts go to.
 */
export const backupStorage = defineResource({
  name: 'backupStorage',
  noun: 'backup-storage',
  path: '/backup-storage',
  inventory: { sdk, java: 'org.zstack.storage.backup.imagestore.ImageStoreBackupStorageInventory' },
  summary: 'Where images live',
  scope: 'everyone',
  fields,
  hidden,
  counters: ['totalCapacity', 'availableCapacity'],
  states: enabledDisabled,
  edges: {
    zones: {
      to: 'zone',
      via: 'attachedZoneUuids',
      kind: 'parent',
      onDelete: 'detach',
      list: true,
      inverse: 'backupStorages',
      as: 'zones',
    },
    agent: { to: 'agent', via: 'agentUuid', kind: 'friend', inverse: 'backupStorages' },
  },
  indexes: ['name', 'state', 'status', 'type', 'hostname', 'attachedZoneUuids', 'agentUuid'],
  columns: ['name', 'uuid', 'type', 'url', 'state', 'status', 'availableCapacity'],
  apis: [
    backupStorageTypes,
    create('AddImageStoreBackupStorage', '/backup-storage/image-store', {
      of: 'backupStorage',
      workflow: 'backupStorage.add',
      verb: 'add',
      inventory: sdk,
      summary: 'Add an image store',
      params: { ...access, url: path, type: line(64).optional(), importImages: z.boolean().optional() },
    }),
    create('AddSftpBackupStorage', '/backup-storage/sftp', {
      of: 'sftpBackupStorage',
      workflow: 'backupStorage.addSftp',
      verb: 'add-sftp',
      summary: 'Add a folder on a server that is reached by sftp',
      params: { ...access, url: path, type: line(64).optional(), importImages: z.boolean().optional() },
    }),
    action('UpdateSftpBackupStorage', '/backup-storage/sftp/{uuid}/actions', {
      of: 'sftpBackupStorage',
      workflow: 'backupStorage.updateSftp',
      verb: 'update-sftp',
      params: accessParams,
      summary: 'Change where a storage server is and how to get in; a hostname pins its host key anew',
    }),
    action('ReconnectSftpBackupStorage', '/backup-storage/sftp/{uuid}/actions', {
      of: 'sftpBackupStorage',
      workflow: 'backupStorage.reconnect',
      verb: 'reconnect-sftp',
      summary: 'Look at a storage server again',
    }),
    action('UpdateImageStoreBackupStorage', '/backup-storage/image-store/{uuid}/actions', {
      of: 'backupStorage',
      workflow: 'backupStorage.updateImageStore',
      verb: 'update-image-store',
      params: accessParams,
      summary: 'Change the name of an image store, and how to get to its host; the host stays the one that holds the images',
    }),
    action('ReconnectImageStoreBackupStorage', '/backup-storage/image-store/{uuid}/actions', {
      of: 'imageStoreBackupStorage',
      workflow: 'backupStorage.reconnect',
      verb: 'reconnect-image-store',
      summary: 'Look at an image store again',
    }),
    query('QueryBackupStorage', '/backup-storage', 'backupStorage'),
    update('UpdateBackupStorage', '/backup-storage/{uuid}/actions', 'backupStorage'),
    changeState('ChangeBackupStorageState', '/backup-storage/{uuid}/actions', 'backupStorage', ['enable', 'disable']),
    action('ReconnectBackupStorage', '/backup-storage/{uuid}/actions', {
      of: 'backupStorage',
      workflow: 'backupStorage.reconnect',
      verb: 'reconnect',
      summary: 'Look at a backup storage again',
    }),
    attach('AttachBackupStorageToZone', 'POST', '/zones/{zoneUuid}/backup-storage/{backupStorageUuid}', {
      of: 'backupStorage',
      workflow: 'backupStorage.attach',
      verb: 'attach',
      summary: 'Let a zone use a backup storage',
    }),
    attach('DetachBackupStorageFromZone', 'DELETE', '/zones/{zoneUuid}/backup-storage/{backupStorageUuid}', {
      of: 'backupStorage',
      workflow: 'backupStorage.detach',
      verb: 'detach',
      summary: 'Take a backup storage from a zone',
    }),
    call('GetBackupStorageCapacity', 'GET', '/backup-storage/capacities', {
      verb: 'capacity',
      summary: 'Capacity of backup storage',
      params: {
        zoneUuids: z.array(uuid).optional(),
        backupStorageUuids: z.array(uuid).optional(),
        all: z.boolean().optional(),
      },
      result: { kind: 'fields', schema: z.object({ totalCapacity: bytes, availableCapacity: bytes }) },
    }),
    remove('DeleteBackupStorage', '/backup-storage/{uuid}', 'backupStorage', { workflow: 'backupStorage.delete' }),
  ],
})

const view = {
  scope: 'everyone',
  path: '/backup-storage',
  fields,
  hidden,
  edges: {},
  indexes: [],
  columns: ['name', 'uuid', 'hostname', 'url', 'state', 'status', 'availableCapacity'],
} as const

/** The backup storages that are folders on servers. */
export const sftpBackupStorage = defineResource({
  ...view,
  name: 'sftpBackupStorage',
  noun: 'sftp-backup-storage',
  rows: { table: 'backupStorage', where: { field: 'type', is: SFTP } },
  inventory: { sdk: 'SftpBackupStorageInventory', java: 'org.zstack.storage.backup.sftp.SftpBackupStorageInventory' },
  summary: 'A folder on a server that holds images',
  apis: [query('QuerySftpBackupStorage', '/backup-storage/sftp', 'sftpBackupStorage')],
})

/** The backup storages that are image stores. */
export const imageStoreBackupStorage = defineResource({
  ...view,
  name: 'imageStoreBackupStorage',
  noun: 'image-store',
  rows: { table: 'backupStorage', where: { field: 'type', is: IMAGE_STORE } },
  inventory: { sdk, java: 'org.zstack.storage.backup.imagestore.ImageStoreBackupStorageInventory' },
  summary: 'An image store on a host',
  apis: [query('QueryImageStoreBackupStorage', '/backup-storage/image-store', 'imageStoreBackupStorage')],
})
