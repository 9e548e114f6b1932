import { z } from 'zod'
import { attach, call, changeState, create, query, remove, update } from '../api.ts'
import { defineResource, enabledDisabled, enabledState } from '../resource.ts'
import { cidr4, ipv4, port, uuid } from '../scalars.ts'

const protocolType = z.enum(['TCP', 'UDP'])

/** Ports of a VIP that lead to ports of a guest (zstack-core §2.18). Ranges are of one length; `allowedCidr`: who may come, null: all. */
export const portForwardingRule = defineResource({
  name: 'portForwardingRule',
  noun: 'port-forwarding-rule',
  path: '/port-forwarding',
  inventory: {
    sdk: 'PortForwardingRuleInventory',
    java: 'org.zstack.network.service.portforwarding.PortForwardingRuleInventory',
  },
  summary: 'Ports of a VIP that lead to ports of a guest',
  scope: { owner: 'ownerUuid' },
  fields: {
    vipIp: ipv4,
    guestIp: ipv4.nullable(),
    vipUuid: uuid,
    vipPortStart: port,
    vipPortEnd: port,
    privatePortStart: port,
    privatePortEnd: port,
    vmNicUuid: uuid.nullable(),
    protocolType,
    state: enabledState,
    allowedCidr: cidr4.nullable(),
  },
  states: enabledDisabled,
  edges: {
    vip: { to: 'vip', via: 'vipUuid', kind: 'parent', onDelete: 'cascade', inverse: 'portForwardingRules' },
    vmNic: { to: 'vmNic', via: 'vmNicUuid', kind: 'parent', onDelete: 'detach', inverse: 'portForwardingRules' },
  },
  indexes: ['name', 'state', 'vipUuid', 'vmNicUuid', 'vipIp', 'guestIp'],
  columns: ['name', 'uuid', 'vipIp', 'vipPortStart', 'guestIp', 'privatePortStart', 'protocolType', 'state'],
  apis: [
    create('CreatePortForwardingRule', '/port-forwarding', {
      of: 'portForwardingRule',
      workflow: 'portForwardingRule.create',
      summary: 'Lead ports of a VIP to ports of a guest',
      params: {
        vipUuid: uuid,
        vipPortStart: port,
        vipPortEnd: port.optional(),
        privatePortStart: port.optional(),
        privatePortEnd: port.optional(),
        protocolType,
        vmNicUuid: uuid.optional(),
        allowedCidr: cidr4.optional(),
      },
    }),
    query('QueryPortForwardingRule', '/port-forwarding', 'portForwardingRule'),
    update('UpdatePortForwardingRule', '/port-forwarding/{uuid}/actions', 'portForwardingRule'),
    {
      ...changeState('ChangePortForwardingRuleState', '/port-forwarding/{uuid}/actions', 'portForwardingRule', [
        'enable',
        'disable',
      ]),
      workflow: 'portForwardingRule.changeState',
    },
    attach('AttachPortForwardingRule', 'POST', '/port-forwarding/{ruleUuid}/vm-instances/nics/{vmNicUuid}', {
      of: 'portForwardingRule',
      workflow: 'portForwardingRule.attach',
      verb: 'attach',
      names: { ruleUuid: 'portForwardingRule' },
      target: 'ruleUuid',
      summary: 'Lead the ports of a rule to this guest',
    }),
    attach('DetachPortForwardingRule', 'DELETE', '/port-forwarding/{uuid}/vm-instances/nics', {
      of: 'portForwardingRule',
      workflow: 'portForwardingRule.detach',
      verb: 'detach',
      summary: 'Lead the ports of a rule to nobody',
    }),
    call('GetPortForwardingAttachableVmNics', 'GET', '/port-forwarding/{ruleUuid}/vm-instances/candidate-nics', {
      verb: 'candidate-nics',
      names: { ruleUuid: 'portForwardingRule' },
      summary: 'Network cards that the ports of a rule could be led to',
      result: { kind: 'inventories', of: 'vmNic' },
    }),
    remove('DeletePortForwardingRule', '/port-forwarding/{uuid}', 'portForwardingRule', {
      workflow: 'portForwardingRule.delete',
    }),
  ],
})
