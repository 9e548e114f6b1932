import { z } from 'zod'
import { query } from '../api.ts'
import { defineResource } from '../resource.ts'
import { ip, uuid } from '../scalars.ts'

/** An address in use; key `<l3NetworkUuid>:<ip>`, so it can't be given twice (DESIGN §3). */
export const usedIp = defineResource({
  name: 'usedIp',
  noun: 'ip-address',
  path: '/l3-networks/ip-address',
  inventory: { sdk: 'UsedIpInventory', java: 'org.zstack.header.network.l3.UsedIpInventory' },
  summary: 'An address that is in use',
  scope: { follows: 'vmNicUuid', of: 'vmNic' },
  fields: {
    l3NetworkUuid: uuid,
    ipRangeUuid: uuid,
    ip,
    /** 0 of IPv6, as ZStack has it */
    ipInLong: z.number().int(),
    netmask: ip,
    gateway: ip,
    ipVersion: z.number().int(),
    usedFor: z.string().nullable().optional(),
    vmNicUuid: uuid.nullable(),
  },
  edges: {
    vmNic: {
      to: 'vmNic',
      via: 'vmNicUuid',
      kind: 'parent',
      onDelete: 'cascade',
      both: true,
      bothWhere: { ipVersion: 4, usedFor: null },
      inverse: 'usedIps',
      inline: true,
    },
    l3Network: { to: 'l3Network', via: 'l3NetworkUuid', kind: 'parent', onDelete: 'cascade', inverse: 'usedIps' },
    ipRange: { to: 'ipRange', via: 'ipRangeUuid', kind: 'parent', onDelete: 'cascade', inverse: 'usedIps' },
  },
  indexes: ['uuid', 'l3NetworkUuid', 'ipRangeUuid', 'vmNicUuid', 'ip'],
  columns: ['ip', 'l3NetworkUuid', 'vmNicUuid'],
  apis: [query('QueryIpAddress', '/l3-networks/ip-address', 'usedIp')],
})
