import { z } from 'zod'
import { action, attach, create, query, remove } from '../api.ts'
import { defineResource } from '../resource.ts'
import { name, text, uuid } from '../scalars.ts'

const group = '/accounts/groups/{groupUuid}'
const empty = { kind: 'empty' } as const

/** Users for whom the same policies hold. */
export const userGroup = defineResource({
  name: 'userGroup',
  noun: 'user-group',
  path: '/accounts/groups',
  inventory: { sdk: 'UserGroupInventory', java: 'org.zstack.header.identity.UserGroupInventory' },
  summary: 'Users for whom the same policies hold',
  scope: { owner: 'accountUuid' },
  fields: { accountUuid: uuid, userUuids: z.array(uuid), policyUuids: z.array(uuid) },
  hidden: ['userUuids', 'policyUuids'],
  edges: {
    account: { to: 'account', via: 'accountUuid', kind: 'parent', onDelete: 'cascade', inverse: 'userGroups' },
    users: { to: 'user', via: 'userUuids', kind: 'parent', onDelete: 'detach', list: true, inverse: 'groups' },
    policies: { to: 'policy', via: 'policyUuids', kind: 'parent', onDelete: 'detach', list: true, inverse: 'userGroups' },
  },
  indexes: ['name', 'accountUuid', 'userUuids', 'policyUuids'],
  columns: ['name', 'uuid', 'accountUuid'],
  apis: [
    create('CreateUserGroup', '/accounts/groups', {
      of: 'userGroup',
      workflow: 'userGroup.create',
      params: {},
      summary: 'Create a group of users',
    }),
    query('QueryUserGroup', '/accounts/groups', 'userGroup', { byUuid: false }),
    action('UpdateUserGroup', '/accounts/groups/actions', {
      of: 'userGroup',
      workflow: 'resource.update',
      verb: 'update',
      target: 'uuid',
      params: { uuid, name: name.optional(), description: text.optional() },
      summary: 'Change a group of users',
    }),
    remove('DeleteUserGroup', '/accounts/groups/{uuid}', 'userGroup'),
    {
      ...attach('AddUserToGroup', 'POST', `${group}/users`, {
        of: 'userGroup',
        workflow: 'userGroup.addUser',
        verb: 'add-user',
        target: 'groupUuid',
        params: { userUuid: uuid },
        summary: 'Take a user into a group',
      }),
      result: empty,
    },
    {
      ...attach('RemoveUserFromGroup', 'DELETE', `${group}/users/{userUuid}`, {
        of: 'userGroup',
        workflow: 'userGroup.removeUser',
        verb: 'remove-user',
        target: 'groupUuid',
        summary: 'Take a user out of a group',
      }),
      result: empty,
    },
    {
      ...attach('AttachPolicyToUserGroup', 'POST', `${group}/policies`, {
        of: 'userGroup',
        workflow: 'userGroup.attachPolicies',
        verb: 'attach-policy',
        target: 'groupUuid',
        params: { policyUuid: uuid },
        summary: 'Let a policy hold for the users of a group',
      }),
      result: empty,
    },
    {
      ...attach('DetachPolicyFromUserGroup', 'DELETE', `${group}/policies/{policyUuid}`, {
        of: 'userGroup',
        workflow: 'userGroup.detachPolicies',
        verb: 'detach-policy',
        target: 'groupUuid',
        summary: 'Take a policy from the users of a group',
      }),
      result: empty,
    },
  ],
})
