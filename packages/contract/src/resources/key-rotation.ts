import { z } from 'zod'
import { call, query } from '../api.ts'
import { defineResource } from '../resource.ts'
import { time, uuid } from '../scalars.ts'

/** Replacing keys of the site while it works. It goes on by itself, over restarts, until every agent has followed. Ours. */
export const keyRotation = defineResource({
  name: 'keyRotation',
  noun: 'key-rotation',
  path: '/key-rotations',
  summary: 'Keys of the site being replaced',
  scope: 'admin',
  fields: {
    /** `agents`: each agent's own. `account`: what signs them too, and the controller's own. `site`: what secrets are kept under. */
    what: z.enum(['agents', 'account', 'site']),
    state: z.enum(['Running', 'Done']),
    /** agents that still have the old keys; one that is away follows when it is back */
    pending: z.array(uuid),
    total: z.number().int(),
    doneDate: time.nullable(),
  },
  edges: {},
  indexes: ['state', 'what'],
  columns: ['uuid', 'what', 'state', 'total', 'pending'],
  apis: [
    { ...query('QueryKeyRotation', '/key-rotations', 'keyRotation'), own: true },
    call('RotateKeys', 'POST', '/key-rotations', {
      verb: 'rotate',
      own: true,
      summary: 'Replace keys of the site while it works',
      params: { what: z.enum(['agents', 'account', 'site']) },
      result: { kind: 'inventory', of: 'keyRotation' },
    }),
    call('IssueBusCredentials', 'POST', '/bus-credentials', {
      verb: 'issue',
      own: true,
      summary: 'NATS credentials: for a person to watch everything and call the API, or for a console proxy',
      /** The public account key that signed those that are there. */
      params: {
        /** default: operator-cli */
        user: z.enum(['operator-cli', 'console-proxy']).optional(),
        unlessSignedBy: z
          .string()
          .regex(/^A[A-Z2-7]{55}$/)
          .optional(),
      },
      /** Text of a `.creds` file, secret; null: what is signed by `unlessSignedBy` is still good. */
      result: { kind: 'fields', schema: z.object({ creds: z.string().nullable() }) },
    }),
  ],
})
