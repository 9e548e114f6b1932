/** A synchronous call that is no query, in either dialect: authorised, limited where it is a login, answered in epoch ms. */
import { type Row, SkerryError } from '@skerry/contract'
import type { Call } from '../engine/port.ts'
import { needLoginFrom } from '../identity/access-rules.ts'
import type { Door } from './context.ts'

/** Runs the call. A login is counted by account and address first, where logins from that address are allowed at all. */
export async function callSync(door: Door, visit: { address: string }, call: Call): Promise<Row> {
  if (call.api.api === 'UnlockIdentity') return unlocked(door, call)
  if (call.api.verb !== 'login') return door.engine.call(call)
  needLoginFrom(door.engine.graph, visit.address)
  const account = JSON.stringify(whose(call))
  door.logins.attempt(account, visit.address)
  const result = await door.engine.call(call)
  door.logins.succeeded(account, visit.address)
  return result
}

/** A user of this name is let in again whatever its account is. */
async function unlocked(door: Door, call: Call): Promise<Row> {
  const result = await door.engine.call(call)
  const { resourceName, loginType } = call.params
  door.logins.unlock((text) => {
    const [account, user] = JSON.parse(text) as [string, string | null]
    return loginType === 'user' ? user === resourceName : user === null && account === resourceName
  })
  return result
}

/** Who logs in, said in the same way whichever call says it: another call gives nobody further attempts. */
function whose({ api, params }: Call): [account: unknown, user: unknown] {
  const { accountName, accountUuid, userName, username, loginType, properties } = params
  if (api.api !== 'LogIn') return [accountName ?? accountUuid ?? '', userName]
  if (loginType === 'account') return [username, undefined]
  const of = (properties ?? {}) as Row
  return [of['accountName'] ?? of['accountUuid'] ?? '', username]
}

/** Seconds until a limited caller may try again, as `Retry-After` wants them. */
export function retryAfter(error: unknown): Record<string, string> {
  if (!(error instanceof SkerryError) || error.code !== 'too-many-requests') return {}
  return { 'retry-after': String(Math.ceil(Number(error.details['retryAfterMs'] ?? 60_000) / 1000)) }
}
