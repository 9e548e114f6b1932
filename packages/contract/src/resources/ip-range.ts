import { z } from 'zod'
import { attach, createParams, query, remove, update } from '../api.ts'
import { defineResource } from '../resource.ts'
import { cidr, cidr4, cidr6, ip, ipv4, ipv6, uuid } from '../scalars.ts'

/** How guests come to their IPv6 addresses. */
const addressMode = z.enum(['SLAAC', 'Stateful-DHCP', 'Stateless-DHCP'])
const six = '/l3-networks/{l3NetworkUuid}/ipv6-ranges'
const path = '/l3-networks/{l3NetworkUuid}/ip-ranges'
/** A network that others may use gets its addresses from its owner. */
const owns = ['l3NetworkUuid']

/** Addresses that a network may give out, both ends included. */
export const ipRange = defineResource({
  name: 'ipRange',
  noun: 'ip-range',
  path: '/l3-networks/ip-ranges',
  inventory: { sdk: 'IpRangeInventory', java: 'org.zstack.header.network.l3.IpRangeInventory' },
  summary: 'Addresses that a network may give out',
  scope: { follows: 'l3NetworkUuid', of: 'l3Network' },
  fields: {
    l3NetworkUuid: uuid,
    startIp: ip,
    endIp: ip,
    netmask: ip,
    gateway: ip,
    networkCidr: cidr,
    ipVersion: z.number().int(),
    addressMode: addressMode.optional(),
    prefixLen: z.number().int(),
    ipRangeType: z.enum(['Normal']),
  },
  edges: {
    l3Network: { to: 'l3Network', via: 'l3NetworkUuid', kind: 'parent', onDelete: 'cascade', inverse: 'ipRanges', inline: true },
  },
  indexes: ['name', 'l3NetworkUuid'],
  columns: ['name', 'uuid', 'startIp', 'endIp', 'gateway'],
  apis: [
    attach('AddIpRange', 'POST', path, {
      owns,
      of: 'ipRange',
      workflow: 'ipRange.add',
      verb: 'create',
      summary: 'Give a network a range of addresses',
      params: {
        ...createParams,
        startIp: ipv4,
        endIp: ipv4,
        netmask: ipv4,
        gateway: ipv4.optional(),
        ipRangeType: z.enum(['Normal']).optional(),
      },
    }),
    {
      ...attach('AddIpRangeByNetworkCidr', 'POST', `${path}/by-cidr`, {
        owns,
        of: 'ipRange',
        workflow: 'ipRange.add',
        verb: 'create-by-cidr',
        summary: 'Give a network all addresses of a CIDR',
        params: { ...createParams, networkCidr: cidr4, gateway: ipv4.optional(), ipRangeType: z.enum(['Normal']).optional() },
      }),
      // ZStack can make several ranges of one CIDR, so its clients look into the list
      result: { kind: 'inventory' as const, of: 'ipRange' as const, listed: true as const },
    },
    attach('AddIpv6Range', 'POST', six, {
      owns,
      of: 'ipRange',
      workflow: 'ipRange.add6',
      verb: 'create6',
      summary: 'Give a network that has IPv4 addresses a range of IPv6 addresses',
      params: {
        ...createParams,
        startIp: ipv6,
        endIp: ipv6,
        gateway: ipv6,
        prefixLen: z.number().int().min(8).max(126),
        addressMode,
        ipRangeType: z.enum(['Normal']).optional(),
      },
    }),
    {
      ...attach('AddIpv6RangeByNetworkCidr', 'POST', `${six}/by-cidr`, {
        owns,
        of: 'ipRange',
        workflow: 'ipRange.add6',
        verb: 'create6-by-cidr',
        summary: 'Give a network that has IPv4 addresses all IPv6 addresses of a CIDR',
        params: { ...createParams, networkCidr: cidr6, addressMode, ipRangeType: z.enum(['Normal']).optional() },
      }),
      result: { kind: 'inventory' as const, of: 'ipRange' as const, listed: true as const },
    },
    query('QueryIpRange', '/l3-networks/ip-ranges', 'ipRange'),
    update('UpdateIpRange', '/l3-networks/ip-ranges/{uuid}/actions', 'ipRange'),
    remove('DeleteIpRange', '/l3-networks/ip-ranges/{uuid}', 'ipRange', { workflow: 'ipRange.delete' }),
  ],
})
