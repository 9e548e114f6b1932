import { z } from 'zod'
import { changeState, create, createParams, query, remove } from '../api.ts'
import { defineResource, enabledDisabled, enabledState } from '../resource.ts'
import { secretRef, secretValue, uuid } from '../scalars.ts'

const { name: _name, ...unnamed } = createParams

/** What names a key in `Authorization: ZStack <id>:<signature>`. */
const accessKeyId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{7,63}$/, 'must be 8 to 64 letters, digits, - or _, a letter or digit first')

/** A key with which programs sign their requests instead of logging in. Its secret is told once, by the call that makes it. */
export const accessKey = defineResource({
  name: 'accessKey',
  noun: 'access-key',
  path: '/accesskeys',
  inventory: { sdk: 'AccessKeyInventory', java: 'org.zstack.accessKey.AccessKeyInventory' },
  summary: 'A key that signs requests instead of a session',
  scope: { owner: 'accountUuid' },
  fields: { accountUuid: uuid, userUuid: uuid, AccessKeyID: accessKeyId, AccessKeySecret: secretRef, state: enabledState },
  /** `name` is the key's id: so it can stand for the uuid. */
  hidden: ['name', 'AccessKeySecret'],
  states: enabledDisabled,
  edges: { account: { to: 'account', via: 'accountUuid', kind: 'parent', onDelete: 'cascade', inverse: 'accessKeys' } },
  indexes: ['accountUuid', 'AccessKeyID', 'name'],
  columns: ['AccessKeyID', 'uuid', 'accountUuid', 'state'],
  apis: [
    {
      ...create('CreateAccessKey', '/accesskeys', {
        of: 'accessKey',
        workflow: 'accessKey.create',
        params: {},
        // An account stands for itself there.
        names: { userUuid: null },
        self: { parameter: 'userUuid', user: 'only' },
        summary: 'Make a key that signs requests; its secret is told only now',
      }),
      params: z.object({
        ...unnamed,
        accountUuid: uuid,
        userUuid: uuid,
        AccessKeyID: accessKeyId.optional(),
        AccessKeySecret: secretValue.optional(),
      }),
    },
    query('QueryAccessKey', '/accesskeys', 'accessKey', { byUuid: false }),
    changeState('ChangeAccessKeyState', '/accesskeys/{uuid}/actions', 'accessKey', ['enable', 'disable']),
    remove('DeleteAccessKey', '/accesskeys/{uuid}', 'accessKey'),
  ],
})
