import { z } from 'zod'
import { action, attach, call, create, query, remove } from '../api.ts'
import { defineResource } from '../resource.ts'
import { loginPassword, name, text, uuid } from '../scalars.ts'

const policies = '/accounts/users/{userUuid}/policies'
const empty = { kind: 'empty' } as const

/** Somebody who acts for an account, and may do what policies allow, within what the account may. */
export const user = defineResource({
  name: 'user',
  noun: 'user',
  path: '/accounts/users',
  inventory: { sdk: 'UserInventory', java: 'org.zstack.header.identity.UserInventory' },
  summary: 'Somebody who acts for an account',
  scope: { owner: 'accountUuid' },
  fields: { accountUuid: uuid, passwordHash: z.string(), policyUuids: z.array(uuid) },
  hidden: ['passwordHash', 'policyUuids'],
  edges: {
    account: { to: 'account', via: 'accountUuid', kind: 'parent', onDelete: 'cascade', inverse: 'users' },
    policies: { to: 'policy', via: 'policyUuids', kind: 'parent', onDelete: 'detach', list: true, inverse: 'users' },
  },
  indexes: ['name', 'accountUuid', 'policyUuids'],
  columns: ['name', 'uuid', 'accountUuid'],
  apis: [
    create('CreateUser', '/accounts/users', {
      of: 'user',
      workflow: 'user.create',
      params: { password: loginPassword },
      summary: 'Create a user of this account',
    }),
    query('QueryUser', '/accounts/users', 'user'),
    action('UpdateUser', '/accounts/users/actions', {
      of: 'user',
      workflow: 'user.update',
      verb: 'update',
      target: 'uuid',
      self: { parameter: 'uuid', user: 'may' },
      params: {
        uuid: uuid.optional(),
        password: loginPassword.optional(),
        oldPassword: loginPassword.optional(),
        name: name.optional(),
        description: text.optional(),
      },
      summary: 'Change a user; without a uuid oneself',
    }),
    remove('DeleteUser', '/accounts/users/{uuid}', 'user'),
    call('LogInByUser', 'PUT', '/accounts/users/login', {
      anonymous: true,
      verb: 'login',
      summary: 'Log in as a user of an account, with the SHA-512 hex of the password',
      names: { accountUuid: null },
      params: {
        accountUuid: uuid.optional(),
        accountName: z.string().max(255).optional(),
        userName: z.string().max(255),
        password: z.string().max(512),
        clientInfo: z.record(z.string(), z.string()).optional(),
      },
      result: { kind: 'inventory', of: 'session' },
    }),
    {
      ...attach('AttachPolicyToUser', 'POST', policies, {
        of: 'user',
        workflow: 'user.attachPolicies',
        verb: 'attach-policy',
        params: { policyUuid: uuid },
        summary: 'Let a policy hold for a user',
      }),
      result: empty,
    },
    {
      ...attach('AttachPoliciesToUser', 'POST', '/accounts/users/{userUuid}/policy-collection', {
        of: 'user',
        workflow: 'user.attachPolicies',
        verb: 'attach-policies',
        params: { policyUuids: z.array(uuid).min(1).max(100) },
        summary: 'Let policies hold for a user',
      }),
      result: empty,
    },
    {
      ...attach('DetachPolicyFromUser', 'DELETE', `${policies}/{policyUuid}`, {
        of: 'user',
        workflow: 'user.detachPolicies',
        verb: 'detach-policy',
        summary: 'Take a policy from a user',
      }),
      result: empty,
    },
    {
      ...attach('DetachPoliciesFromUser', 'DELETE', policies, {
        of: 'user',
        workflow: 'user.detachPolicies',
        verb: 'detach-policies',
        params: { policyUuids: z.array(uuid).min(1).max(100) },
        summary: 'Take policies from a user',
      }),
      result: empty,
    },
  ],
})
