/** Addresses that nobody holds: of a network or a range, which ZStack asks for in three ways. */
import { z } from 'zod'
import { call } from '../api.ts'
import { ip, uuid } from '../scalars.ts'

const params = {
  l3NetworkUuid: uuid.optional(),
  ipRangeUuid: uuid.optional(),
  start: ip.optional(),
  /** 4 or 6 */
  ipVersion: z.number().int().min(4).max(6).optional(),
  limit: z.number().int().min(1).max(1000).optional(),
}
const { l3NetworkUuid: _l3, ...ofNetwork } = params
const { ipRangeUuid: _range, ...ofRange } = params
const o = {
  result: {
    kind: 'fields' as const,
    schema: z.object({ inventories: z.array(z.object({ ipRangeUuid: uuid, ip, netmask: ip, gateway: ip })) }),
  },
}

export const freeIps = [
  call('GetFreeIp', 'GET', '/l3-networks/ip/free', {
    ...{ ...o, params, verb: 'free-ips', summary: 'Addresses that nobody holds' },
  }),
  call('GetFreeIpOfL3Network', 'GET', '/l3-networks/{l3NetworkUuid}/ip/free', {
    ...{ ...o, params: ofNetwork, verb: 'free-ips-of-network', summary: 'Addresses of a network that nobody holds' },
  }),
  call('GetFreeIpOfIpRange', 'GET', '/l3-networks/ip-ranges/{ipRangeUuid}/ip/free', {
    ...{ ...o, params: ofRange, verb: 'free-ips-of-range', summary: 'Addresses of a range that nobody holds' },
  }),
] as const
