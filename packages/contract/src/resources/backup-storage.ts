import { z } from 'zod'
import { action, attach, changeState, create, query, remove, update } from '../api.ts'
import { defineResource, enabledDisabled, enabledState } from '../resource.ts'
import { bytes, hostname, line, path, secretRef, secretValue, uuid } from '../scalars.ts'

const sdk = 'ImageStoreBackupStorageInventory'

/** Where images live (zstack-core §2.5). `image-store`: content-addressed, on a host that has agent-storage. */
export const backupStorage = defineResource({
  name: 'backupStorage',
  noun: 'backup-storage',
  path: '/backup-storage',
  inventory: { sdk, java: 'org.zstack.storage.backup.imagestore.ImageStoreBackupStorageInventory' },
  summary: 'Where images live',
  fields: {
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
    agentUuid: uuid.nullable(),
  },
  hidden: ['password', 'agentUuid'],
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
    create('AddImageStoreBackupStorage', '/backup-storage/image-store', {
      of: 'backupStorage',
      workflow: 'backupStorage.add',
      verb: 'add',
      inventory: sdk,
      summary: 'Add an image store',
      params: {
        hostname,
        username: line(255),
        password: secretValue,
        sshPort: z.number().int().min(1).max(65535).optional(),
        url: path,
        type: line(64).optional(),
        importImages: z.boolean().optional(),
      },
    }),
    query('QueryBackupStorage', '/backup-storage', 'backupStorage'),
    query('QueryImageStoreBackupStorage', '/backup-storage/image-store', 'backupStorage', { byUuid: false }),
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
    remove('DeleteBackupStorage', '/backup-storage/{uuid}', 'backupStorage', { workflow: 'backupStorage.delete' }),
  ],
})
