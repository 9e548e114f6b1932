import { z } from 'zod'
import { action, attach, call, create, query, remove, update } from '../api.ts'
import { defineResource } from '../resource.ts'
import { ipv4, uuid } from '../scalars.ts'

const weight = z.number().int().min(0).max(100)
/** What the checks of its listeners say; `Pending`: not known yet. */
export const backendStatus = z.enum(['Active', 'Inactive', 'Pending'])
const vmNics = z
  .array(z.object({ uuid, weight: weight.optional() }))
  .max(200)
  .optional()
const servers = z
  .array(z.object({ ipAddress: ipv4, weight: weight.optional() }))
  .max(200)
  .optional()

const inGroup = (inverse: string) =>
  ({
    to: 'loadBalancerServerGroup',
    via: 'serverGroupUuid',
    kind: 'parent',
    onDelete: 'cascade',
    inverse,
    inline: true,
  }) as const

/** A network card in a server group. */
export const loadBalancerServerGroupVmNicRef = defineResource({
  name: 'loadBalancerServerGroupVmNicRef',
  noun: 'load-balancer-nic',
  path: '/load-balancers/servergroups/nics',
  inventory: { sdk: 'LoadBalancerServerGroupVmNicRefInventory' },
  summary: 'A network card in a server group',
  scope: { follows: 'serverGroupUuid', of: 'loadBalancerServerGroup' },
  fields: { serverGroupUuid: uuid, vmNicUuid: uuid, weight, ipVersion: z.number().int(), status: backendStatus },
  edges: {
    serverGroup: inGroup('vmNicRefs'),
    vmNic: { to: 'vmNic', via: 'vmNicUuid', kind: 'parent', onDelete: 'cascade', inverse: 'loadBalancerRefs' },
  },
  indexes: ['serverGroupUuid', 'vmNicUuid', 'status'],
  columns: ['vmNicUuid', 'serverGroupUuid', 'weight', 'status'],
  apis: [],
})

/** An address in a server group: a server that is no guest of ours. */
export const loadBalancerServerGroupServerIp = defineResource({
  name: 'loadBalancerServerGroupServerIp',
  noun: 'load-balancer-server',
  path: '/load-balancers/servergroups/servers',
  inventory: { sdk: 'LoadBalancerServerGroupServerIpInventory' },
  summary: 'An address in a server group',
  scope: { follows: 'serverGroupUuid', of: 'loadBalancerServerGroup' },
  fields: { serverGroupUuid: uuid, ipAddress: ipv4, weight, status: backendStatus },
  edges: { serverGroup: inGroup('serverIps') },
  indexes: ['serverGroupUuid', 'ipAddress', 'status'],
  columns: ['ipAddress', 'serverGroupUuid', 'weight', 'status'],
  apis: [],
})

/** A server group that a listener leads to. */
export const loadBalancerListenerServerGroupRef = defineResource({
  name: 'loadBalancerListenerServerGroupRef',
  noun: 'load-balancer-listener-group',
  path: '/load-balancers/listeners/servergroups',
  inventory: { sdk: 'LoadBalancerListenerServerGroupRefInventory' },
  summary: 'A server group that a listener leads to',
  scope: { follows: 'listenerUuid', of: 'loadBalancerListener' },
  fields: { listenerUuid: uuid, serverGroupUuid: uuid },
  edges: {
    listener: {
      ...{ to: 'loadBalancerListener', via: 'listenerUuid', kind: 'parent', onDelete: 'cascade' },
      ...{ inverse: 'serverGroupRefs', inline: true },
    },
    serverGroup: inGroup('listenerServerGroupRefs'),
  },
  indexes: ['listenerUuid', 'serverGroupUuid'],
  columns: ['listenerUuid', 'serverGroupUuid'],
  apis: [],
})

const GROUPS = '/load-balancers/servergroups'
const of = {
  of: 'loadBalancerServerGroup' as const,
  target: 'serverGroupUuid',
  names: { serverGroupUuid: 'loadBalancerServerGroup' },
}

