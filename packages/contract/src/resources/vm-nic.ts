import { z } from 'zod'
import { attach, query } from '../api.ts'
import { defineResource } from '../resource.ts'
import { ifname, ipv4, mac, uuid } from '../scalars.ts'
import { changeVmNicNetwork, nicNetworkCandidates, updateVmNicMac } from './nic-writes.ts'

/** A network card of a VM. `internalName` is the tap device on the host (zstack-core §3.20). */
export const vmNic = defineResource({
  name: 'vmNic',
  noun: 'nic',
  path: '/vm-instances/nics',
  inventory: { sdk: 'VmNicInventory', java: 'org.zstack.header.vm.VmNicInventory' },
  summary: 'A network card of a VM',
  scope: { follows: 'vmInstanceUuid', of: 'vmInstance' },
  fields: {
    vmInstanceUuid: uuid,
    l3NetworkUuid: uuid,
    ip: ipv4,
    mac,
    hypervisorType: z.string(),
    netmask: ipv4,
    gateway: ipv4,
    ipVersion: z.number().int(),
    driverType: z.string(),
    internalName: ifname,
    deviceId: z.number().int(),
    type: z.string(),
    state: z.enum(['enable', 'disable']),
    /** its guest is not to have it: its network is being made, or it is being taken out and not free before the guest has let go */
    unplugged: z.boolean().optional(),
  },
  hidden: ['unplugged'],
  edges: {
    vmInstance: { to: 'vmInstance', via: 'vmInstanceUuid', kind: 'parent', onDelete: 'cascade', inverse: 'vmNics', inline: true },
    l3Network: { to: 'l3Network', via: 'l3NetworkUuid', kind: 'parent', onDelete: 'cascade', inverse: 'vmNics' },
  },
  indexes: ['vmInstanceUuid', 'l3NetworkUuid', 'ip', 'mac'],
  columns: ['uuid', 'vmInstanceUuid', 'ip', 'mac', 'internalName'],
  apis: [
    query('QueryVmNic', '/vm-instances/nics', 'vmNic'),
    {
      ...attach('DetachL3NetworkFromVm', 'DELETE', '/vm-instances/nics/{vmNicUuid}', {
        of: 'vmInstance',
        workflow: 'vm.detachNic',
        verb: 'detach',
        summary: 'Take a network card from its VM instance, running or stopped, once the guest has let go of it',
      }),
      otherwise: { of: 'vpcRouterNic', workflow: 'vpcRouter.detachNetwork', answers: 'vpcRouter' },
    },
    changeVmNicNetwork,
    updateVmNicMac,
    nicNetworkCandidates,
  ],
})

/** A MAC address in use; key is the MAC. */
export const usedMac = defineResource({
  name: 'usedMac',
  noun: 'mac',
  path: '/vm-instances/macs',
  summary: 'A MAC address that is in use',
  scope: 'admin',
  /** `usedFor` says who keeps it when no card has it */
  fields: { vmNicUuid: uuid.nullable(), usedFor: z.string().nullable().optional() },
  edges: { vmNic: { to: 'vmNic', via: 'vmNicUuid', kind: 'parent', onDelete: 'cascade', inverse: 'macs' } },
  indexes: ['vmNicUuid'],
  columns: ['uuid'],
  apis: [],
})
