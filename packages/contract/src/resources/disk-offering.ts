import { z } from 'zod'
import { changeState, create, query, remove, update } from '../api.ts'
import { defineResource, enabledDisabled, enabledState } from '../resource.ts'
import { bytes } from '../scalars.ts'
import { pluginStrategy, primaryStorageAllocatorStrategies } from './allocators.ts'

/** Size of a volume, by name (zstack-core §2.10). Bytes. */
export const diskOffering = defineResource({
  name: 'diskOffering',
  noun: 'disk-offering',
  path: '/disk-offerings',
  inventory: { sdk: 'DiskOfferingInventory', java: 'org.zstack.header.configuration.DiskOfferingInventory' },
  summary: 'A named size of a volume',
  scope: { owner: 'ownerUuid', used: true },
  fields: { diskSize: bytes, sortKey: z.number().int(), state: enabledState, type: z.string(), allocatorStrategy: z.string() },
  states: enabledDisabled,
  edges: {},
  indexes: ['name', 'state'],
  columns: ['name', 'uuid', 'diskSize', 'state'],
  apis: [
    create('CreateDiskOffering', '/disk-offerings', {
      rights: 'admin',
      of: 'diskOffering',
      workflow: 'diskOffering.create',
      summary: 'Create a disk offering',
      params: {
        diskSize: bytes.min(1),
        sortKey: z.number().int().optional(),
        allocationStrategy: z.union([z.enum(primaryStorageAllocatorStrategies), pluginStrategy]).optional(),
        type: z.enum(['zstack']).optional(),
      },
    }),
    query('QueryDiskOffering', '/disk-offerings', 'diskOffering'),
    update('UpdateDiskOffering', '/disk-offerings/{uuid}/actions', 'diskOffering'),
    changeState('ChangeDiskOfferingState', '/disk-offerings/{uuid}/actions', 'diskOffering', ['enable', 'disable']),
    remove('DeleteDiskOffering', '/disk-offerings/{uuid}', 'diskOffering'),
  ],
})
