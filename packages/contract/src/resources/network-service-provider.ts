import { z } from 'zod'
import { query } from '../api.ts'
import { defineResource } from '../resource.ts'
import { networkServiceType } from './l3-network.ts'

/** Who can serve networks. One is built in: agent-vrouter (zstack-core §2.8). */
export const networkServiceProvider = defineResource({
  name: 'networkServiceProvider',
  noun: 'network-service-provider',
  path: '/network-services/providers',
  inventory: { sdk: 'NetworkServiceProviderInventory' },
  summary: 'Who serves DHCP, DNS and NAT',
  fields: { type: z.string(), networkServiceTypes: z.array(networkServiceType) },
  edges: {},
  indexes: ['name', 'type'],
  columns: ['name', 'uuid', 'type'],
  apis: [query('QueryNetworkServiceProvider', '/network-services/providers', 'networkServiceProvider', { byUuid: false })],
})
