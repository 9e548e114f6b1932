import { z } from 'zod'
import { attach, createParams, remove } from '../api.ts'
import { defineResource } from '../resource.ts'
import { ip, uuid } from '../scalars.ts'

const { name: _name, description: _description, ...made } = createParams

/** Addresses of a network that nobody is given, both ends included: something outside of the site has them (zstack-core §2.7). */
export const reservedIpRange = defineResource({
  name: 'reservedIpRange',
  noun: 'reserved-ip-range',
  path: '/l3-networks/reserved-ip-ranges',
  inventory: { sdk: 'ReservedIpRangeInventory', java: 'org.zstack.header.network.l3.ReservedIpRangeInventory' },
  summary: 'Addresses of a network that nobody is given',
  scope: { follows: 'l3NetworkUuid', of: 'l3Network' },
  fields: { l3NetworkUuid: uuid, startIp: ip, endIp: ip, ipVersion: z.number().int() },
  edges: {
    l3Network: {
      to: 'l3Network',
      via: 'l3NetworkUuid',
      kind: 'parent',
      onDelete: 'cascade',
      inverse: 'reservedIpRanges',
      inline: true,
    },
  },
  indexes: ['name', 'l3NetworkUuid'],
  columns: ['name', 'uuid', 'startIp', 'endIp'],
  apis: [
    attach('AddReservedIpRange', 'POST', '/l3-networks/{l3NetworkUuid}/reserved-ip-ranges', {
      owns: ['l3NetworkUuid'],
      of: 'reservedIpRange',
      workflow: 'ipRange.reserve',
      verb: 'create',
      summary: 'Keep addresses of a network from being given out',
      params: { ...made, startIp: ip, endIp: ip },
    }),
    remove('DeleteReservedIpRange', '/l3-networks/reserved-ip-ranges/{uuid}', 'reservedIpRange'),
  ],
})
