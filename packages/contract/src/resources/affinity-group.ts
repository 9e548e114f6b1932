import { z } from 'zod'
import { attach, call, changeState, create, query, remove, update } from '../api.ts'
import { defineResource, enabledDisabled, enabledState } from '../resource.ts'
import { uuid } from '../scalars.ts'

/** A VM instance that is a member of an affinity group. It goes with either. */
export const affinityGroupUsage = defineResource({
  name: 'affinityGroupUsage',
  noun: 'affinity-group-usage',
  path: '/affinity-group-usages',
  inventory: { sdk: 'AffinityGroupUsageInventory', java: 'org.zstack.header.affinitygroup.AffinityGroupUsageInventory' },
  summary: 'A VM instance in an affinity group',
  scope: { follows: 'affinityGroupUuid', of: 'affinityGroup' },
  fields: { affinityGroupUuid: uuid, resourceUuid: uuid, resourceType: z.string() },
  edges: {
    affinityGroup: {
      to: 'affinityGroup',
      via: 'affinityGroupUuid',
      kind: 'parent',
      onDelete: 'cascade',
      inverse: 'usages',
      inline: true,
    },
    vmInstance: { to: 'vmInstance', via: 'resourceUuid', kind: 'parent', onDelete: 'cascade', inverse: 'affinityGroupUsages' },
  },
  indexes: ['affinityGroupUuid', 'resourceUuid'],
  columns: ['affinityGroupUuid', 'resourceUuid'],
  apis: [],
})

const members = '/affinity-groups/{affinityGroupUuid}/vm-instances'
const member = { of: 'affinityGroup' as const, names: { uuid: 'vmInstance' }, target: 'affinityGroupUuid' }
const groups = { kind: 'inventories' as const, of: 'affinityGroup' as const }

/** VM instances that are to be on different hosts: never together (antiHard), or rather not (antiSoft) (zstack-core §2.25). */
export const affinityGroup = defineResource({
  name: 'affinityGroup',
  noun: 'affinity-group',
  path: '/affinity-groups',
  inventory: { sdk: 'AffinityGroupInventory', java: 'org.zstack.header.affinitygroup.AffinityGroupInventory' },
  summary: 'VM instances that are to be on different hosts',
  scope: { owner: 'ownerUuid' },
  fields: {
    policy: z.enum(['antiSoft', 'antiHard']),
    type: z.enum(['host']),
    version: z.string(),
    appliance: z.string(),
    zoneUuid: uuid.nullable(),
    state: enabledState,
  },
  states: enabledDisabled,
  edges: { zone: { to: 'zone', via: 'zoneUuid', kind: 'parent', onDelete: 'cascade', inverse: 'affinityGroups' } },
  indexes: ['name', 'state', 'zoneUuid'],
  columns: ['name', 'uuid', 'policy', 'state'],
  apis: [
    create('CreateAffinityGroup', '/affinity-groups', {
      of: 'affinityGroup',
      workflow: 'affinityGroup.create',
      params: {
        policy: z.enum(['antiSoft', 'antiHard']).optional(),
        type: z.enum(['host']).optional(),
        zoneUuid: uuid.optional(),
      },
      summary: 'Create an affinity group',
    }),
    query('QueryAffinityGroup', '/affinity-groups', 'affinityGroup', { byUuid: false }),
    update('UpdateAffinityGroup', '/affinity-groups/{uuid}/actions', 'affinityGroup'),
    changeState('ChangeAffinityGroupState', '/affinity-groups/{uuid}/actions', 'affinityGroup', ['enable', 'disable']),
    attach('AddVmToAffinityGroup', 'POST', `${members}/{uuid}`, {
      ...member,
      workflow: 'affinityGroup.addVm',
      verb: 'add-vm-to',
      summary: 'Put a VM instance into an affinity group; a running one stays where it is',
    }),
    attach('RemoveVmFromAffinityGroup', 'DELETE', members, {
      ...member,
      workflow: 'affinityGroup.removeVm',
      verb: 'remove-vm-from',
      params: { uuid },
      summary: 'Take a VM instance out of an affinity group',
    }),
    remove('DeleteAffinityGroup', '/affinity-groups/{uuid}', 'affinityGroup'),
    call('GetCandidateAffinityGroupForAttachingVm', 'GET', '/affinityGroup/attachingVm', {
      verb: 'for-attaching-vm',
      params: { vmUuid: uuid },
      names: { vmUuid: 'vmInstance' },
      result: groups,
      summary: 'Affinity groups that a VM instance can be put into now',
    }),
    call('GetCandidateAffinityGroupForCreatingVm', 'GET', '/vm-instances/candidate-affinityGroup', {
      verb: 'for-creating-vm',
      params: { zoneUuid: uuid, clusterUuid: uuid.optional(), hostUuid: uuid.optional() },
      result: groups,
      summary: 'Affinity groups that a new VM instance can be put into',
    }),
  ],
})
