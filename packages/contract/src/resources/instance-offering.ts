import { z } from 'zod'
import { changeState, create, query, remove, update } from '../api.ts'
import { defineResource, enabledDisabled, enabledState } from '../resource.ts'
import { bytes } from '../scalars.ts'
import { hostAllocatorStrategies, pluginStrategy } from './allocators.ts'

/** CPU and memory of a VM, by name (zstack-core §2.9). Memory in bytes. */
export const instanceOffering = defineResource({
  name: 'instanceOffering',
  noun: 'instance-offering',
  path: '/instance-offerings',
  inventory: { sdk: 'InstanceOfferingInventory', java: 'org.zstack.header.configuration.InstanceOfferingInventory' },
  summary: 'A named size of CPU and memory',
  scope: { owner: 'ownerUuid', used: true },
  fields: {
    cpuNum: z.number().int(),
    cpuSpeed: z.number().int(),
    memorySize: bytes,
    reservedMemorySize: bytes.optional(),
    type: z.string(),
    allocatorStrategy: z.string(),
    sortKey: z.number().int(),
    state: enabledState,
  },
  states: enabledDisabled,
  edges: {},
  indexes: ['name', 'state', 'type'],
  columns: ['name', 'uuid', 'cpuNum', 'memorySize', 'state'],
  apis: [
    create('CreateInstanceOffering', '/instance-offerings', {
      rights: 'admin',
      of: 'instanceOffering',
      workflow: 'instanceOffering.create',
      summary: 'Create an instance offering',
      params: {
        cpuNum: z.number().int().min(1).max(1024),
        memorySize: bytes.min(1),
        reservedMemorySize: bytes.optional(),
        sortKey: z.number().int().optional(),
        allocatorStrategy: z.union([z.enum(hostAllocatorStrategies), pluginStrategy]).optional(),
        type: z.enum(['UserVm']).optional(),
      },
    }),
    query('QueryInstanceOffering', '/instance-offerings', 'instanceOffering'),
    update('UpdateInstanceOffering', '/instance-offerings/{uuid}/actions', 'instanceOffering'),
    {
      ...changeState('ChangeInstanceOfferingState', '/instance-offerings/{uuid}/actions', 'instanceOffering', [
        'enable',
        'disable',
      ]),
      otherwise: { of: 'virtualRouterOffering', workflow: 'resource.changeState' },
    },
    {
      ...remove('DeleteInstanceOffering', '/instance-offerings/{uuid}', 'instanceOffering'),
      otherwise: { of: 'virtualRouterOffering', workflow: 'resource.delete' },
    },
  ],
})
