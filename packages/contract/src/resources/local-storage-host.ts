import { z } from 'zod'
import { defineResource } from '../resource.ts'
import { bytes, uuid } from '../scalars.ts'

/** The part of a local primary storage that lies on one host; key `<primaryStorageUuid>:<hostUuid>`. Capacity is guarded here. */
export const localStorageHost = defineResource({
  name: 'localStorageHost',
  noun: 'local-storage-host',
  path: '/local-storage-hosts',
  summary: 'What one host gives to a local primary storage',
  scope: 'admin',
  fields: {
    primaryStorageUuid: uuid,
    hostUuid: uuid,
    status: z.enum(['Connecting', 'Connected', 'Disconnected']),
    totalCapacity: bytes,
    availableCapacity: z.number().int(),
    totalPhysicalCapacity: bytes,
    availablePhysicalCapacity: z.number().int(),
    systemUsedCapacity: bytes,
  },
  counters: ['availableCapacity', 'availablePhysicalCapacity'],
  edges: {
    primaryStorage: {
      to: 'primaryStorage',
      via: 'primaryStorageUuid',
      kind: 'parent',
      onDelete: 'cascade',
      inverse: 'localHosts',
    },
    host: { to: 'host', via: 'hostUuid', kind: 'parent', onDelete: 'cascade', inverse: 'localStorages' },
  },
  indexes: ['primaryStorageUuid', 'hostUuid'],
  columns: ['primaryStorageUuid', 'hostUuid', 'availableCapacity'],
  apis: [],
})