/** Servers to which listeners of a load balancer lead (zstack-core §2.19). */
export const loadBalancerServerGroup = defineResource({
  name: 'loadBalancerServerGroup',
  noun: 'load-balancer-server-group',
  path: GROUPS,
  inventory: {
    sdk: 'LoadBalancerServerGroupInventory',
    java: 'org.zstack.network.service.lb.LoadBalancerServerGroupInventory',
  },
  summary: 'Servers to which listeners lead',
  scope: { owner: 'ownerUuid' },
  /** `listenerUuid`: it is that listener's own, and goes with it */
  fields: { loadBalancerUuid: uuid, ipVersion: z.number().int(), listenerUuid: uuid.nullable() },
  hidden: ['listenerUuid'],
  edges: {
    listener: {
      ...{ to: 'loadBalancerListener', via: 'listenerUuid', kind: 'parent', onDelete: 'cascade', inverse: 'ownGroups' },
    },
    loadBalancer: {
      ...{ to: 'loadBalancer', via: 'loadBalancerUuid', kind: 'parent', onDelete: 'cascade', inverse: 'serverGroups' },
    },
  },
  indexes: ['name', 'loadBalancerUuid', 'listenerUuid'],
  columns: ['name', 'uuid', 'loadBalancerUuid'],
  apis: [
    create('CreateLoadBalancerServerGroup', '/load-balancers/{loadBalancerUuid}/servergroups', {
      of: 'loadBalancerServerGroup',
      workflow: 'loadBalancerServerGroup.create',
      params: { ipVersion: z.literal(4).optional() },
      names: { loadBalancerUuid: 'loadBalancer' },
      owns: ['loadBalancerUuid'],
      summary: 'Create a server group of a load balancer',
    }),
    query('QueryLoadBalancerServerGroup', GROUPS, 'loadBalancerServerGroup'),
    update('UpdateLoadBalancerServerGroup', `${GROUPS}/{uuid}/actions`, 'loadBalancerServerGroup'),
    attach('AddBackendServerToServerGroup', 'POST', `${GROUPS}/{serverGroupUuid}/backendservers`, {
      ...of,
      workflow: 'loadBalancerServerGroup.addBackends',
      verb: 'add-backend-to',
      params: { vmNics, servers },
      summary: 'Put network cards and addresses into a server group',
    }),
    action('ChangeLoadBalancerBackendServer', `${GROUPS}/{serverGroupUuid}/backendserver/actions`, {
      ...of,
      workflow: 'loadBalancerServerGroup.changeBackends',
      verb: 'change-backend-of',
      params: { vmNics, servers },
      summary: 'Give servers of a group other weights',
    }),
    action('RemoveBackendServerFromServerGroup', `${GROUPS}/{serverGroupUuid}/backendservers/actions`, {
      ...of,
      workflow: 'loadBalancerServerGroup.removeBackends',
      verb: 'remove-backend-from',
      params: { vmNicUuids: z.array(uuid).max(200).optional(), serverIps: z.array(ipv4).max(200).optional() },
      names: { ...of.names, vmNicUuids: 'vmNic' },
      summary: 'Take network cards and addresses out of a server group',
    }),
    call('GetCandidateVmNicsForLoadBalancerServerGroup', 'GET', `${GROUPS}/candidate-nics`, {
      verb: 'candidate-nics',
      params: { servergroupUuid: uuid.optional(), loadBalancerUuid: uuid.optional(), ipVersion: z.literal([4, 6]).optional() },
      names: { servergroupUuid: 'loadBalancerServerGroup', loadBalancerUuid: 'loadBalancer' },
      result: { kind: 'inventories', of: 'vmNic' },
      summary: 'Network cards that could be put into a server group',
    }),
    remove('DeleteLoadBalancerServerGroup', `${GROUPS}/{uuid}`, 'loadBalancerServerGroup', {
      workflow: 'loadBalancerServerGroup.delete',
    }),
  ],
})
