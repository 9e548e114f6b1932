import { z } from 'zod'
import { action, call, query } from '../api.ts'
import { defineResource } from '../resource.ts'
import { time, uuid } from '../scalars.ts'

const resourceUuids = z.array(uuid).min(1).max(100)
const empty = { kind: 'empty' } as const
const reference = z.object({
  accountUuid: uuid,
  resourceUuid: uuid,
  resourceType: z.string(),
  concreteResourceType: z.string(),
  createDate: time,
  lastOpDate: time,
})

/** A resource that others may see, and use where its kind is made for that (an image, a network, an offering). */
export const sharedResource = defineResource({
  name: 'sharedResource',
  noun: 'shared-resource',
  path: '/accounts/resources',
  inventory: { sdk: 'SharedResourceInventory', java: 'org.zstack.header.identity.SharedResourceInventory' },
  summary: 'A resource that others may see and use',
  scope: { owner: 'ownerAccountUuid' },
  fields: {
    ownerAccountUuid: uuid,
    receiverAccountUuid: uuid.nullable(),
    toPublic: z.boolean(),
    resourceType: z.string(),
    resourceUuid: uuid,
  },
  /** Keys are `<resource>:<receiver>`. */
  hidden: ['uuid', 'name'],
  edges: {
    receiver: { to: 'account', via: 'receiverAccountUuid', kind: 'parent', onDelete: 'cascade', inverse: 'sharedResources' },
  },
  indexes: ['uuid', 'resourceUuid', 'receiverAccountUuid', 'ownerAccountUuid', 'toPublic'],
  columns: ['resourceUuid', 'resourceType', 'receiverAccountUuid', 'toPublic'],
  apis: [
    query('QuerySharedResource', '/accounts/resources', 'sharedResource', { byUuid: false }),
    action('ShareResource', '/accounts/resources/actions', {
      of: 'sharedResource',
      workflow: 'resource.share',
      verb: 'share',
      // Who gives something away must know to whom: accounts see only themselves.
      names: { accountUuids: null },
      owns: ['resourceUuids'],
      params: { resourceUuids, accountUuids: z.array(uuid).max(100).optional(), toPublic: z.boolean().optional() },
      result: empty,
      summary: 'Let other accounts see and use resources',
    }),
    action('RevokeResourceSharing', '/accounts/resources/actions', {
      of: 'sharedResource',
      workflow: 'resource.unshare',
      verb: 'unshare',
      names: { accountUuids: null },
      owns: ['resourceUuids'],
      params: {
        resourceUuids,
        toPublic: z.boolean().optional(),
        accountUuids: z.array(uuid).max(100).optional(),
        all: z.boolean().optional(),
      },
      result: empty,
      summary: 'Take back what was shared',
    }),
    {
      ...action('ChangeResourceOwner', '/account/{accountUuid}/resources', {
        of: 'sharedResource',
        workflow: 'resource.changeOwner',
        verb: 'change-owner',
        rights: 'admin',
        params: { resourceUuid: uuid },
        result: { kind: 'fields', schema: z.object({ inventory: reference }) },
        summary: 'Give a resource to another account',
      }),
      method: 'POST',
      bodyKey: 'params',
    },
    call('GetResourceAccount', 'GET', '/resources/accounts', {
      verb: 'accounts',
      // Those that are not there are left out.
      names: { resourceUuids: null },
      params: { resourceUuids },
      result: {
        kind: 'fields',
        schema: z.object({ inventories: z.record(z.string(), z.object({ uuid, name: z.string(), type: z.string() })) }),
      },
      summary: 'Whose resources are',
    }),
  ],
})
