/** Logging in and out. Clients send the SHA-512 hex of the password (zstack-core §1.7); only a scrypt of it is kept, and of session ids a hash. */
import { type Row, SkerryError } from '@skerry/contract'
import { configMs, configText, configValue } from '../configs/value.ts'
import type { Call } from '../engine/port.ts'
import { sessionKey } from '../engine/session-key.ts'
import type { State } from '../engine/state.ts'
import { checkPassword, NOBODY } from '../identity/password.ts'

/** As its client knows it. */
function inventoryOf(row: Row, uuid: string): Row {
  const { name: _name, lastOpDate: _last, ...inventory } = row
  return { ...inventory, uuid }
}

export interface SessionPorts {
  state: State
  now(): number
  newId(): string
}

const accountNamed = (state: State, name: unknown): Readonly<Row> | undefined => {
  const [key] = name === undefined ? [] : state.graph.by('account', 'name', name)
  return key === undefined ? undefined : state.graph.get('account', key)
}

/** Throws `login-failed`, after the same time whether there is no such name or the password is another. */
async function need(who: Readonly<Row> | undefined, password: unknown): Promise<void> {
  const good = await checkPassword(password as string, (who?.['passwordHash'] as string | undefined) ?? NOBODY)
  if (!who || !good) throw new SkerryError('login-failed')
}

/** The sessions that another one ends. Throws `too-many-sessions` where there is no room for another. */
function room(state: State, userUuid: string, now: number): string[] {
  const sessions = state.sessionsOf(userUuid, now)
  if (configText(state.graph, 'identity.enable.unique.session') === 'true') return sessions
  const limit = configValue(state.graph, 'identity.session.maxConcurrent')
  if (sessions.length < limit) return []
  throw new SkerryError('too-many-sessions', `there are ${sessions.length} sessions, and there may be ${limit}`, { limit })
}

type Calls = Record<string, (call: Call) => Promise<Row> | Row>

function loginCalls({ state, now, newId }: SessionPorts): Calls {
  const begin = async (who: { accountUuid: unknown; userUuid: unknown; userType: string }): Promise<Row> => {
    const at = now()
    const uuid = newId()
    const expiredDate = at + configMs(state.graph, 'identity.session.timeout')
    const row = { uuid: sessionKey(uuid), name: 'session', ...who, createDate: at, lastOpDate: at, expiredDate }
    // Nothing is waited for between this and the commit: two that log in at once can't share the last place.
    const ends = room(state, who.userUuid as string, at)
    await state.addSession(row.uuid, row, { actor: who.accountUuid as string }, ends)
    return { inventory: inventoryOf(row, uuid) }
  }
  const asAccount = async ({ accountName, password }: Row): Promise<Row> => {
    const account = accountNamed(state, accountName)
    await need(account, password)
    return begin({ accountUuid: account!['uuid'], userUuid: account!['uuid'], userType: 'Account' })
  }
  const asUser = async ({ accountUuid: named, accountName, userName, password }: Row): Promise<Row> => {
    const accountUuid = named ?? accountNamed(state, accountName)?.['uuid']
    const keys = [...state.graph.by('user', 'name', userName)]
    const users = keys.map((key) => state.graph.get('user', key)!).filter((user) => user['accountUuid'] === accountUuid)
    const user = accountUuid === undefined ? undefined : users[0]
    await need(user, password)
    return begin({ accountUuid, userUuid: user!['uuid'], userType: 'User' })
  }
  return {
    LogInByAccount: ({ params }) => asAccount(params),
    LogInByUser: ({ params }) => asUser(params),
    LogIn({ params: { username, password, loginType, properties } }) {
      if (loginType === 'account') return asAccount({ accountName: username, password })
      const { accountUuid, accountName } = (properties ?? {}) as Row
      return asUser({ accountUuid, accountName, userName: username, password })
    },
    // Failed logins are counted at the door, and forgotten there.
    UnlockIdentity: () => ({}),
    // One step that asks for the password: no captcha and no second factor are here.
    GetLoginProcedures: () => ({ procedures: [] }),
  }
}

export function sessionCalls(ports: SessionPorts): Calls {
  const { state, now } = ports
  return {
    ...loginCalls(ports),
    async LogOut({ params }) {
      await state.endSession(sessionKey(params['sessionUuid'] as string))
      return {}
    },
    async RenewSession({ params, caller }) {
      const sent = params['sessionUuid'] as string
      const row = state.session(sessionKey(sent))
      // One that has ended, or that somebody else logged in to, is not told apart from one that never was.
      if (!row || (row['expiredDate'] as number) <= now() || row['userUuid'] !== (caller?.userUuid ?? caller?.accountUuid))
        throw new SkerryError('session-invalid', 'invalid field[sessionUuid]: there is no such session', { field: 'sessionUuid' })
      const seconds = params['duration'] as number | undefined
      const lastsMs = seconds === undefined ? configMs(state.graph, 'identity.session.timeout') : seconds * 1_000
      const renewed = { ...row, expiredDate: now() + lastsMs }
      await state.addSession(sessionKey(sent), renewed, { actor: row['accountUuid'] as string })
      return { inventory: inventoryOf(renewed, sent) }
    },
    ValidateSession: ({ params }) => {
      const row = state.session(sessionKey(params['sessionUuid'] as string))
      return { valid: ((row?.['expiredDate'] as number | undefined) ?? 0) > now() }
    },
  }
}
