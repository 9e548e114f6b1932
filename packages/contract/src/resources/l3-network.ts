import { z } from 'zod'
import { attach, call, changeState, create, query, remove, update } from '../api.ts'
import { defineResource, enabledDisabled, enabledState } from '../resource.ts'
import { cidr4, hostname, ip, ipv4, uuid } from '../scalars.ts'
import { freeIps } from './free-ips.ts'
import { l3NetworkTypes } from './kinds.ts'
import { l3Settings } from './l3-settings.ts'

export const networkServiceType = z.enum([
  'DHCP',
  'DNS',
  'SNAT',
  'Eip',
  'PortForwarding',
  'LoadBalancer',
  'Userdata',
  'HostRoute',
])
const serviceRef = z.object({ l3NetworkUuid: uuid, networkServiceProviderUuid: uuid, networkServiceType })
const serviceMap = z.record(uuid, z.array(networkServiceType))
const hostRoute = z.object({ l3NetworkUuid: uuid, prefix: cidr4, nexthop: ipv4 })
const category = z.enum(['Public', 'Private', 'System'])

const count = z.number().int()
const counts = { totalCapacity: count, availableCapacity: count, usedIpAddressNumber: count }
/** Of ranges, networks or zones, as the caller named them. */
const ipCapacity = z.object({
  ...counts,
  ...{ ipv4TotalCapacity: count, ipv4AvailableCapacity: count, ipv4UsedIpAddressNumber: count },
  ...{ ipv6TotalCapacity: count, ipv6AvailableCapacity: count, ipv6UsedIpAddressNumber: count },
  resourceType: z.string(),
  capacityData: z.array(z.object({ resourceUuid: uuid, ...counts })),
})

