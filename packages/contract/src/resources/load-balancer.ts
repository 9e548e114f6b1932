import { z } from 'zod'
import { action, attach, call, create, query, remove, update } from '../api.ts'
import { defineResource, enabledDisabled, enabledState } from '../resource.ts'
import { ipv4, port, uuid } from '../scalars.ts'
import { backendStatus } from './load-balancer-server-group.ts'

/** A network card to which a listener leads by the group that is its own. */
export const loadBalancerListenerVmNicRef = defineResource({
  name: 'loadBalancerListenerVmNicRef',
  noun: 'load-balancer-listener-nic',
  path: '/load-balancers/listeners/nics',
  inventory: { sdk: 'LoadBalancerListenerVmNicRefInventory' },
  summary: 'A network card to which a listener leads',
  scope: { follows: 'listenerUuid', of: 'loadBalancerListener' },
  fields: { listenerUuid: uuid, vmNicUuid: uuid, status: backendStatus },
  edges: {
    listener: {
      ...{ to: 'loadBalancerListener', via: 'listenerUuid', kind: 'parent', onDelete: 'cascade' },
      ...{ inverse: 'vmNicRefs', inline: true },
    },
    vmNic: { to: 'vmNic', via: 'vmNicUuid', kind: 'parent', onDelete: 'cascade', inverse: 'loadBalancerListenerRefs' },
  },
  indexes: ['listenerUuid', 'vmNicUuid', 'status'],
  columns: ['listenerUuid', 'vmNicUuid', 'status'],
  apis: [],
})

/** A list of addresses that a listener asks. `white`: only these come in; `black`: these do not. */
export const loadBalancerListenerACLRef = defineResource({
  name: 'loadBalancerListenerACLRef',
  noun: 'load-balancer-listener-acl',
  path: '/load-balancers/listeners/acls',
  inventory: { sdk: 'LoadBalancerListenerACLRefInventory' },
  summary: 'A list of addresses that a listener asks',
  scope: { follows: 'listenerUuid', of: 'loadBalancerListener' },
  fields: { listenerUuid: uuid, aclUuid: uuid, type: z.enum(['white', 'black']) },
  edges: {
    listener: {
      ...{ to: 'loadBalancerListener', via: 'listenerUuid', kind: 'parent', onDelete: 'cascade' },
      ...{ inverse: 'aclRefs', inline: true },
    },
    acl: { to: 'accessControlList', via: 'aclUuid', kind: 'parent', onDelete: 'restrict', inverse: 'listenerRefs' },
  },
  indexes: ['listenerUuid', 'aclUuid', 'type'],
  columns: ['listenerUuid', 'aclUuid', 'type'],
  apis: [],
})

