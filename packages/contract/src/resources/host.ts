import { z } from 'zod'
import { action, changeState, create, query, remove, update } from '../api.ts'
import { defineResource } from '../resource.ts'
import { bytes, hostname, line, secretRef, secretValue, uuid } from '../scalars.ts'
import { hostAllocators, hostCapacity } from './allocators.ts'
import { hypervisorTypes } from './kinds.ts'
import { getHostTask } from './task-details.ts'

const access = { username: line(255), password: secretValue, sshPort: z.number().int().min(1).max(65535) }

/** A machine that runs guests (zstack-core §2.3). CPU capacity counts virtual CPUs after over-provisioning. */
export const host = defineResource({
  name: 'host',
  noun: 'host',
  path: '/hosts',
  inventory: { sdk: 'KVMHostInventory', java: 'org.zstack.kvm.KVMHostInventory' },
  summary: 'A machine that runs guests',
  scope: 'admin',
  fields: {
    zoneUuid: uuid,
    clusterUuid: uuid,
    managementIp: hostname,
    hypervisorType: z.string(),
    state: z.enum(['Enabled', 'Disabled', 'PreMaintenance', 'Maintenance']),
    status: z.enum(['Connecting', 'Connected', 'Disconnected']),
    totalCpuCapacity: z.number().int(),
    availableCpuCapacity: z.number().int(),
    cpuSockets: z.number().int(),
    cpuNum: z.number().int(),
    totalMemoryCapacity: bytes,
    availableMemoryCapacity: bytes,
    architecture: z.string().nullable(),
    username: z.string(),
    sshPort: z.number().int(),
    password: secretRef,
    /** IPv4 addresses of the host itself, as it last told: with what interface has them */
    addresses: z.array(z.object({ dev: line(64), cidr: line(64) })).optional(),
    osDistribution: z.string().nullable(),
    osRelease: z.string().nullable(),
    osVersion: z.string().nullable(),
    /** domain type that a boot proved to work: kvm or qemu (emulated) */
    domainType: z.enum(['kvm', 'qemu']).nullable(),
    bootId: z.string().nullable(),
    disconnectCause: z.string().nullable(),
  },
  hidden: ['password', 'addresses'],
  counters: ['availableCpuCapacity', 'availableMemoryCapacity'],
  states: {
    field: 'state',
    table: {
      Enabled: { enable: 'Enabled', disable: 'Disabled', preMaintain: 'PreMaintenance' },
      Disabled: { enable: 'Enabled', disable: 'Disabled', preMaintain: 'PreMaintenance' },
      PreMaintenance: { enable: 'Enabled', disable: 'Disabled', preMaintain: 'PreMaintenance', maintain: 'Maintenance' },
      Maintenance: { enable: 'Enabled', disable: 'Disabled', maintain: 'Maintenance' },
    },
  },
  edges: {
    cluster: { to: 'cluster', via: 'clusterUuid', kind: 'parent', onDelete: 'cascade', inverse: 'hosts' },
    zone: { to: 'zone', via: 'zoneUuid', kind: 'friend', inverse: 'hosts' },
  },
  indexes: ['name', 'state', 'status', 'zoneUuid', 'clusterUuid', 'managementIp'],
  columns: ['name', 'uuid', 'managementIp', 'state', 'status'],
  apis: [
    getHostTask,
    hypervisorTypes,
    hostAllocators,
    hostCapacity,
    create('AddKVMHost', '/hosts/kvm', {
      of: 'host',
      workflow: 'host.add',
      verb: 'add',
      summary: 'Add a host whose agents are enrolled',
      params: {
        managementIp: hostname,
        clusterUuid: uuid,
        username: access.username,
        password: access.password,
        sshPort: access.sshPort.optional(),
      },
    }),
    query('QueryHost', '/hosts', 'host'),
    update('UpdateHost', '/hosts/{uuid}/actions', 'host'),
    update('UpdateKVMHost', '/hosts/kvm/{uuid}/actions', 'host', {
      username: access.username.optional(),
      password: access.password.optional(),
      sshPort: access.sshPort.optional(),
    }),
    {
      ...changeState('ChangeHostState', '/hosts/{uuid}/actions', 'host', ['enable', 'disable', 'maintain']),
      workflow: 'host.changeState',
      summary: 'Change the state of a host; maintain stops its VM instances, which start again when it is enabled',
    },
    action('ReconnectHost', '/hosts/{uuid}/actions', {
      of: 'host',
      workflow: 'host.reconnect',
      verb: 'reconnect',
      summary: 'Connect to a host again',
    }),
    {
      ...action('LoseHost', '/hosts/{uuid}/actions', {
        of: 'host',
        workflow: 'host.lose',
        verb: 'lose',
        result: { kind: 'empty' },
        summary: 'Give up a host that will never come back, with the VM instances whose disks were on it (dry run first)',
      }),
      own: true,
    },
    remove('DeleteHost', '/hosts/{uuid}', 'host', { workflow: 'host.delete' }),
  ],
})
