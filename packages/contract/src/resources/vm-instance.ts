import { z } from 'zod'
import { action, attach, create, defineResource, query, remove, update } from '../resource.ts'
import { bytes, time, uuid } from '../scalars.ts'

const platform = z.enum(['Linux', 'Windows', 'Other', 'Paravirtualization', 'WindowsVirtio'])
/** SDKs send 0 beside an offering; 0 and absence mean the same (zstack-wire). */
const orZero = (schema: z.ZodNumber) => schema.optional()

/** zstack-core §2.11a: state → event → state. An event with no row is refused. */
export const vmStates: Record<string, Record<string, string>> = {
  Created: { starting: 'Starting', stopped: 'Stopped', destroying: 'Destroying', destroyed: 'Destroyed' },
  Starting: { running: 'Running', stopped: 'Stopped', paused: 'Paused', destroying: 'Destroying', unknown: 'Unknown' },
  Running: { running: 'Running', destroying: 'Destroying', stopping: 'Stopping', stopped: 'Stopped', rebooting: 'Rebooting', crashed: 'Crashed', paused: 'Paused', noState: 'NoState', unknown: 'Unknown' },
  Stopping: { stopped: 'Stopped', destroying: 'Destroying', running: 'Running', unknown: 'Unknown' },
  Stopped: { starting: 'Starting', stopped: 'Stopped', running: 'Running', paused: 'Paused', destroying: 'Destroying', noState: 'NoState', unknown: 'Unknown' },
  Rebooting: { running: 'Running', stopped: 'Stopped', noState: 'NoState', unknown: 'Unknown', destroying: 'Destroying' },
  Paused: { stopped: 'Stopped', running: 'Running', stopping: 'Stopping', destroying: 'Destroying', noState: 'NoState', unknown: 'Unknown' },
  Unknown: { destroying: 'Destroying', stopping: 'Stopping', unknown: 'Unknown', paused: 'Paused', running: 'Running', noState: 'NoState', stopped: 'Stopped' },
  Destroying: { unknown: 'Unknown', destroyed: 'Destroyed', destroying: 'Destroying', running: 'Running', stopped: 'Stopped', expunging: 'Expunging' },
  Destroyed: { stopped: 'Stopped', expunging: 'Expunging' },
  Expunging: { destroyed: 'Destroyed' },
  Crashed: { running: 'Running', unknown: 'Unknown', stopping: 'Stopping', stopped: 'Stopped', rebooting: 'Rebooting', crashed: 'Crashed', starting: 'Starting', noState: 'NoState', destroying: 'Destroying' },
  NoState: { running: 'Running', unknown: 'Unknown', stopping: 'Stopping', stopped: 'Stopped', rebooting: 'Rebooting', crashed: 'Crashed', noState: 'NoState', destroying: 'Destroying' },
}

