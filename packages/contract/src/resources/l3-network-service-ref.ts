import { query } from '../api.ts'
import { defineResource } from '../resource.ts'
import { uuid } from '../scalars.ts'
import { networkServiceType } from './l3-network.ts'

/** Which provider serves what in a network. Nothing is recorded of it: networks say it themselves, and the controller reads it from them. */
export const networkServiceL3NetworkRef = defineResource({
  name: 'networkServiceL3NetworkRef',
  noun: 'network-service-ref',
  path: '/l3-networks/network-services/refs',
  inventory: {
    sdk: 'NetworkServiceL3NetworkRefInventory',
    java: 'org.zstack.header.network.service.NetworkServiceL3NetworkRefInventory',
  },
  summary: 'Which provider serves what in a network',
  scope: { follows: 'l3NetworkUuid', of: 'l3Network' },
  fields: { l3NetworkUuid: uuid, networkServiceProviderUuid: uuid, networkServiceType },
  hidden: ['uuid', 'name', 'createDate', 'lastOpDate'],
  edges: {
    l3Network: { to: 'l3Network', via: 'l3NetworkUuid', kind: 'friend', inverse: 'networkServiceRefs' },
    networkServiceProvider: {
      to: 'networkServiceProvider',
      via: 'networkServiceProviderUuid',
      kind: 'friend',
      inverse: 'l3NetworkRefs',
    },
  },
  indexes: ['l3NetworkUuid'],
  columns: ['l3NetworkUuid', 'networkServiceType', 'networkServiceProviderUuid'],
  apis: [
    query('QueryNetworkServiceL3NetworkRef', '/l3-networks/network-services/refs', 'networkServiceL3NetworkRef', {
      byUuid: false,
    }),
  ],
})
