import { z } from 'zod'
import { action, attach, call, changeState, create, query, remove, update } from '../api.ts'
import { defineResource, enabledDisabled, enabledState } from '../resource.ts'
import { text, time, uuid } from '../scalars.ts'

const ipVersion = z.literal([4, 6])
const ruleType = z.enum(['Ingress', 'Egress'])
const protocol = z.enum(['ALL', 'TCP', 'UDP', 'ICMP'])
const ruleAction = z.enum(['ACCEPT', 'DROP'])
/** At most 10 of them, divided by commas: addresses, networks, `10.0.0.1-10.0.0.9`. What they come to is checked with the rule's family. */
const ipRanges = z.string().regex(/^[0-9a-fA-F.:/,-]{2,1024}$/, 'must be addresses, networks or ranges, divided by commas')
/** The same of ports: `22,80-90`. */
const portRanges = z.string().regex(/^[0-9,-]{1,128}$/, 'must be ports or ranges of ports, divided by commas')
/** 0 is that of the rules that a group is made with; −1: behind all others. */
const priority = z.number().int().min(-1).max(10_000)
const legacyPort = z.number().int().min(-1).max(65_535)

const ruleParams = {
  type: ruleType,
  protocol,
  ipVersion: ipVersion.optional(),
  srcIpRange: ipRanges.optional(),
  dstIpRange: ipRanges.optional(),
  dstPortRange: portRanges.optional(),
  action: ruleAction.optional(),
  remoteSecurityGroupUuid: uuid.optional(),
  /** as older clients say it: one network, one range of ports */
  allowedCidr: ipRanges.optional(),
  startPort: legacyPort.optional(),
  endPort: legacyPort.optional(),
}
const newRule = z.object({ ...ruleParams, state: enabledState.optional(), description: text.optional() })

/** A rule of a security group (zstack-core §2.15). The first that fits decides; a lower number is asked first. */
export const securityGroupRule = defineResource({
  name: 'securityGroupRule',
  noun: 'security-group-rule',
  path: '/security-groups/rules',
  inventory: { sdk: 'SecurityGroupRuleInventory', java: 'org.zstack.network.securitygroup.SecurityGroupRuleInventory' },
  summary: 'A rule of a security group',
  scope: { follows: 'securityGroupUuid', of: 'securityGroup' },
  fields: {
    securityGroupUuid: uuid,
    type: ruleType,
    ipVersion: z.number().int(),
    protocol,
    state: enabledState,
    priority: z.number().int(),
    srcIpRange: z.string().nullable(),
    dstIpRange: z.string().nullable(),
    srcPortRange: z.string().nullable(),
    dstPortRange: z.string().nullable(),
    action: ruleAction,
    remoteSecurityGroupUuid: uuid.nullable(),
    allowedCidr: z.string().nullable(),
    startPort: z.number().int().nullable(),
    endPort: z.number().int().nullable(),
  },
  edges: {
    securityGroup: {
      ...{ to: 'securityGroup', via: 'securityGroupUuid', kind: 'parent', onDelete: 'cascade' },
      inverse: 'rules',
      inline: true,
    },
    remoteSecurityGroup: {
      ...{ to: 'securityGroup', via: 'remoteSecurityGroupUuid', kind: 'parent', onDelete: 'cascade' },
      inverse: 'remoteRules',
    },
  },
  indexes: ['securityGroupUuid', 'remoteSecurityGroupUuid', 'type', 'state', 'priority'],
  columns: ['uuid', 'securityGroupUuid', 'type', 'priority', 'protocol', 'action', 'state'],
  apis: [
    query('QuerySecurityGroupRule', '/security-groups/rules', 'securityGroupRule'),
    action('ChangeSecurityGroupRule', '/security-groups/rules/{uuid}/actions', {
      of: 'securityGroupRule',
      workflow: 'securityGroupRule.change',
      verb: 'change',
      params: {
        description: text.optional(),
        remoteSecurityGroupUuid: uuid.optional(),
        action: ruleAction.optional(),
        state: enabledState.optional(),
        priority: priority.optional(),
        protocol: protocol.optional(),
        srcIpRange: z.union([ipRanges, z.literal('')]).optional(),
        dstIpRange: z.union([ipRanges, z.literal('')]).optional(),
        dstPortRange: z.union([portRanges, z.literal('')]).optional(),
      },
      summary: 'Change a rule of a security group',
    }),
    remove('DeleteSecurityGroupRule', '/security-groups/rules', 'securityGroupRule', {
      workflow: 'securityGroup.removeRules',
      owns: ['ruleUuids'],
      params: { ruleUuids: z.array(uuid).min(1).max(200) },
      names: { ruleUuids: 'securityGroupRule' },
      result: { kind: 'inventory', of: 'securityGroup' },
      summary: 'Delete rules of a security group',
    }),
  ],
})

