import { z } from 'zod'
import { create, query, remove, update } from '../api.ts'
import { defineResource } from '../resource.ts'
import { line } from '../scalars.ts'

const path = '/login-control/access-control/rules'
/** ZStack's words are not known to us for certain, so the usual ones of either kind are taken, and given back as they came. */
const strategy = z.enum([
  ...(['Allow', 'ALLOW', 'allow', 'Whitelist', 'WHITELIST', 'whitelist'] as const),
  ...(['Deny', 'DENY', 'deny', 'Blacklist', 'BLACKLIST', 'blacklist'] as const),
])

/** From which addresses one may log in: from those that are denied never, and where some are allowed from no others. */
export const accessControlRule = defineResource({
  name: 'accessControlRule',
  noun: 'access-control-rule',
  path,
  inventory: { sdk: 'AccessControlRuleInventory', java: 'org.zstack.loginControl.entity.AccessControlRuleInventory' },
  summary: 'Addresses from which one may log in, or may not',
  scope: 'admin',
  fields: { rule: z.string(), strategy },
  edges: {},
  indexes: ['name'],
  columns: ['name', 'uuid', 'strategy', 'rule'],
  apis: [
    create('AddAccessControlRule', path, {
      of: 'accessControlRule',
      workflow: 'accessControlRule.create',
      verb: 'add',
      params: {
        /** addresses, networks (10.0.0.0/24) and ranges (10.0.0.5-10.0.0.9) with commas between them, IPv4 or IPv6 */
        rule: line(2048),
        controlStrategy: strategy,
      },
      summary: 'Say from which addresses one may log in, or may not',
    }),
    query('QueryAccessControlRule', path, 'accessControlRule', { byUuid: false }),
    {
      ...update('UpdateAccessControlRule', `${path}/{uuid}/actions`, 'accessControlRule', { rule: line(2048).optional() }),
      workflow: 'accessControlRule.update',
    },
    remove('DeleteAccessControlRule', `${path}/{uuid}`, 'accessControlRule'),
  ],
})