const LISTENERS = '/load-balancers/listeners'
const ofListener = {
  of: 'loadBalancerListener' as const,
  target: 'listenerUuid',
}
const listenerNames = { listenerUuid: 'loadBalancerListener' }
const aclUuids = z.array(uuid).min(1).max(50)
const uri = z.string().regex(/^\/[A-Za-z0-9\-/.%?#&]{0,255}$/, 'must be a path')
const threshold = z.number().int().min(1).max(1_000)
const onOff = z.enum(['enable', 'disable'])
const securityPolicyType = z.enum([
  'tls_cipher_policy_default',
  'tls_cipher_policy_1_0',
  'tls_cipher_policy_1_1',
  'tls_cipher_policy_1_2',
  'tls_cipher_policy_1_2_strict',
  'tls_cipher_policy_1_2_strict_with_1_3',
])
/** What both calls say that make and change a listener; it is kept as system tags of the listener. */
const checkParams = {
  healthCheckProtocol: z.enum(['tcp', 'http']).optional(),
  healthCheckMethod: z.enum(['GET', 'HEAD']).optional(),
  healthCheckURI: uri.optional(),
  healthCheckHttpCode: z
    .string()
    .regex(/^http_[1-5]xx(,http_[1-5]xx){0,4}$/)
    .optional(),
  aclStatus: onOff.optional(),
  securityPolicyType: securityPolicyType.optional(),
}

/** A port of a load balancer's VIP (zstack-core §2.19). What may be set of it are its system tags. */
export const loadBalancerListener = defineResource({
  name: 'loadBalancerListener',
  noun: 'load-balancer-listener',
  path: LISTENERS,
  inventory: { sdk: 'LoadBalancerListenerInventory', java: 'org.zstack.network.service.lb.LoadBalancerListenerInventory' },
  summary: 'A port of a load balancer',
  scope: { owner: 'ownerUuid' },
  fields: {
    loadBalancerUuid: uuid,
    instancePort: port,
    loadBalancerPort: port,
    protocol: z.enum(['tcp', 'http', 'https']),
    securityPolicyType: securityPolicyType.nullable(),
    /** the group that is its own: cards that are added to it itself */
    serverGroupUuid: uuid.nullable(),
  },
  edges: {
    loadBalancer: {
      ...{ to: 'loadBalancer', via: 'loadBalancerUuid', kind: 'parent', onDelete: 'cascade' },
      ...{ inverse: 'listeners', inline: true },
    },
  },
  indexes: ['name', 'loadBalancerUuid', 'loadBalancerPort', 'protocol', 'serverGroupUuid'],
  columns: ['name', 'uuid', 'protocol', 'loadBalancerPort', 'instancePort'],
  apis: [
    create('CreateLoadBalancerListener', '/load-balancers/{loadBalancerUuid}/listeners', {
      of: 'loadBalancerListener',
      workflow: 'loadBalancerListener.create',
      params: {
        instancePort: port.optional(),
        loadBalancerPort: port,
        protocol: z.enum(['tcp', 'http', 'https']).optional(),
        certificateUuid: uuid.optional(),
        aclUuids: aclUuids.optional(),
        aclType: z.enum(['white', 'black']).optional(),
        ...checkParams,
      },
      names: { loadBalancerUuid: 'loadBalancer', aclUuids: 'accessControlList' },
      owns: ['loadBalancerUuid', 'certificateUuid', 'aclUuids'],
      summary: 'Open a port of a load balancer',
    }),
    query('QueryLoadBalancerListener', LISTENERS, 'loadBalancerListener'),
    { ...update('UpdateLoadBalancerListener', `${LISTENERS}/{uuid}`, 'loadBalancerListener') },
    action('ChangeLoadBalancerListener', `${LISTENERS}/{uuid}/actions`, {
      of: 'loadBalancerListener',
      workflow: 'loadBalancerListener.change',
      verb: 'change',
      params: {
        connectionIdleTimeout: z.number().int().min(1).max(2_000_000).optional(),
        maxConnection: z.number().int().min(1).max(10_000_000).optional(),
        balancerAlgorithm: z.enum(['weightroundrobin', 'roundrobin', 'leastconn', 'source']).optional(),
        healthCheckTarget: z
          .string()
          .regex(/^(none|(tcp|http):(default|[0-9]{1,5}))$/, 'must be none, tcp:default, http:default, or have a port')
          .optional(),
        healthyThreshold: threshold.optional(),
        unhealthyThreshold: threshold.optional(),
        healthCheckInterval: threshold.optional(),
        httpMode: z.enum(['http-keep-alive', 'http-server-close', 'httpclose']).optional(),
        sessionPersistence: z.enum(['disable', 'iphash', 'insert', 'rewrite']).optional(),
        sessionIdleTimeout: z.number().int().min(30).max(3_600).optional(),
        cookieName: z
          .string()
          .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/)
          .optional(),
        ...checkParams,
      },
      summary: 'Change how a listener chooses, checks and keeps servers',
    }),
    attach('AddVmNicToLoadBalancer', 'POST', `${LISTENERS}/{listenerUuid}/vm-instances/nics`, {
      ...ofListener,
      workflow: 'loadBalancerListener.addNics',
      verb: 'add-nic-to',
      params: { vmNicUuids: z.array(uuid).min(1).max(200) },
      names: { ...listenerNames, vmNicUuids: 'vmNic' },
      owns: ['vmNicUuids'],
      summary: 'Lead a listener to network cards',
    }),
    attach('RemoveVmNicFromLoadBalancer', 'DELETE', `${LISTENERS}/{listenerUuid}/vm-instances/nics`, {
      ...ofListener,
      workflow: 'loadBalancerListener.removeNics',
      verb: 'remove-nic-from',
      params: { vmNicUuids: z.array(uuid).min(1).max(200) },
      names: { ...listenerNames, vmNicUuids: 'vmNic' },
      summary: 'Lead a listener to network cards no more',
    }),
    attach('AddCertificateToLoadBalancerListener', 'POST', `${LISTENERS}/{listenerUuid}/certificate`, {
      ...ofListener,
      workflow: 'loadBalancerListener.addCertificate',
      verb: 'add-certificate-to',
      params: { certificateUuid: uuid },
      names: listenerNames,
      owns: ['certificateUuid'],
      summary: 'Give a listener a certificate, in place of the one it has',
    }),
    attach('RemoveCertificateFromLoadBalancerListener', 'DELETE', `${LISTENERS}/{listenerUuid}/certificate`, {
      ...ofListener,
      workflow: 'loadBalancerListener.removeCertificate',
      verb: 'remove-certificate-from',
      params: { certificateUuid: uuid },
      names: listenerNames,
      summary: 'Take the certificate from a listener: it answers nobody then',
    }),
    attach('AddServerGroupToLoadBalancerListener', 'POST', `${LISTENERS}/{listenerUuid}/servergroups`, {
      ...ofListener,
      workflow: 'loadBalancerListener.addGroup',
      verb: 'add-group-to',
      params: { serverGroupUuid: uuid },
      names: { ...listenerNames, serverGroupUuid: 'loadBalancerServerGroup' },
      owns: ['serverGroupUuid'],
      summary: 'Lead a listener to a server group',
    }),
    attach('RemoveServerGroupFromLoadBalancerListener', 'DELETE', `${LISTENERS}/{listenerUuid}/servergroups`, {
      ...ofListener,
      workflow: 'loadBalancerListener.removeGroup',
      verb: 'remove-group-from',
      params: { serverGroupUuid: uuid },
      names: { ...listenerNames, serverGroupUuid: 'loadBalancerServerGroup' },
      summary: 'Lead a listener to a server group no more',
    }),
    attach('AddAccessControlListToLoadBalancer', 'POST', `${LISTENERS}/{listenerUuid}/access-control-lists`, {
      ...ofListener,
      workflow: 'loadBalancerListener.addAcls',
      verb: 'add-acl-to',
      params: { aclUuids, aclType: z.enum(['white', 'black']) },
      names: { ...listenerNames, aclUuids: 'accessControlList' },
      owns: ['aclUuids'],
      summary: 'Have a listener ask lists of addresses',
    }),
    attach('RemoveAccessControlListFromLoadBalancer', 'DELETE', `${LISTENERS}/{listenerUuid}/access-control-lists`, {
      ...ofListener,
      workflow: 'loadBalancerListener.removeAcls',
      verb: 'remove-acl-from',
      params: { aclUuids },
      names: { ...listenerNames, aclUuids: 'accessControlList' },
      summary: 'Have a listener ask lists of addresses no more',
    }),
    call('GetCandidateVmNicsForLoadBalancer', 'GET', `${LISTENERS}/{listenerUuid}/vm-instances/candidate-nics`, {
      verb: 'candidate-nics',
      names: listenerNames,
      result: { kind: 'inventories', of: 'vmNic' },
      summary: 'Network cards that a listener could lead to',
    }),
    remove('DeleteLoadBalancerListener', `${LISTENERS}/{uuid}`, 'loadBalancerListener', {
      workflow: 'loadBalancerListener.delete',
    }),
  ],
})

/** Ports of a VIP behind which are several servers (zstack-core §2.19). */
export const loadBalancer = defineResource({
  name: 'loadBalancer',
  noun: 'load-balancer',
  path: '/load-balancers',
  inventory: { sdk: 'LoadBalancerInventory', java: 'org.zstack.network.service.lb.LoadBalancerInventory' },
  summary: 'Ports of a VIP behind which are several servers',
  scope: { owner: 'ownerUuid' },
  /** `l3NetworkUuids`: of its guests; the router of the first has its VIP */
  fields: { vipUuid: uuid, vipIp: ipv4, state: enabledState, type: z.enum(['Shared']), l3NetworkUuids: z.array(uuid) },
  hidden: ['vipIp', 'l3NetworkUuids'],
  states: enabledDisabled,
  edges: { vip: { to: 'vip', via: 'vipUuid', kind: 'parent', onDelete: 'cascade', inverse: 'loadBalancers' } },
  indexes: ['name', 'state', 'vipUuid'],
  columns: ['name', 'uuid', 'vipUuid', 'state'],
  apis: [
    create('CreateLoadBalancer', '/load-balancers', {
      of: 'loadBalancer',
      workflow: 'loadBalancer.create',
      params: { vipUuid: uuid.optional(), type: z.enum(['Shared']).optional() },
      summary: 'Make a VIP the address of a load balancer',
    }),
    query('QueryLoadBalancer', '/load-balancers', 'loadBalancer'),
    update('UpdateLoadBalancer', '/load-balancers/{uuid}/actions', 'loadBalancer'),
    action('RefreshLoadBalancer', '/load-balancers/{uuid}/actions', {
      of: 'loadBalancer',
      workflow: 'loadBalancer.refresh',
      verb: 'refresh',
      summary: 'Have the router of a load balancer told once more',
    }),
    remove('DeleteLoadBalancer', '/load-balancers/{uuid}', 'loadBalancer', { workflow: 'loadBalancer.delete' }),
  ],
})
