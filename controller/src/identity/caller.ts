/** Who is behind a session or an access key. */
import { SkerryError } from '@skerry/contract'
import type { Call, Caller } from '../engine/port.ts'
import { sessionKey } from '../engine/session-key.ts'
import type { State } from '../engine/state.ts'
import type { Rows } from './whose.ts'

/** Who is behind the id of a session; undefined: it has ended, or its account or user is no more. */
export function sessionCaller(state: State, id: string, now: number): Caller | undefined {
  const row = state.session(sessionKey(id))
  if (!row || (row['expiredDate'] as number) <= now) return undefined
  return callerOf(state.graph, { accountUuid: row['accountUuid'], userUuid: row['userUuid'], sessionUuid: id })
}

/** A call that names no user is about the one who calls (`UpdateUser`). */
export function aboutItself(call: Call): Call {
  const { target } = call.api
  const { userUuid } = call.caller ?? {}
  if (target === undefined || call.params[target] !== undefined) return call
  if (call.resource.name === 'user' && userUuid !== undefined) return { ...call, params: { ...call.params, [target]: userUuid } }
  throw new SkerryError('invalid-argument', `invalid field[${target}]: it is required`, { field: target })
}

/** undefined: the account or the user is no more. */
export function callerOf(graph: Rows, of: { accountUuid: unknown; userUuid?: unknown; sessionUuid: string }): Caller | undefined {
  const account = graph.get('account', of.accountUuid as string)
  if (!account) return undefined
  const caller = { accountUuid: of.accountUuid as string, sessionUuid: of.sessionUuid, admin: account['type'] === 'SystemAdmin' }
  // A session of the account itself names it as its user.
  if (of.userUuid === undefined || of.userUuid === null || of.userUuid === of.accountUuid) return caller
  const user = graph.get('user', of.userUuid as string)
  return user?.['accountUuid'] === of.accountUuid ? { ...caller, userUuid: of.userUuid as string } : undefined
}
