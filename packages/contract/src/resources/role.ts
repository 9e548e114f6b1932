import { z } from 'zod'
import { action, attach, changeState, create, query, remove } from '../api.ts'
import { defineResource, enabledDisabled, enabledState } from '../resource.ts'
import { line, name, text, uuid } from '../scalars.ts'
import { policyStatement, policyStatements } from './policy.ts'

const policyUuids = z.array(uuid).max(100)
const empty = { kind: 'empty' } as const

/** What accounts may do to which it is attached. An account without an enabled role may do all that accounts may. */
export const role = defineResource({
  name: 'role',
  noun: 'role',
  path: '/identities/roles',
  inventory: { sdk: 'RoleInventory', java: 'org.zstack.header.identity.role.RoleInventory' },
  summary: 'What accounts may do to which it is attached',
  scope: 'everyone',
  fields: {
    identity: z.string().nullable(),
    type: z.enum(['Customized']),
    state: enabledState,
    statements: z.array(z.object({ uuid, roleUuid: uuid, statement: policyStatement })),
    policyUuids,
  },
  states: enabledDisabled,
  edges: { policies: { to: 'policy', via: 'policyUuids', kind: 'parent', onDelete: 'detach', list: true, inverse: 'roles' } },
  indexes: ['name', 'state', 'policyUuids'],
  columns: ['name', 'uuid', 'type', 'state'],
  apis: [
    create('CreateRole', '/identities/roles', {
      of: 'role',
      workflow: 'role.create',
      params: { statements: policyStatements.optional(), policyUuids: policyUuids.optional(), identity: line(255).optional() },
      summary: 'Create a role',
    }),
    query('QueryRole', '/identities/roles', 'role'),
    action('UpdateRole', '/identities/roles/{uuid}/actions', {
      of: 'role',
      workflow: 'role.update',
      verb: 'update',
      params: {
        name: name.optional(),
        description: text.optional(),
        statements: policyStatements.optional(),
        policyUuids: policyUuids.optional(),
      },
      summary: 'Change a role; statements and policies replace those that it had',
    }),
    changeState('ChangeRoleState', '/identities/roles/{uuid}/actions', 'role', ['enable', 'disable']),
    remove('DeleteRole', '/identities/roles/{uuid}', 'role'),
    {
      ...attach('AddPolicyStatementsToRole', 'POST', '/identities/roles/{uuid}/policy-statements', {
        of: 'role',
        workflow: 'role.addStatements',
        verb: 'add-statements',
        params: { statements: policyStatements },
        summary: 'Add statements to a role',
      }),
      result: empty,
    },
    {
      ...attach('RemovePolicyStatementsFromRole', 'DELETE', '/identities/roles/{uuid}/policy-statements', {
        of: 'role',
        workflow: 'role.removeStatements',
        verb: 'remove-statements',
        params: { policyStatementUuids: z.array(uuid).min(1).max(200) },
        summary: 'Remove statements from a role',
      }),
      result: empty,
    },
    {
      ...attach('AttachPolicyToRole', 'POST', '/identities/policies/{policyUuid}/roles/{roleUuid}', {
        of: 'role',
        workflow: 'role.attachPolicies',
        verb: 'attach-policy',
        summary: 'Let a policy be part of a role',
      }),
      result: empty,
    },
    {
      ...attach('DetachPolicyFromRole', 'DELETE', '/identities/policies/{policyUuid}/roles/{roleUuid}', {
        of: 'role',
        workflow: 'role.detachPolicies',
        verb: 'detach-policy',
        summary: 'Take a policy from a role',
      }),
      result: empty,
    },
    {
      ...attach('AttachRoleToAccount', 'POST', '/identities/accounts/{accountUuid}/roles/{roleUuid}', {
        of: 'role',
        workflow: 'account.attachRole',
        verb: 'attach',
        summary: 'Bind an account by a role',
      }),
      result: empty,
    },
    {
      ...attach('DetachRoleFromAccount', 'DELETE', '/identities/accounts/{accountUuid}/roles/{roleUuid}', {
        of: 'role',
        workflow: 'account.detachRole',
        verb: 'detach',
        params: { deleteMode: z.enum(['Permissive', 'Enforcing', '']).optional() },
        summary: 'Free an account of a role',
      }),
      result: empty,
    },
  ],
})
