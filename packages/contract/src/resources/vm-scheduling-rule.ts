import { z } from 'zod'
import { action, create, query, remove, update } from '../api.ts'
import { defineResource, enabledDisabled, enabledState } from '../resource.ts'
import { uuid } from '../scalars.ts'

const rule = z.enum(['AFFINITY', 'ANTIAFFINITY'])
const mode = z.enum(['SOFT', 'HARD'])
const policy = z.enum(['antiSoft', 'antiHard'])

/**
 * Where the VM instances of a group are to be: without a host group all on one host (AFFINITY) or each on another (ANTIAFFINITY),
 * with one on its hosts, or off them. HARD refuses hosts, SOFT prefers others.
 */
export const vmSchedulingRule = defineResource({
  name: 'vmSchedulingRule',
  noun: 'vm-scheduling-rule',
  path: '/vmSchedulingRule',
  inventory: { sdk: 'VmSchedulingRuleInventory', java: 'org.zstack.header.vmscheduling.VmSchedulingRuleInventory' },
  summary: 'Where VM instances of a group are to be',
  scope: { owner: 'ownerUuid' },
  fields: {
    rule,
    mode,
    vmGroupUuid: uuid,
    hostGroupUuid: uuid.nullable(),
    policy,
    type: z.enum(['host']),
    version: z.string(),
    appliance: z.string(),
    zoneUuid: uuid,
    state: enabledState,
  },
  states: enabledDisabled,
  edges: {
    zone: { to: 'zone', via: 'zoneUuid', kind: 'parent', onDelete: 'cascade', inverse: 'vmSchedulingRules' },
    vmGroup: {
      ...{ to: 'vmSchedulingRuleGroup', via: 'vmGroupUuid', kind: 'parent', onDelete: 'cascade' },
      ...{ inverse: 'rules', as: 'vmGroup' },
    },
    hostGroup: {
      ...{ to: 'hostSchedulingRuleGroup', via: 'hostGroupUuid', kind: 'parent', onDelete: 'cascade' },
      ...{ inverse: 'rules', as: 'hostGroup' },
    },
  },
  indexes: ['name', 'state', 'zoneUuid', 'vmGroupUuid', 'hostGroupUuid'],
  columns: ['name', 'uuid', 'rule', 'mode', 'state'],
  apis: [
    create('CreateVmSchedulingRule', '/vmsSchedulingRule', {
      of: 'vmSchedulingRule',
      workflow: 'vmSchedulingRule.create',
      names: { vmGroupUuid: 'vmSchedulingRuleGroup', hostGroupUuid: 'hostSchedulingRuleGroup' },
      owns: ['vmGroupUuid'],
      params: {
        rule,
        mode,
        vmGroupUuid: uuid,
        hostGroupUuid: uuid.optional(),
        policy: policy.optional(),
        type: z.enum(['host']).optional(),
        zoneUuid: uuid.optional(),
      },
      summary: 'Say where the VM instances of a group are to be',
    }),
    query('QueryVmSchedulingRule', '/query/vm/schedulingRule', 'vmSchedulingRule', { byUuid: false }),
    {
      ...update('UpdateVmSchedulingRule', '/vmSchedulingRule/{uuid}/update', 'vmSchedulingRule', { mode: mode.optional() }),
      workflow: 'vmSchedulingRule.update',
    },
    action('ChangeVmSchedulingRuleState', '/vmSchedulingRule/{uuid}/actions', {
      of: 'vmSchedulingRule',
      workflow: 'vmSchedulingRule.changeState',
      verb: 'change-state',
      params: { state: z.enum(['enable', 'disable']) },
      summary: 'Let a scheduling rule hold, or not',
    }),
    remove('RemoveVmSchedulingRule', '/vmSchedulingRule/{uuid}', 'vmSchedulingRule'),
  ],
})
