/** Who calls: the Authorization header, the session behind it, and whether that may use an API. */
import { type Api, SkerryError } from '@skerry/contract'
import type { Caller, Engine } from '../engine/port.ts'
import { Refusal } from './refusal.ts'

/** The session uuid in the header. Throws `Refusal` 400 for none and for schemes that aren't known. `Bearer` is for our own clients. */
export function sessionFrom(headers: Headers, schemes: readonly string[]): string {
  const header = headers.get('Authorization')
  if (header === null || header.trim() === '') throw new Refusal(400, "missing header 'Authorization'")
  const [scheme = '', value = ''] = header.trim().split(/\s+/, 2)
  if (scheme === 'ZStack')
    throw new Refusal(400, 'access keys are not supported: log in, and send Authorization: OAuth <session uuid>')
  if (!schemes.includes(scheme)) throw new Refusal(400, `unknown authorization scheme, use: ${schemes[0]} <session uuid>`)
  return value
}

/** The caller behind a session. Throws `session-invalid`. */
export function callerOf(engine: Engine, session: string): Caller {
  const caller = engine.session(session)
  if (caller === undefined) throw new SkerryError('session-invalid')
  return caller
}

/** Throws `permission-denied` where the API is for administrators and the caller is none. */
export function authorize(api: Api, caller: Caller): void {
  if (api.rights === 'admin' && !caller.admin)
    throw new SkerryError('permission-denied', `${api.api} is for administrators`, { api: api.api })
}
