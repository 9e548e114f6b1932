import { z } from 'zod'
import { create, query, update } from '../api.ts'
import { defineResource, enabledDisabled, enabledState } from '../resource.ts'
import { bytes, uuid } from '../scalars.ts'

/** What routers of VPCs are made from: their size, and the public network that they begin with (zstack-core §2.21). */
export const virtualRouterOffering = defineResource({
  name: 'virtualRouterOffering',
  noun: 'virtual-router-offering',
  path: '/instance-offerings/virtual-routers',
  inventory: {
    sdk: 'VirtualRouterOfferingInventory',
    java: 'org.zstack.network.service.virtualrouter.VirtualRouterOfferingInventory',
  },
  summary: 'What VPC routers are made from',
  scope: { owner: 'ownerUuid', used: true },
  fields: {
    zoneUuid: uuid,
    managementNetworkUuid: uuid,
    publicNetworkUuid: uuid,
    imageUuid: uuid,
    isDefault: z.boolean(),
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
  edges: {
    zone: { to: 'zone', via: 'zoneUuid', kind: 'parent', onDelete: 'cascade', inverse: 'virtualRouterOfferings' },
    publicNetwork: {
      to: 'l3Network',
      via: 'publicNetworkUuid',
      kind: 'parent',
      onDelete: 'cascade',
      inverse: 'publicVirtualRouterOfferings',
    },
    managementNetwork: {
      to: 'l3Network',
      via: 'managementNetworkUuid',
      kind: 'friend',
      inverse: 'managementVirtualRouterOfferings',
    },
    image: { to: 'image', via: 'imageUuid', kind: 'friend', inverse: 'virtualRouterOfferings' },
  },
  indexes: ['name', 'state', 'zoneUuid', 'publicNetworkUuid', 'isDefault'],
  columns: ['name', 'uuid', 'publicNetworkUuid', 'state'],
  apis: [
    create('CreateVirtualRouterOffering', '/instance-offerings/virtual-routers', {
      rights: 'admin',
      of: 'virtualRouterOffering',
      workflow: 'virtualRouterOffering.create',
      names: { managementNetworkUuid: 'l3Network', publicNetworkUuid: 'l3Network' },
      summary: 'Say what VPC routers are made from',
      params: {
        zoneUuid: uuid,
        managementNetworkUuid: uuid,
        imageUuid: uuid,
        publicNetworkUuid: uuid.optional(),
        isDefault: z.boolean().optional(),
        cpuNum: z.number().int().min(1).max(1024),
        memorySize: bytes.min(1),
        reservedMemorySize: bytes.optional(),
        sortKey: z.number().int().optional(),
        type: z.enum(['VirtualRouter']).optional(),
      },
    }),
    query('QueryVirtualRouterOffering', '/instance-offerings/virtual-routers', 'virtualRouterOffering'),
    update('UpdateVirtualRouterOffering', '/instance-offerings/virtual-routers/{uuid}/actions', 'virtualRouterOffering', {
      isDefault: z.boolean().optional(),
    }),
  ],
})
