import { z } from 'zod'
import { create, query, remove } from '../api.ts'
import { defineResource } from '../resource.ts'
import { line, uuid } from '../scalars.ts'

/**
 * What a statement speaks of: an API (`StartVmInstance`, `APIStartVmInstanceMsg`), a kind and a verb (`vm:start`, `vm:read`), or
 * ZStack's package (`org.zstack.header.vm.**`). `*` stands for any characters.
 */
const spokenOf = z.string().regex(/^[A-Za-z0-9_.:*-]{1,255}$/, 'must be an API such as StartVmInstance, vm:start, *:read or vm:*')

export const policyStatement = z.strictObject({
  name: line(255),
  effect: z.enum(['Allow', 'Deny']),
  actions: z.array(spokenOf).min(1).max(500),
})
export const policyStatements = z.array(policyStatement).min(1).max(200)

/** Statements that say what a user, a group or a role may do. */
export const policy = defineResource({
  name: 'policy',
  noun: 'policy',
  path: '/accounts/policies',
  inventory: { sdk: 'PolicyInventory', java: 'org.zstack.header.identity.PolicyInventory' },
  summary: 'Statements on what somebody may do',
  scope: { owner: 'accountUuid' },
  fields: { accountUuid: uuid, statements: policyStatements },
  edges: { account: { to: 'account', via: 'accountUuid', kind: 'parent', onDelete: 'cascade', inverse: 'policies' } },
  indexes: ['name', 'accountUuid'],
  columns: ['name', 'uuid', 'accountUuid'],
  apis: [
    create('CreatePolicy', '/accounts/policies', {
      of: 'policy',
      workflow: 'policy.create',
      params: { statements: policyStatements },
      summary: 'Create a policy',
    }),
    query('QueryPolicy', '/accounts/policies', 'policy'),
    remove('DeletePolicy', '/accounts/policies/{uuid}', 'policy'),
  ],
})
