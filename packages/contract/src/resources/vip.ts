import { z } from 'zod'
import { call, changeState, create, query, remove, update } from '../api.ts'
import { defineResource, enabledDisabled, enabledState } from '../resource.ts'
import { ipv4, port, time, uuid } from '../scalars.ts'

const protocol = z.enum(['TCP', 'UDP'])
const limit = z.number().int().min(1).max(65_535).optional()
const start = z.number().int().min(0).max(65_535).optional()
/** What a VIP can be used for; which of them it is, its first use decides. */
export const vipUse = z.enum(['Eip', 'PortForwarding', 'LoadBalancer', 'IPsec'])

/** An address of a network, usually a public one, under which guests of another network are reached (zstack-core §2.16). */
export const vip = defineResource({
  name: 'vip',
  noun: 'vip',
  path: '/vips',
  inventory: { sdk: 'VipInventory', java: 'org.zstack.network.service.vip.VipInventory' },
  summary: 'An address under which guests of another network are reached',
  scope: { owner: 'ownerUuid' },
  fields: {
    l3NetworkUuid: uuid,
    ip: ipv4,
    state: enabledState,
    gateway: ipv4,
    netmask: ipv4,
    prefixLen: z.number().int(),
    serviceProvider: z.string().nullable(),
    peerL3NetworkUuids: z.array(uuid),
    /** EIPs, rules of port forwarding and IPsec connections, attached or not; `uuid` is theirs */
    servicesRefs: z.array(z.object({ uuid, serviceType: vipUse, vipUuid: uuid, createDate: time, lastOpDate: time })),
    useFor: vipUse.nullable(),
    system: z.boolean(),
    ipRangeUuid: uuid,
    /** network of the guests behind it: its router has the address */
    servedL3Uuid: uuid.nullable(),
  },
  hidden: ['ipRangeUuid', 'servedL3Uuid'],
  states: enabledDisabled,
  edges: {
    l3Network: { to: 'l3Network', via: 'l3NetworkUuid', kind: 'parent', onDelete: 'cascade', inverse: 'vips' },
    ipRange: { to: 'ipRange', via: 'ipRangeUuid', kind: 'parent', onDelete: 'cascade', inverse: 'vips' },
  },
  indexes: ['name', 'state', 'l3NetworkUuid', 'ipRangeUuid', 'servedL3Uuid', 'ip', 'useFor'],
  columns: ['name', 'uuid', 'ip', 'useFor', 'state'],
  apis: [
    create('CreateVip', '/vips', {
      of: 'vip',
      workflow: 'vip.create',
      summary: 'Take an address of a network as a VIP',
      params: {
        l3NetworkUuid: uuid,
        allocatorStrategy: z.enum(['RandomIpAllocatorStrategy', 'FirstAvailableIpAllocatorStrategy']).optional(),
        ipRangeUuid: uuid.optional(),
        requiredIp: ipv4.optional(),
        ipVersion: z.literal(4).optional(),
      },
    }),
    query('QueryVip', '/vips', 'vip'),
    update('UpdateVip', '/vips/{uuid}/actions', 'vip'),
    { ...changeState('ChangeVipState', '/vips/{uuid}/actions', 'vip', ['enable', 'disable']), workflow: 'vip.changeState' },
    call('CheckVipPortAvailability', 'GET', '/vips/{vipUuid}/check-port-availability', {
      verb: 'check-port',
      summary: 'Is this port of a VIP free?',
      params: { port, protocolType: protocol, limit, start },
      result: { kind: 'fields', schema: z.object({ available: z.boolean() }) },
    }),
    call('GetVipAvailablePort', 'GET', '/vips/{vipUuid}/get-port-availability', {
      verb: 'free-ports',
      summary: 'Ports of a VIP that nothing uses, in order',
      params: { protocolType: protocol, limit, start },
      result: { kind: 'fields', schema: z.object({ availablePort: z.array(port) }) },
    }),
    call('GetVipUsedPorts', 'GET', '/vips/{uuid}/usedports', {
      verb: 'used-ports',
      summary: 'Ports of a VIP that are in use: single ones, and ranges such as 80-90',
      params: { protocol },
      result: {
        kind: 'fields',
        schema: z.object({ inventories: z.array(z.object({ uuid, protocol, usedPorts: z.array(z.string()) })) }),
      },
    }),
    remove('DeleteVip', '/vips/{uuid}', 'vip', { workflow: 'vip.delete' }),
  ],
})