/** An IP subnet with its services (zstack-core §2.7). */
export const l3Network = defineResource({
  name: 'l3Network',
  noun: 'l3-network',
  path: '/l3-networks',
  inventory: { sdk: 'L3NetworkInventory', java: 'org.zstack.header.network.l3.L3NetworkInventory' },
  summary: 'An IP network with ranges, DNS and services',
  scope: { owner: 'ownerUuid', used: true },
  fields: {
    type: z.string(),
    zoneUuid: uuid,
    l2NetworkUuid: uuid,
    state: enabledState,
    dnsDomain: hostname.nullable().optional(),
    system: z.boolean(),
    category,
    ipVersion: z.number().int(),
    enableIPAM: z.boolean(),
    isolated: z.boolean().optional(),
    dns: z.array(ip),
    networkServices: z.array(serviceRef),
    /** told to guests with their addresses; absent: none */
    hostRoute: z.array(hostRoute).optional(),
    /** of its packets; without one as its L2 network has it */
    mtu: z.number().int().nullable().optional(),
    /** vrouter agent that serves this network, and the number of its uplink subnet on that host */
    routerAgentUuid: uuid.nullable(),
    routerUplink: z.number().int().nullable(),
    /** its router, of a VPC network that has one; it stays where `routerAgentUuid` says */
    vpcRouterUuid: uuid.nullable().optional(),
  },
  hidden: ['mtu', 'routerAgentUuid', 'routerUplink', 'vpcRouterUuid'],
  states: enabledDisabled,
  edges: {
    l2Network: { to: 'l2Network', via: 'l2NetworkUuid', kind: 'parent', onDelete: 'cascade', inverse: 'l3Networks' },
    zone: { to: 'zone', via: 'zoneUuid', kind: 'friend', inverse: 'l3Networks' },
    vpcRouter: { to: 'vpcRouter', via: 'vpcRouterUuid', kind: 'parent', onDelete: 'detach', inverse: 'vpcNetworks' },
  },
  indexes: ['name', 'state', 'zoneUuid', 'l2NetworkUuid', 'routerAgentUuid', 'vpcRouterUuid'],
  columns: ['name', 'uuid', 'category', 'state', 'dnsDomain'],
  apis: [
    l3NetworkTypes,
    create('CreateL3Network', '/l3-networks', {
      of: 'l3Network',
      workflow: 'l3Network.create',
      summary: 'Create an IP network',
      params: {
        l2NetworkUuid: uuid,
        type: z.enum(['L3BasicNetwork', 'L3VpcNetwork']).optional(),
        category: category.optional(),
        ipVersion: z.literal(4).optional(),
        system: z.boolean().optional(),
        dnsDomain: hostname.optional(),
        enableIPAM: z.boolean().optional(),
      },
    }),
    query('QueryL3Network', '/l3-networks', 'l3Network'),
    update('UpdateL3Network', '/l3-networks/{uuid}/actions', 'l3Network', {
      dnsDomain: hostname.optional(),
      category: category.optional(),
      system: z.boolean().optional(),
    }),
    changeState('ChangeL3NetworkState', '/l3-networks/{uuid}/actions', 'l3Network', ['enable', 'disable']),
    attach('AddDnsToL3Network', 'POST', '/l3-networks/{l3NetworkUuid}/dns', {
      of: 'l3Network',
      workflow: 'l3Network.addDns',
      verb: 'add-dns',
      params: { dns: ip },
      summary: 'Give the guests of a network a DNS server',
    }),
    attach('RemoveDnsFromL3Network', 'DELETE', '/l3-networks/{l3NetworkUuid}/dns/{dns}', {
      of: 'l3Network',
      workflow: 'l3Network.removeDns',
      verb: 'remove-dns',
      params: { dns: ip },
      summary: 'Take a DNS server from a network',
    }),
    attach('AttachNetworkServiceToL3Network', 'POST', '/l3-networks/{l3NetworkUuid}/network-services', {
      of: 'l3Network',
      workflow: 'l3Network.attachServices',
      verb: 'attach-services',
      params: { networkServices: serviceMap },
      summary: 'Switch services of a network on',
    }),
    attach('DetachNetworkServiceFromL3Network', 'DELETE', '/l3-networks/{l3NetworkUuid}/network-services', {
      of: 'l3Network',
      workflow: 'l3Network.detachServices',
      verb: 'detach-services',
      params: { networkServices: serviceMap.optional(), service: networkServiceType.optional() },
      summary: 'Switch services of a network off',
    }),
    ...l3Settings,
    ...freeIps,
    call('GetIpAddressCapacity', 'GET', '/ip-capacity', {
      verb: 'ip-capacity',
      summary: 'How many addresses there are, and how many are free',
      params: {
        zoneUuids: z.array(uuid).optional(),
        l3NetworkUuids: z.array(uuid).optional(),
        ipRangeUuids: z.array(uuid).optional(),
        all: z.boolean().optional(),
      },
      result: { kind: 'fields', schema: ipCapacity },
    }),
    call('CheckIpAvailability', 'GET', '/l3-networks/{l3NetworkUuid}/ip/{ip}/availability', {
      verb: 'check-ip',
      summary: 'Is this address free?',
      params: { ip, arpCheck: z.boolean().optional(), ipRangeCheck: z.boolean().optional() },
      result: { kind: 'fields', schema: z.object({ available: z.boolean(), reason: z.string().optional() }) },
    }),
    remove('DeleteL3Network', '/l3-networks/{uuid}', 'l3Network', { workflow: 'l3Network.delete' }),
  ],
})

/** A router's uplink subnet on its host; key `<vrouter agent uuid>:<number>`, so that no two routers of a host share one. */
export const routerUplink = defineResource({
  name: 'routerUplink',
  noun: 'router-uplink',
  path: '/l3-networks/uplinks',
  summary: 'The uplink subnet of a router',
  scope: 'admin',
  fields: { agentUuid: uuid, l3NetworkUuid: uuid, number: z.number().int() },
  edges: { l3Network: { to: 'l3Network', via: 'l3NetworkUuid', kind: 'parent', onDelete: 'cascade', inverse: 'uplinks' } },
  indexes: ['agentUuid', 'l3NetworkUuid'],
  columns: ['uuid', 'agentUuid', 'l3NetworkUuid'],
  apis: [],
})