/** A card in a group. A card asks its groups one after another, the lowest priority first. */
export const vmNicSecurityGroupRef = defineResource({
  name: 'vmNicSecurityGroupRef',
  noun: 'security-group-nic',
  path: '/security-groups/vm-instances/nics',
  inventory: { sdk: 'VmNicSecurityGroupRefInventory' },
  summary: 'A network card in a security group',
  scope: { follows: 'vmNicUuid', of: 'vmNic' },
  fields: { priority: z.number().int(), vmNicUuid: uuid, securityGroupUuid: uuid, vmInstanceUuid: uuid },
  edges: {
    vmNic: { to: 'vmNic', via: 'vmNicUuid', kind: 'parent', onDelete: 'cascade', inverse: 'securityGroupRefs' },
    securityGroup: { to: 'securityGroup', via: 'securityGroupUuid', kind: 'parent', onDelete: 'cascade', inverse: 'vmNicRefs' },
    vmInstance: { to: 'vmInstance', via: 'vmInstanceUuid', kind: 'friend', inverse: 'securityGroupRefs' },
  },
  indexes: ['vmNicUuid', 'securityGroupUuid', 'vmInstanceUuid'],
  columns: ['vmNicUuid', 'securityGroupUuid', 'priority'],
  apis: [query('QueryVmNicInSecurityGroup', '/security-groups/vm-instances/nics', 'vmNicSecurityGroupRef', { byUuid: false })],
})

const refFields = z.object({
  ...{ priority: z.number().int(), vmNicUuid: uuid, securityGroupUuid: uuid, vmInstanceUuid: uuid },
  ...{ createDate: time, lastOpDate: time },
})
const policy = z.enum(['ALLOW', 'DENY'])
const ofNic = { names: { vmNicUuid: 'vmNic' }, target: 'vmNicUuid' }
/** What happens to what no group of a card decides; its uuid is the card's. There is one while the card is in a group. */
export const vmNicSecurityPolicy = defineResource({
  name: 'vmNicSecurityPolicy',
  noun: 'nic-security-policy',
  path: '/security-groups/nics/security-policy',
  inventory: { sdk: 'VmNicSecurityPolicyInventory', java: 'org.zstack.network.securitygroup.VmNicSecurityPolicyInventory' },
  summary: 'What happens to what no security group of a network card decides',
  scope: { follows: 'vmNicUuid', of: 'vmNic' },
  fields: { vmNicUuid: uuid, ingressPolicy: policy, egressPolicy: policy },
  edges: { vmNic: { to: 'vmNic', via: 'vmNicUuid', kind: 'parent', onDelete: 'cascade', inverse: 'securityPolicies' } },
  indexes: ['vmNicUuid'],
  columns: ['vmNicUuid', 'ingressPolicy', 'egressPolicy'],
  apis: [
    {
      ...query('QueryVmNicSecurityPolicy', '/security-groups/nics/security-policy', 'vmNicSecurityPolicy'),
      also: ['/security-groups/nics/{uuid}/security-policy'],
    },
    action('ChangeVmNicSecurityPolicy', '/security-groups/nics/{vmNicUuid}/security-policy/actions', {
      ...ofNic,
      of: 'vmNicSecurityPolicy',
      workflow: 'vmNic.changeSecurityPolicy',
      verb: 'change',
      params: { ingressPolicy: policy.optional(), egressPolicy: policy.optional() },
      summary: 'Say what happens to what no security group of a network card decides',
    }),
    {
      ...action('SetVmNicSecurityGroup', '/security-groups/nics/{vmNicUuid}/actions', {
        ...ofNic,
        of: 'vmNicSecurityGroupRef',
        workflow: 'vmNic.setSecurityGroups',
        verb: 'set-groups-of',
        params: {
          refs: z.array(z.object({ securityGroupUuid: uuid, priority: z.number().int().min(1).max(1_000).optional() })).max(20),
        },
        result: { kind: 'fields', schema: z.object({ inventory: z.array(refFields) }) },
        summary: 'Say in which security groups a network card is, and in which order it asks them',
      }),
      // one that is in no group has no policy yet
      alsoOf: 'vmNic',
    },
  ],
})

const nics = { vmNicUuids: z.array(uuid).min(1).max(200) }
const of = { of: 'securityGroup' as const, target: 'securityGroupUuid' }
const inGroup = '/security-groups/{securityGroupUuid}'

