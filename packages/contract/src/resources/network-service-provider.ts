import { z } from 'zod'
import { call, query } from '../api.ts'
import { defineResource } from '../resource.ts'
import { networkServiceType } from './l3-network.ts'

/** Who can serve networks. One is built in: agent-vrouter (zstack-core §2.8). */
export const networkServiceProvider = defineResource({
  name: 'networkServiceProvider',
  noun: 'network-service-provider',
  path: '/network-services/providers',
  inventory: {
    sdk: 'NetworkServiceProviderInventory',
    java: 'org.zstack.header.network.service.NetworkServiceProviderInventory',
  },
  summary: 'Who serves DHCP, DNS and NAT',
  scope: 'everyone',
  fields: { type: z.string(), networkServiceTypes: z.array(networkServiceType) },
  edges: {},
  indexes: ['name', 'type'],
  columns: ['name', 'uuid', 'type'],
  apis: [
    query('QueryNetworkServiceProvider', '/network-services/providers', 'networkServiceProvider', { byUuid: false }),
    call('GetNetworkServiceTypes', 'GET', '/network-services/types', {
      verb: 'types',
      result: { kind: 'fields', schema: z.object({ types: z.record(z.string(), z.array(z.string())) }) },
      summary: 'Services that networks can have, each with the types of those who serve it',
    }),
  ],
})
