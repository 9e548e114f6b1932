/** A synchronous call that is no query, in either dialect: authorised, limited where it is a login, answered in epoch ms. */
import { type Row, SkerryError } from '@skerry/contract'
import type { Call } from '../engine/port.ts'
import type { Door, Visit } from './context.ts'

/** Runs the call. A login is counted by account and address first. */
export async function callSync(door: Door, visit: Visit, call: Call): Promise<Row> {
  if (call.api.verb !== 'login') return door.engine.call(call)
  const account = String(call.params['accountName'] ?? '')
  door.logins.attempt(account, visit.address)
  const result = await door.engine.call(call)
  door.logins.succeeded(account, visit.address)
  return result
}

/** Seconds until a limited caller may try again, as `Retry-After` wants them. */
export function retryAfter(error: unknown): Record<string, string> {
  if (!(error instanceof SkerryError) || error.code !== 'too-many-requests') return {}
  return { 'retry-after': String(Math.ceil(Number(error.details['retryAfterMs'] ?? 60_000) / 1000)) }
}