/** Rules for network cards of guests. The members of a group reach each other; all else is let in by rules (zstack-core §2.15). */
export const securityGroup = defineResource({
  name: 'securityGroup',
  noun: 'security-group',
  path: '/security-groups',
  inventory: { sdk: 'SecurityGroupInventory', java: 'org.zstack.network.securitygroup.SecurityGroupInventory' },
  summary: 'Rules for network cards of guests',
  scope: { owner: 'ownerUuid', used: true },
  fields: { state: enabledState, ipVersion: z.number().int(), attachedL3NetworkUuids: z.array(uuid) },
  states: enabledDisabled,
  edges: {
    attachedL3Networks: {
      ...{ to: 'l3Network', via: 'attachedL3NetworkUuids', kind: 'parent', onDelete: 'detach', list: true },
      ...{ inverse: 'securityGroups', as: 'attachedL3Networks' },
    },
  },
  indexes: ['name', 'state', 'attachedL3NetworkUuids'],
  columns: ['name', 'uuid', 'state'],
  apis: [
    create('CreateSecurityGroup', '/security-groups', {
      of: 'securityGroup',
      workflow: 'securityGroup.create',
      params: { ipVersion: ipVersion.optional() },
      summary: 'Create a security group, whose members reach each other',
    }),
    query('QuerySecurityGroup', '/security-groups', 'securityGroup'),
    update('UpdateSecurityGroup', '/security-groups/{uuid}/actions', 'securityGroup'),
    {
      ...changeState('ChangeSecurityGroupState', '/security-groups/{uuid}/actions', 'securityGroup', ['enable', 'disable']),
      workflow: 'securityGroup.changeState',
    },
    attach('AddSecurityGroupRule', 'POST', `${inGroup}/rules`, {
      ...of,
      workflow: 'securityGroup.addRules',
      verb: 'add-rule-to',
      params: {
        rules: z.array(newRule).min(1).max(100),
        remoteSecurityGroupUuids: z.array(uuid).max(20).optional(),
        priority: priority.optional(),
      },
      names: { remoteSecurityGroupUuids: 'securityGroup' },
      summary: 'Add rules to a security group',
    }),
    call('ValidateSecurityGroupRule', 'GET', `${inGroup}/rules/validation`, {
      verb: 'validate-rule-of',
      params: ruleParams,
      result: {
        kind: 'fields',
        schema: z.object({ available: z.boolean(), code: z.string().optional(), reason: z.string().optional() }),
      },
      summary: 'Could this rule be added?',
    }),
    action('ChangeSecurityGroupRuleState', `${inGroup}/rules/state/actions`, {
      ...of,
      workflow: 'securityGroup.changeRuleState',
      verb: 'change-rule-state-of',
      params: { ruleUuids: z.array(uuid).min(1).max(200), state: enabledState },
      names: { ruleUuids: 'securityGroupRule' },
      summary: 'Switch rules of a security group on or off',
    }),
    action('UpdateSecurityGroupRulePriority', `${inGroup}/rules/priority/actions`, {
      ...of,
      workflow: 'securityGroup.updateRulePriority',
      verb: 'order-rules-of',
      params: {
        type: ruleType,
        rules: z
          .array(z.object({ ruleUuid: uuid, priority: z.number().int().min(1).max(10_000) }))
          .min(1)
          .max(200),
      },
      summary: 'Put the rules of a security group into another order',
    }),
    attach('AddVmNicToSecurityGroup', 'POST', `${inGroup}/vm-instances/nics`, {
      ...of,
      workflow: 'securityGroup.addNics',
      verb: 'add-nic-to',
      params: nics,
      names: { vmNicUuids: 'vmNic' },
      owns: ['vmNicUuids'],
      summary: 'Put network cards into a security group',
    }),
    attach('DeleteVmNicFromSecurityGroup', 'DELETE', `${inGroup}/vm-instances/nics`, {
      ...of,
      workflow: 'securityGroup.removeNics',
      verb: 'remove-nic-from',
      params: nics,
      names: { vmNicUuids: 'vmNic' },
      owns: ['vmNicUuids'],
      summary: 'Take network cards out of a security group',
    }),
    call('GetCandidateVmNicForSecurityGroup', 'GET', `${inGroup}/vm-instances/candidate-nics`, {
      verb: 'candidate-nics',
      result: { kind: 'inventories', of: 'vmNic' },
      summary: 'Network cards that could be put into a security group',
    }),
    attach('AttachSecurityGroupToL3Network', 'POST', `${inGroup}/l3-networks/{l3NetworkUuid}`, {
      ...of,
      workflow: 'securityGroup.attach',
      verb: 'attach',
      summary: 'Let network cards of a network be in a security group',
    }),
    attach('DetachSecurityGroupFromL3Network', 'DELETE', `${inGroup}/l3-networks/{l3NetworkUuid}`, {
      ...of,
      workflow: 'securityGroup.detach',
      verb: 'detach',
      summary: 'Take the network cards of a network out of a security group',
    }),
    remove('DeleteSecurityGroup', '/security-groups/{uuid}', 'securityGroup'),
  ],
})
