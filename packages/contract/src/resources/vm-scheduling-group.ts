/** Groups that VM scheduling rules are about: VM instances, and hosts. */
import { z } from 'zod'
import { attach, create, query, remove, update } from '../api.ts'
import { defineResource } from '../resource.ts'
import { uuid } from '../scalars.ts'

const ofZone = (inverse: string) => ({
  zone: { to: 'zone', via: 'zoneUuid', kind: 'parent' as const, onDelete: 'cascade' as const, inverse },
})

/** A VM instance in a group. It goes with either. */
export const vmSchedulingRuleGroupRef = defineResource({
  name: 'vmSchedulingRuleGroupRef',
  noun: 'vm-scheduling-group-ref',
  path: '/vm-scheduling-group-refs',
  summary: 'A VM instance in a VM scheduling group',
  scope: { follows: 'vmGroupUuid', of: 'vmSchedulingRuleGroup' },
  fields: { vmGroupUuid: uuid, vmUuid: uuid },
  edges: {
    group: {
      to: 'vmSchedulingRuleGroup',
      via: 'vmGroupUuid',
      kind: 'parent',
      onDelete: 'cascade',
      inverse: 'members',
      as: 'group',
    },
    vmInstance: {
      ...{ to: 'vmInstance', via: 'vmUuid', kind: 'parent', onDelete: 'cascade' },
      ...{ inverse: 'schedulingGroups', as: 'vmInstance' },
    },
  },
  indexes: ['vmGroupUuid', 'vmUuid'],
  columns: ['vmGroupUuid', 'vmUuid'],
  apis: [],
})

const vmGroup = '/vmSchedulingRuleGroup/{vmGroupUuid}/vmInstance'
const vmMember = {
  of: 'vmSchedulingRuleGroup' as const,
  names: { vmGroupUuid: 'vmSchedulingRuleGroup', vmUuid: 'vmInstance' },
  target: 'vmGroupUuid',
}

/** VM instances that scheduling rules are about (zstack-core, VM scheduling). */
export const vmSchedulingRuleGroup = defineResource({
  name: 'vmSchedulingRuleGroup',
  noun: 'vm-scheduling-group',
  path: '/vmSchedulingRuleGroup',
  inventory: { sdk: 'VmSchedulingRuleGroupInventory', java: 'org.zstack.header.vmscheduling.VmSchedulingRuleGroupInventory' },
  summary: 'VM instances that scheduling rules are about',
  scope: { owner: 'ownerUuid' },
  fields: { appliance: z.string(), zoneUuid: uuid },
  edges: ofZone('vmSchedulingRuleGroups'),
  indexes: ['name', 'zoneUuid'],
  columns: ['name', 'uuid', 'zoneUuid'],
  apis: [
    create('CreateVmSchedulingRuleGroup', '/vmSchedulingRuleGroup', {
      of: 'vmSchedulingRuleGroup',
      workflow: 'vmSchedulingRuleGroup.create',
      params: { zoneUuid: uuid },
      summary: 'Create a group of VM instances for scheduling rules',
    }),
    query('QueryVmSchedulingRuleGroup', '/query/vm/schedulingRule/group', 'vmSchedulingRuleGroup', { byUuid: false }),
    update('UpdateVmSchedulingRuleGroup', '/vmSchedulingRuleGroup/{uuid}/update', 'vmSchedulingRuleGroup'),
    {
      ...attach('AddVmToVmSchedulingRuleGroup', 'POST', `${vmGroup}/{vmUuid}`, {
        ...vmMember,
        workflow: 'vmSchedulingRuleGroup.addVm',
        verb: 'add-vm-to',
        summary: 'Put a VM instance into a scheduling group; a running one stays where it is',
      }),
      result: { kind: 'empty' },
    },
    {
      ...attach('DetachVmFromVmSchedulingRuleGroup', 'DELETE', `${vmGroup}/`, {
        ...vmMember,
        workflow: 'vmSchedulingRuleGroup.detachVm',
        verb: 'detach-vm-from',
        params: { vmUuid: uuid },
        summary: 'Take a VM instance out of a scheduling group',
      }),
      result: { kind: 'empty' },
    },
    remove('DeleteVmSchedulingRuleGroup', '/vmSchedulingRuleGroup/{uuid}', 'vmSchedulingRuleGroup', {
      summary: 'Delete a group of VM instances, and the scheduling rules that are about it',
    }),
  ],
})

