import { z } from 'zod'
import { action, call, create, query, remove } from '../api.ts'
import { defineResource } from '../resource.ts'
import { loginPassword, name, text, time, uuid } from '../scalars.ts'

/** uuid of the first administrator (zstack-core §1.7). */
export const ADMIN_ACCOUNT = '36c27e8ff05c4780bf6d2fa65700f22e'

/** ZStack knows more, for services of others. */
const loginTypes = ['account', 'user'] as const

/** What decides on a call, and how. */
const permission = z.object({
  allowed: z.boolean(),
  rule: z.string(),
  statement: z.object({ name: z.string(), effect: z.string(), in: z.string() }).optional(),
  parameter: z.string().optional(),
  message: z.string().optional(),
})

/** Who calls. Passwords are kept as scrypt of the SHA-512 hex that clients send. */
export const account = defineResource({
  name: 'account',
  noun: 'account',
  path: '/accounts',
  uniqueName: true,
  inventory: { sdk: 'AccountInventory', java: 'org.zstack.header.identity.AccountInventory' },
  summary: 'Who calls',
  scope: { owner: 'uuid' },
  fields: { type: z.enum(['SystemAdmin', 'Normal']), passwordHash: z.string(), roleUuids: z.array(uuid).optional() },
  hidden: ['passwordHash', 'roleUuids'],
  edges: { roles: { to: 'role', via: 'roleUuids', kind: 'parent', onDelete: 'detach', list: true, inverse: 'accounts' } },
  indexes: ['name', 'type', 'roleUuids'],
  columns: ['name', 'uuid', 'type'],
  apis: [
    create('CreateAccount', '/accounts', {
      of: 'account',
      workflow: 'account.create',
      rights: 'admin',
      params: { password: loginPassword, type: z.enum(['SystemAdmin', 'Normal']).optional() },
      summary: 'Create an account',
    }),
    query('QueryAccount', '/accounts', 'account'),
    action('UpdateAccount', '/accounts/{uuid}', {
      of: 'account',
      workflow: 'account.update',
      verb: 'update',
      params: {
        password: loginPassword.optional(),
        oldPassword: loginPassword.optional(),
        name: name.optional(),
        description: text.optional(),
      },
      summary: 'Change an account',
    }),
    remove('DeleteAccount', '/accounts/{uuid}', 'account', {
      workflow: 'account.delete',
      rights: 'admin',
      summary: 'Delete an account with everything that is its own',
    }),
    call('CheckApiPermission', 'PUT', '/accounts/permissions/actions', {
      verb: 'check-permission',
      summary: 'Which APIs this account, or one of its users, may call',
      params: { userUuid: uuid.optional(), apiNames: z.array(z.string().max(255)).min(1).max(2_000) },
      result: { kind: 'fields', schema: z.object({ inventory: z.record(z.string(), z.enum(['Allow', 'Deny'])) }) },
    }),
    call('CheckResourcePermission', 'GET', '/accounts/resource/api-permissions', {
      verb: 'permitted-apis',
      summary: 'The APIs of a kind of resource that one may call',
      params: { resourceType: z.string().max(255) },
      result: { kind: 'fields', schema: z.object({ apis: z.array(z.string()) }) },
    }),
    call('ExplainPermission', 'GET', '/accounts/permissions', {
      verb: 'explain-permission',
      own: true,
      names: { resourceUuid: null },
      summary: 'Why a call is allowed or denied',
      params: {
        apiName: z.string().max(255),
        resourceUuid: uuid.optional(),
        accountUuid: uuid.optional(),
        userUuid: uuid.optional(),
      },
      result: { kind: 'fields', schema: permission },
    }),
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
    call('LogIn', 'PUT', '/login', {
      anonymous: true,
      verb: 'login',
      summary: 'Log in as an account, or as a user of the account that the properties name, with the SHA-512 hex of the password',
      params: {
        username: z.string().max(255),
        password: z.string().max(512),
        loginType: z.enum(loginTypes),
        captchaUuid: z.string().max(64).optional(),
        verifyCode: z.string().max(64).optional(),
        clientInfo: z.record(z.string(), z.string()).optional(),
        /** of a user: accountUuid or accountName */
        properties: z.record(z.string().max(64), z.string().max(255)).optional(),
      },
      result: { kind: 'inventory', of: 'session' },
    }),
    call('GetLoginProcedures', 'GET', '/login/procedures', {
      anonymous: true,
      verb: 'login-procedures',
      summary: 'What a login needs besides the password: nothing here, the same for whoever is or is not there',
      params: { username: z.string().max(255), loginType: z.enum(loginTypes) },
      result: { kind: 'fields', schema: z.object({ procedures: z.array(z.string()) }) },
    }),
    call('UnlockIdentity', 'GET', '/login/control/unlock', {
      rights: 'admin',
      verb: 'unlock',
      summary: 'Let somebody log in again at once, who has guessed too often',
      params: { resourceName: z.string().max(255), loginType: z.enum(loginTypes) },
      result: { kind: 'empty' },
    }),
    call('LogOut', 'DELETE', '/accounts/sessions/{sessionUuid}', {
      anonymous: true,
      verb: 'logout',
      summary: 'End a session',
      params: { clientInfo: z.record(z.string(), z.string()).optional() },
      result: { kind: 'empty' },
    }),
    call('RenewSession', 'PUT', '/accounts/sessions/{sessionUuid}/renew', {
      verb: 'renew-session',
      summary: 'Let a session last longer, from now on',
      params: { duration: z.number().int().min(60).max(31_536_000).optional() },
      result: { kind: 'inventory', of: 'session' },
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
  scope: { owner: 'accountUuid' },
  fields: { accountUuid: uuid, userUuid: uuid, userType: z.string().optional(), expiredDate: time },
  edges: { account: { to: 'account', via: 'accountUuid', kind: 'parent', onDelete: 'cascade', inverse: 'sessions' } },
  indexes: ['accountUuid', 'userUuid'],
  columns: ['uuid', 'accountUuid', 'expiredDate'],
  apis: [],
})
