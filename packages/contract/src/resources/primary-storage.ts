import { z } from 'zod'
import { action, attach, call, changeState, create, query, remove, update } from '../api.ts'
import { defineResource } from '../resource.ts'
import { bytes, line, path, uuid } from '../scalars.ts'
import { primaryStorageAllocators } from './allocators.ts'
import { primaryStorageTypes } from './kinds.ts'

/** Where volumes live (zstack-core §2.4). Totals are the sums over the hosts' parts (`localStorageHost`). */
export const primaryStorage = defineResource({
  name: 'primaryStorage',
  noun: 'primary-storage',
  path: '/primary-storage',
  inventory: { sdk: 'PrimaryStorageInventory', java: 'org.zstack.header.storage.primary.PrimaryStorageInventory' },
  summary: 'Where volumes live',
  scope: 'everyone',
  fields: {
    zoneUuid: uuid,
    url: path,
    type: z.string(),
    mountPath: path,
    state: z.enum(['Enabled', 'Disabled', 'Maintenance', 'Deleting']),
    status: z.enum(['Connecting', 'Connected', 'Disconnected']),
    totalCapacity: bytes,
    availableCapacity: z.number().int(),
    totalPhysicalCapacity: bytes,
    availablePhysicalCapacity: z.number().int(),
    systemUsedCapacity: bytes,
    attachedClusterUuids: z.array(uuid),
  },
  counters: ['totalCapacity', 'availableCapacity', 'totalPhysicalCapacity', 'availablePhysicalCapacity', 'systemUsedCapacity'],
  states: {
    field: 'state',
    table: {
      Enabled: { enable: 'Enabled', disable: 'Disabled' },
      Disabled: { enable: 'Enabled', disable: 'Disabled' },
      Maintenance: { enable: 'Enabled', disable: 'Disabled' },
    },
  },
  edges: {
    zone: { to: 'zone', via: 'zoneUuid', kind: 'parent', onDelete: 'cascade', inverse: 'primaryStorages' },
    clusters: {
      to: 'cluster',
      via: 'attachedClusterUuids',
      kind: 'parent',
      onDelete: 'detach',
      list: true,
      inverse: 'primaryStorages',
      as: 'clusters',
    },
  },
  indexes: ['name', 'state', 'status', 'zoneUuid', 'type', 'attachedClusterUuids'],
  columns: ['name', 'uuid', 'type', 'url', 'state', 'status', 'availableCapacity'],
  apis: [
    primaryStorageTypes,
    primaryStorageAllocators,
    create('AddLocalPrimaryStorage', '/primary-storage/local-storage', {
      of: 'primaryStorage',
      workflow: 'primaryStorage.add',
      verb: 'add',
      summary: 'Add a folder on each host as primary storage',
      params: { url: path, zoneUuid: uuid, type: line(64).optional() },
    }),
    query('QueryPrimaryStorage', '/primary-storage', 'primaryStorage'),
    update('UpdatePrimaryStorage', '/primary-storage/{uuid}/actions', 'primaryStorage'),
    changeState('ChangePrimaryStorageState', '/primary-storage/{uuid}/actions', 'primaryStorage', ['enable', 'disable']),
    action('ReconnectPrimaryStorage', '/primary-storage/{uuid}/actions', {
      of: 'primaryStorage',
      workflow: 'primaryStorage.reconnect',
      verb: 'reconnect',
      summary: 'Look at a primary storage again',
    }),
    action('SyncPrimaryStorageCapacity', '/primary-storage/{primaryStorageUuid}/actions', {
      of: 'primaryStorage',
      workflow: 'primaryStorage.reconnect',
      verb: 'sync-capacity',
      summary: 'Ask the agents of a primary storage how large it is and how much of it is free',
    }),
    attach('AttachPrimaryStorageToCluster', 'POST', '/clusters/{clusterUuid}/primary-storage/{primaryStorageUuid}', {
      of: 'primaryStorage',
      workflow: 'primaryStorage.attach',
      verb: 'attach',
      summary: 'Let the hosts of a cluster use a primary storage',
    }),
    attach('DetachPrimaryStorageFromCluster', 'DELETE', '/clusters/{clusterUuid}/primary-storage/{primaryStorageUuid}', {
      of: 'primaryStorage',
      workflow: 'primaryStorage.detach',
      verb: 'detach',
      summary: 'Take a primary storage from a cluster',
    }),
    call('GetPrimaryStorageCapacity', 'GET', '/primary-storage/capacities', {
      verb: 'capacity',
      summary: 'Capacity of primary storage',
      params: {
        zoneUuids: z.array(uuid).optional(),
        clusterUuids: z.array(uuid).optional(),
        primaryStorageUuids: z.array(uuid).optional(),
        all: z.boolean().optional(),
      },
      result: {
        kind: 'fields',
        schema: z.object({
          totalCapacity: bytes,
          availableCapacity: bytes,
          totalPhysicalCapacity: bytes,
          availablePhysicalCapacity: bytes,
        }),
      },
    }),
    remove('DeletePrimaryStorage', '/primary-storage/{uuid}', 'primaryStorage', { workflow: 'primaryStorage.delete' }),
  ],
})
