import { z } from 'zod'
import { call, query } from '../api.ts'
import { defineResource } from '../resource.ts'
import { time, uuid } from '../scalars.ts'

/** uuid of the first administrator (zstack-core §1.7). */
export const ADMIN_ACCOUNT = '36c27e8ff05c4780bf6d2fa65700f22e'

/** Who calls. Passwords are kept as scrypt of the SHA-512 hex that clients send. */
export const account = defineResource({
  name: 'account',
  noun: 'account',
  path: '/accounts',
  uniqueName: true,
  inventory: { sdk: 'AccountInventory', java: 'org.zstack.header.identity.AccountInventory' },
  summary: 'Who calls',
  fields: { type: z.enum(['SystemAdmin', 'Normal']), passwordHash: z.string() },
  hidden: ['passwordHash'],
  edges: {},
  indexes: ['name', 'type'],
  columns: ['name', 'uuid', 'type'],
  apis: [
    query('QueryAccount', '/accounts', 'account'),
    call('LogInByAccount', 'PUT', '/accounts/login', {
      anonymous: true,
      verb: 'login',
      summary: 'Log in with an account name and the SHA-512 hex of its password',
      params: {
        accountName: z.string().max(255),
        password: z.string().max(512),
        accountType: z.string().max(64).optional(),
        captchaUuid: z.string().max(64).optional(),
        verifyCode: z.string().max(64).optional(),
        clientInfo: z.record(z.string(), z.string()).optional(),
      },
      result: { kind: 'inventory', of: 'session' },
    }),
    call('LogOut', 'DELETE', '/accounts/sessions/{sessionUuid}', {
      anonymous: true,
      verb: 'logout',
      summary: 'End a session',
      params: { clientInfo: z.record(z.string(), z.string()).optional() },
      result: { kind: 'empty' },
    }),
    call('ValidateSession', 'GET', '/accounts/sessions/{sessionUuid}/valid', {
      anonymous: true,
      verb: 'validate-session',
      summary: 'Is this session good?',
      result: { kind: 'fields', schema: z.object({ valid: z.boolean() }) },
    }),
  ],
})

/** A logged-in caller. Lives two hours from login (zstack-core Appendix B, identity.session.timeout=7200). */
export const session = defineResource({
  name: 'session',
  noun: 'session',
  path: '/accounts/sessions',
  inventory: { sdk: 'SessionInventory', java: 'org.zstack.header.identity.SessionInventory' },
  summary: 'A logged-in caller',
  fields: { accountUuid: uuid, userUuid: uuid, userType: z.string().optional(), expiredDate: time },
  edges: { account: { to: 'account', via: 'accountUuid', kind: 'parent', onDelete: 'cascade', inverse: 'sessions' } },
  indexes: ['accountUuid'],
  columns: ['uuid', 'accountUuid', 'expiredDate'],
  apis: [],
})
