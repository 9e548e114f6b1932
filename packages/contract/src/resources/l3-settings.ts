/** What the guests of a network are told besides addresses and names: routes, the size of packets, who tells them. */
import { z } from 'zod'
import { attach, call, remove } from '../api.ts'
import { cidr4, ip, ipv4, time, uuid } from '../scalars.ts'

const network = '/l3-networks/{l3NetworkUuid}'
const fields = <S extends z.ZodObject>(schema: S) => ({ kind: 'fields' as const, schema })

export const l3Settings = [
  attach('AddHostRouteToL3Network', 'POST', `${network}/hostroute`, {
    of: 'l3Network',
    workflow: 'l3Network.addHostRoute',
    verb: 'add-host-route',
    params: { prefix: cidr4, nexthop: ipv4 },
    summary: 'Tell the guests of a network a route, with their addresses (DHCP option 121)',
  }),
  attach('RemoveHostRouteFromL3Network', 'DELETE', `${network}/hostroute`, {
    of: 'l3Network',
    workflow: 'l3Network.removeHostRoute',
    verb: 'remove-host-route',
    params: { prefix: cidr4 },
    summary: 'Tell the guests of a network a route no more',
  }),
  {
    ...attach('SetL3NetworkMtu', 'POST', `${network}/mtu`, {
      of: 'l3Network',
      workflow: 'l3Network.setMtu',
      verb: 'set-mtu',
      params: { mtu: z.number().int().min(68).max(9216) },
      summary: 'Say how large the packets of a network may be: its guests are told, its bridge and router follow',
    }),
    result: { kind: 'empty' as const },
  },
  call('GetL3NetworkMtu', 'GET', `${network}/mtu`, {
    verb: 'mtu',
    result: fields(z.object({ mtu: z.number().int() })),
    summary: 'How large the packets of a network may be',
  }),
  call('GetL3NetworkDhcpIpAddress', 'GET', `${network}/dhcp-ip`, {
    verb: 'dhcp-ip',
    result: fields(z.object({ ip: z.string().optional(), ip6: z.string().optional() })),
    summary: 'Addresses of the DHCP server of a network; without DHCP none',
  }),
  call('GetL3NetworkRouterInterfaceIp', 'GET', `${network}/router-interface-ip`, {
    verb: 'router-interface-ip',
    result: fields(z.object({ routerInterfaceIp: z.string().optional() })),
    summary: 'The address that the router of a network has in it; without a router none',
  }),
  call('GetL3NetworkIpStatistic', 'GET', `${network}/ip-statistic`, {
    verb: 'ip-statistic',
    params: {
      resourceType: z.enum(['All', 'Vip', 'VM']).optional(),
      ip: ip.optional(),
      sortBy: z.enum(['Ip', 'CreateDate']).optional(),
      sortDirection: z.enum(['asc', 'desc']).optional(),
      start: z.number().int().min(0).optional(),
      limit: z.number().int().min(0).optional(),
      replyWithCount: z.boolean().optional(),
    },
    result: fields(
      z.object({
        ipStatistics: z.array(
          z.object({
            ip: z.string(),
            vmInstanceUuid: uuid.optional(),
            vmInstanceName: z.string().optional(),
            vmInstanceType: z.string().optional(),
            vmDefaultIp: z.array(z.string()).optional(),
            resourceTypes: z.array(z.string()),
            state: z.string().optional(),
            useFor: z.string().optional(),
            createDate: time,
            ownerName: z.string().optional(),
          }),
        ),
        total: z.number().int().optional(),
      }),
    ),
    summary: 'Who has the addresses of a network that are in use',
  }),
  remove('DeleteIpAddress', `${network}/ip-address`, 'usedIp', {
    workflow: 'usedIp.delete',
    verb: 'delete-ip-addresses',
    params: { usedIpUuids: z.array(uuid).min(1).max(1000) },
    summary: 'Let go of addresses that a guest had before its address was changed',
  }),
] as const