/** A host in a group. It goes with either. */
export const hostSchedulingRuleGroupRef = defineResource({
  name: 'hostSchedulingRuleGroupRef',
  noun: 'host-scheduling-group-ref',
  path: '/host-scheduling-group-refs',
  summary: 'A host in a host scheduling group',
  scope: 'admin',
  fields: { hostGroupUuid: uuid, hostUuid: uuid },
  edges: {
    group: {
      ...{ to: 'hostSchedulingRuleGroup', via: 'hostGroupUuid', kind: 'parent', onDelete: 'cascade' },
      ...{ inverse: 'members', as: 'group' },
    },
    host: { to: 'host', via: 'hostUuid', kind: 'parent', onDelete: 'cascade', inverse: 'schedulingGroups' },
  },
  indexes: ['hostGroupUuid', 'hostUuid'],
  columns: ['hostGroupUuid', 'hostUuid'],
  apis: [],
})

const hostGroup = '/hostSchedulingRuleGroup/{hostGroupUuid}/host'
const hostMember = {
  of: 'hostSchedulingRuleGroup' as const,
  names: { hostGroupUuid: 'hostSchedulingRuleGroup', hostUuid: 'host' },
  target: 'hostGroupUuid',
}

/** Hosts that VM instances are to be on, or to keep off. Of the site, as hosts are. */
export const hostSchedulingRuleGroup = defineResource({
  name: 'hostSchedulingRuleGroup',
  noun: 'host-scheduling-group',
  path: '/hostSchedulingRuleGroup',
  inventory: { sdk: 'HostSchedulingRuleGroupInventory', java: 'org.zstack.header.vmscheduling.HostSchedulingRuleGroupInventory' },
  summary: 'Hosts that scheduling rules are about',
  scope: 'admin',
  fields: { zoneUuid: uuid },
  edges: ofZone('hostSchedulingRuleGroups'),
  indexes: ['name', 'zoneUuid'],
  columns: ['name', 'uuid', 'zoneUuid'],
  apis: [
    create('CreateHostSchedulingRuleGroup', '/hostSchedulingRuleGroup', {
      of: 'hostSchedulingRuleGroup',
      workflow: 'hostSchedulingRuleGroup.create',
      params: { zoneUuid: uuid },
      summary: 'Create a group of hosts for scheduling rules',
    }),
    query('QueryHostSchedulingRuleGroup', '/query/host/schedulingRule/group', 'hostSchedulingRuleGroup', { byUuid: false }),
    update('UpdateHostSchedulingRuleGroup', '/hostSchedulingRuleGroup/{uuid}', 'hostSchedulingRuleGroup'),
    {
      ...attach('AddHostToHostSchedulingRuleGroup', 'POST', `${hostGroup}/{hostUuid}`, {
        ...hostMember,
        workflow: 'hostSchedulingRuleGroup.addHost',
        verb: 'add-host-to',
        summary: 'Put a host into a scheduling group',
      }),
      result: { kind: 'empty' },
    },
    {
      ...attach('DetachHostFromHostSchedulingRuleGroup', 'DELETE', hostGroup, {
        ...hostMember,
        workflow: 'hostSchedulingRuleGroup.detachHost',
        verb: 'detach-host-from',
        params: { hostUuid: uuid },
        summary: 'Take a host out of a scheduling group',
      }),
      result: { kind: 'empty' },
    },
    remove('DeleteHostSchedulingRuleGroup', '/hostSchedulingRuleGroup/{uuid}', 'hostSchedulingRuleGroup', {
      summary: 'Delete a group of hosts, and the scheduling rules that are about it',
    }),
  ],
})
