import { z } from 'zod'
import { action, attach, call, create, query } from '../api.ts'
import { defineResource } from '../resource.ts'
import { bytes, ipv4, uuid } from '../scalars.ts'

const appliance = '/vm-instances/appliances/virtual-routers/{vmInstanceUuid}'
const path = '/vpc/virtual-routers/{uuid}'
const service = z.enum(['SNAT'])

/** What VMs and VPC routers are asked by the same calls: in which states of a router. */
export const vpcRouterStates = ['Running', 'Stopped'] as const

/** The router of the networks of a VPC: a namespace on a host (zstack-core §2.21, §2.22). */
export const vpcRouter = defineResource({
  name: 'vpcRouter',
  noun: 'vpc-router',
  path: '/vpc/virtual-routers',
  inventory: { sdk: 'VpcRouterVmInventory', java: 'org.zstack.header.vpc.VpcRouterVmInventory' },
  summary: 'The router of the networks of a VPC',
  scope: { owner: 'ownerUuid' },
  fields: {
    zoneUuid: uuid,
    clusterUuid: uuid.nullable(),
    hostUuid: uuid.nullable(),
    lastHostUuid: uuid.nullable(),
    instanceOfferingUuid: uuid,
    imageUuid: uuid.nullable(),
    managementNetworkUuid: uuid,
    publicNetworkUuid: uuid,
    defaultL3NetworkUuid: uuid,
    /** public network that what has no other way goes out to */
    defaultRouteL3NetworkUuid: uuid,
    type: z.enum(['ApplianceVm']),
    applianceVmType: z.enum(['vpcvrouter']),
    hypervisorType: z.string(),
    cpuNum: z.number().int(),
    memorySize: bytes,
    state: z.enum(vpcRouterStates),
    status: z.enum(['Connecting', 'Connected', 'Disconnected']),
    haStatus: z.enum(['NoHa']),
    dns: z.array(ipv4),
    /** networks whose guests go out under their own addresses */
    snatDisabled: z.array(uuid),
    /** vrouter agent that it is on while it runs */
    agentUuid: uuid.nullable(),
  },
  hidden: ['snatDisabled', 'agentUuid'],
  edges: {
    zone: { to: 'zone', via: 'zoneUuid', kind: 'parent', onDelete: 'cascade', inverse: 'vpcRouters' },
    host: { to: 'host', via: 'hostUuid', kind: 'friend', inverse: 'vpcRouters' },
    cluster: { to: 'cluster', via: 'clusterUuid', kind: 'friend', inverse: 'vpcRouters' },
    virtualRouterOffering: {
      to: 'virtualRouterOffering',
      via: 'instanceOfferingUuid',
      kind: 'friend',
      inverse: 'vpcRouters',
    },
  },
  indexes: ['name', 'state', 'status', 'zoneUuid', 'clusterUuid', 'hostUuid', 'agentUuid', 'instanceOfferingUuid'],
  columns: ['name', 'uuid', 'state', 'status', 'hostUuid'],
  apis: [
    create('CreateVpcVRouter', '/vpc/virtual-routers', {
      of: 'vpcRouter',
      workflow: 'vpcRouter.create',
      summary: 'Make a router for the networks of a VPC',
      params: {
        virtualRouterOfferingUuid: uuid,
        zoneUuid: uuid.optional(),
        clusterUuid: uuid.optional(),
        hostUuid: uuid.optional(),
      },
    }),
    query('QueryVpcRouter', '/vpc/virtual-routers', 'vpcRouter', { byUuid: false }),
    action('ReconnectVirtualRouter', `${appliance}/actions`, {
      of: 'vpcRouter',
      workflow: 'vpcRouter.reconnect',
      target: 'vmInstanceUuid',
      names: { vmInstanceUuid: 'vpcRouter' },
      verb: 'reconnect',
      allowed: ['Running'],
      summary: 'Have a VPC router made as it should be, and see whether its host answers',
    }),
    action('UpdateVirtualRouter', `${appliance}/actions`, {
      of: 'vpcRouter',
      workflow: 'vpcRouter.changeDefaultRoute',
      target: 'vmInstanceUuid',
      names: { vmInstanceUuid: 'vpcRouter' },
      verb: 'change-default-route',
      params: { defaultRouteL3NetworkUuid: uuid.optional() },
      summary: 'Say which public network a VPC router goes out to',
    }),
    call('GetAttachablePublicL3ForVRouter', 'GET', `${appliance}/attachable-public-l3s`, {
      target: 'vmInstanceUuid',
      names: { vmInstanceUuid: 'vpcRouter' },
      verb: 'public-candidates',
      summary: 'Public networks that a VPC router can be attached to',
      result: { kind: 'inventories', of: 'l3Network' },
    }),
    call('GetAttachableVpcL3Network', 'POST', `${path}/attachable-vpc-l3s`, {
      verb: 'network-candidates',
      summary: 'VPC networks that a VPC router can become the router of',
      result: { kind: 'inventories', of: 'l3Network' },
    }),
    attach('AddDnsToVpcRouter', 'POST', `${path}/dns`, {
      of: 'vpcRouter',
      workflow: 'vpcRouter.addDns',
      verb: 'add-dns',
      params: { dns: ipv4 },
      summary: 'Have a VPC router ask this DNS server what it does not know',
    }),
    attach('RemoveDnsFromVpcRouter', 'DELETE', `${path}/dns`, {
      of: 'vpcRouter',
      workflow: 'vpcRouter.removeDns',
      verb: 'remove-dns',
      params: { dns: ipv4 },
      summary: 'Take a DNS server from a VPC router',
    }),
    {
      ...attach('SetVpcVRouterNetworkServiceState', 'POST', `${path}/networkservicestate`, {
        of: 'vpcRouter',
        workflow: 'vpcRouter.setServiceState',
        verb: 'set-service-state',
        params: { networkService: service, state: z.enum(['enable', 'disable']), l3NetworkUuid: uuid.optional() },
        summary: 'Switch SNAT of a VPC router on or off, for all of its networks or for one',
      }),
      result: { kind: 'fields', schema: z.object({ state: z.enum(['enable', 'disable']) }) },
    },
    call('GetVpcVRouterNetworkServiceState', 'GET', `${path}/networkservicestate`, {
      verb: 'service-state',
      params: { networkService: service, l3NetworkUuid: uuid.optional() },
      summary: 'Is SNAT of a VPC router on?',
      result: { kind: 'fields', schema: z.object({ state: z.enum(['enable', 'disable']) }) },
    }),
  ],
})