/** A virtual machine (zstack-core §2.11). Actions per state: the message table of §2.11a. */
export const vmInstance = defineResource({
  name: 'vmInstance', noun: 'vm', path: '/vm-instances',
  inventory: { sdk: 'VmInstanceInventory', java: 'org.zstack.header.vm.VmInstanceInventory' },
  summary: 'A virtual machine',
  fields: {
    zoneUuid: uuid, clusterUuid: uuid.nullable(), imageUuid: uuid.nullable(), hostUuid: uuid.nullable(), lastHostUuid: uuid.nullable(), instanceOfferingUuid: uuid.nullable(),
    rootVolumeUuid: uuid.nullable(), defaultL3NetworkUuid: uuid.nullable(), platform, architecture: z.string().nullable().optional(), type: z.string(), hypervisorType: z.string(),
    memorySize: bytes, reservedMemorySize: bytes.optional(), cpuNum: z.number().int(), cpuSpeed: z.number().int(), allocatorStrategy: z.string().nullable(),
    state: z.string(), guestOsType: z.string().nullable().optional(),
    /** why it is in this state when nobody asked: guest | crash | host-reboot | … */
    stateCause: z.string().nullable().optional(),
    /** raised at each placement; a host with an older one may not run the VM [format] */
    placementEpoch: z.number().int(),
    power: z.enum(['Running', 'Stopped']), powerCause: z.string(), powerMode: z.enum(['grace', 'cold']).optional(), destroyedAt: time.nullable().optional(),
  },
  hidden: ['placementEpoch', 'power', 'powerCause', 'powerMode', 'destroyedAt'],
  states: { field: 'state', table: vmStates },
  edges: {
    zone: { to: 'zone', via: 'zoneUuid', kind: 'parent', onDelete: 'restrict', inverse: 'vmInstances' },
    cluster: { to: 'cluster', via: 'clusterUuid', kind: 'parent', onDelete: 'restrict', inverse: 'vmInstances' },
    host: { to: 'host', via: 'hostUuid', kind: 'parent', onDelete: 'restrict', inverse: 'vmInstances' },
    lastHost: { to: 'host', via: 'lastHostUuid', kind: 'friend', inverse: 'lastVmInstances' },
    image: { to: 'image', via: 'imageUuid', kind: 'friend', inverse: 'vmInstances' },
    instanceOffering: { to: 'instanceOffering', via: 'instanceOfferingUuid', kind: 'friend', inverse: 'vmInstances' },
  },
  indexes: ['name', 'state', 'type', 'hypervisorType', 'zoneUuid', 'clusterUuid', 'hostUuid', 'lastHostUuid', 'imageUuid', 'instanceOfferingUuid', 'rootVolumeUuid', 'defaultL3NetworkUuid'],
  columns: ['name', 'uuid', 'state', 'ip', 'cpuNum', 'memorySize', 'hostUuid'],
  apis: [
    create('CreateVmInstance', '/vm-instances', {
      of: 'vmInstance', workflow: 'vm.create', summary: 'Create a VM instance and start it',
      params: {
        instanceOfferingUuid: uuid.optional(), cpuNum: orZero(z.number().int().min(0).max(1024)), memorySize: orZero(bytes), reservedMemorySize: orZero(bytes), imageUuid: uuid,
        l3NetworkUuids: z.array(uuid).min(1).max(8), type: z.enum(['UserVm']).optional(), rootDiskOfferingUuid: uuid.optional(), rootDiskSize: orZero(bytes),
        zoneUuid: uuid.optional(), clusterUuid: uuid.optional(), hostUuid: uuid.optional(), primaryStorageUuidForRootVolume: uuid.optional(), defaultL3NetworkUuid: uuid.optional(),
        strategy: z.enum(['InstantStart', 'CreateStopped']).optional(), platform: platform.optional(), guestOsType: z.string().max(255).optional(),
        architecture: z.string().max(32).optional(), virtio: z.boolean().optional(),
      },
    }),
    query('QueryVmInstance', '/vm-instances', 'vmInstance'),
    update('UpdateVmInstance', '/vm-instances/{uuid}/actions', 'vmInstance', { defaultL3NetworkUuid: uuid.optional(), platform: platform.optional(), guestOsType: z.string().max(255).optional() }),
    action('StartVmInstance', '/vm-instances/{uuid}/actions', {
      of: 'vmInstance', workflow: 'vm.start', verb: 'start', summary: 'Start a VM instance', allowed: ['Created', 'Stopped', 'Running', 'Crashed'],
      params: { clusterUuid: uuid.optional(), hostUuid: uuid.optional() },
    }),
    action('StopVmInstance', '/vm-instances/{uuid}/actions', {
      of: 'vmInstance', workflow: 'vm.stop', verb: 'stop', summary: 'Stop a VM instance (grace: ask the guest; cold: cut its power)', allowed: ['Running', 'Stopped', 'Unknown', 'Crashed', 'NoState', 'Paused'],
      params: { type: z.enum(['grace', 'cold']).optional(), stopHA: z.enum(['true']).optional() },
    }),
    action('RebootVmInstance', '/vm-instances/{uuid}/actions', { of: 'vmInstance', workflow: 'vm.reboot', verb: 'reboot', summary: 'Restart a VM instance', allowed: ['Running', 'Crashed', 'NoState'] }),
    action('RecoverVmInstance', '/vm-instances/{uuid}/actions', { of: 'vmInstance', workflow: 'vm.recover', verb: 'recover', summary: 'Bring a destroyed VM instance back', allowed: ['Destroyed'] }),
    action('ExpungeVmInstance', '/vm-instances/{uuid}/actions', { of: 'vmInstance', workflow: 'vm.expunge', verb: 'expunge', summary: 'Remove a destroyed VM instance and its data for good', allowed: ['Destroyed'], result: { kind: 'empty' } }),
    remove('DestroyVmInstance', '/vm-instances/{uuid}', 'vmInstance', {
      workflow: 'vm.destroy', verb: 'destroy', summary: 'Stop a VM instance and mark it for removal (recover brings it back)',
      allowed: ['Created', 'Running', 'Stopped', 'Unknown', 'Crashed', 'Starting', 'Stopping', 'Rebooting', 'Paused', 'NoState', 'Destroying'],
    }),
    attach('RequestConsoleAccess', 'POST', '/consoles', { of: 'console', workflow: 'vm.console', verb: 'console-access', params: { vmInstanceUuid: uuid }, inventory: 'ConsoleInventory', summary: 'Get a one-time token for a console' }),
  ],
})
