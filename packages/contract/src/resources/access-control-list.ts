import { z } from 'zod'
import { create, createParams, query, remove } from '../api.ts'
import { defineResource } from '../resource.ts'
import { text, uuid } from '../scalars.ts'

/** Addresses, networks and ranges, divided by commas. */
const ipEntries = z.string().regex(/^[0-9./,-]{1,4096}$/, 'must be addresses, networks or ranges, divided by commas')
const { name: _name, ...unnamed } = createParams

/** Addresses that listeners let in or keep out (zstack-core §2.19). */
export const accessControlList = defineResource({
  name: 'accessControlList',
  noun: 'access-control-list',
  path: '/access-control-lists',
  inventory: { sdk: 'AccessControlListInventory', java: 'org.zstack.header.acl.AccessControlListInventory' },
  summary: 'Addresses that listeners let in or keep out',
  scope: { owner: 'ownerUuid' },
  fields: { ipVersion: z.number().int() },
  edges: {},
  indexes: ['name'],
  columns: ['name', 'uuid', 'ipVersion'],
  apis: [
    create('CreateAccessControlList', '/access-control-lists', {
      of: 'accessControlList',
      workflow: 'accessControlList.create',
      params: { ipVersion: z.literal(4).optional() },
      summary: 'Create a list of addresses',
    }),
    query('QueryAccessControlList', '/access-control-lists', 'accessControlList'),
    remove('DeleteAccessControlList', '/access-control-lists/{uuid}', 'accessControlList'),
  ],
})

/** Addresses of a list that came in one call. */
export const accessControlListEntry = defineResource({
  name: 'accessControlListEntry',
  noun: 'access-control-list-entry',
  path: '/access-control-lists/entries',
  inventory: { sdk: 'AccessControlListEntryInventory', java: 'org.zstack.header.acl.AccessControlListEntryInventory' },
  summary: 'Addresses of a list',
  scope: { follows: 'aclUuid', of: 'accessControlList' },
  fields: { aclUuid: uuid, type: z.enum(['IpEntry']), ipEntries: z.string() },
  edges: {
    accessControlList: {
      ...{ to: 'accessControlList', via: 'aclUuid', kind: 'parent', onDelete: 'cascade', inverse: 'entries', inline: true },
      as: 'accessControlList',
    },
  },
  indexes: ['aclUuid'],
  columns: ['uuid', 'aclUuid', 'ipEntries'],
  apis: [
    {
      ...create('AddAccessControlListEntry', '/access-control-lists/{aclUuid}/ipentries', {
        of: 'accessControlListEntry',
        workflow: 'accessControlListEntry.create',
        verb: 'add',
        params: {},
        names: { aclUuid: 'accessControlList' },
        owns: ['aclUuid'],
        summary: 'Add addresses to a list',
      }),
      params: z.object({ ...unnamed, description: text.optional(), entries: ipEntries }),
    },
    remove('RemoveAccessControlListEntry', '/access-control-lists/{aclUuid}/ipentries/{uuid}', 'accessControlListEntry', {
      workflow: 'accessControlListEntry.remove',
      names: { aclUuid: 'accessControlList' },
      target: 'uuid',
      summary: 'Take addresses out of a list',
    }),
  ],
})