/** A card of a VPC router: its own address in a public network, or the gateway of a VPC network. */
export const vpcRouterNic = defineResource({
  name: 'vpcRouterNic',
  noun: 'vpc-router-nic',
  path: '/vpc/virtual-routers/nics',
  inventory: { sdk: 'VmNicInventory', java: 'org.zstack.header.vm.VmNicInventory' },
  summary: 'A card of a VPC router',
  scope: { follows: 'vmInstanceUuid', of: 'vpcRouter' },
  fields: {
    vmInstanceUuid: uuid,
    l3NetworkUuid: uuid,
    ip: ipv4,
    netmask: ipv4,
    gateway: ipv4,
    prefixLen: z.number().int(),
    ipVersion: z.number().int(),
    deviceId: z.number().int(),
    /** its address is one that was taken for it, of this range */
    isPublic: z.boolean(),
    ipRangeUuid: uuid.nullable(),
  },
  hidden: ['prefixLen', 'isPublic', 'ipRangeUuid'],
  edges: {
    vmInstance: { to: 'vpcRouter', via: 'vmInstanceUuid', kind: 'parent', onDelete: 'cascade', inverse: 'vmNics', inline: true },
    l3Network: { to: 'l3Network', via: 'l3NetworkUuid', kind: 'parent', onDelete: 'cascade', inverse: 'vpcRouterNics' },
    ipRange: { to: 'ipRange', via: 'ipRangeUuid', kind: 'parent', onDelete: 'cascade', inverse: 'vpcRouterNics' },
  },
  indexes: ['vmInstanceUuid', 'l3NetworkUuid', 'ipRangeUuid', 'ip'],
  columns: ['uuid', 'vmInstanceUuid', 'l3NetworkUuid', 'ip'],
  apis: [],
})
