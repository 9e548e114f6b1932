import { z } from 'zod'
import { query } from '../api.ts'
import { defineResource } from '../resource.ts'
import { uuid } from '../scalars.ts'

/** Whose a resource is. Nothing is recorded of it: its rows are those of what is owned, as the controller reads them. */
export const accountResourceRef = defineResource({
  name: 'accountResourceRef',
  noun: 'account-resource-ref',
  path: '/accounts/resources/refs',
  inventory: { sdk: 'AccountResourceRefInventory', java: 'org.zstack.header.identity.AccountResourceRefInventory' },
  summary: 'Whose a resource is',
  scope: { owner: 'accountUuid' },
  fields: { accountUuid: uuid, resourceUuid: uuid, resourceType: z.string(), concreteResourceType: z.string() },
  /** They are those of the resource. */
  hidden: ['uuid', 'name'],
  edges: {},
  indexes: ['accountUuid', 'resourceUuid'],
  columns: ['resourceUuid', 'resourceType', 'accountUuid'],
  apis: [query('QueryAccountResourceRef', '/accounts/resources/refs', 'accountResourceRef', { byUuid: false })],
})
