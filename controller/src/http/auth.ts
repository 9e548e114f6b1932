/** Who calls: the Authorization header, the session or access key behind it, and whether that may use an API. */
import { SkerryError } from '@skerry/contract'
import type { Caller, Engine } from '../engine/port.ts'
import { mayLogIn } from '../identity/access-rules.ts'
import type { Door, Visit } from './context.ts'
import { httpDates } from './dates.ts'
import { Refusal } from './refusal.ts'
import type { Route } from './routes.ts'

/** A signature is checked at once; a session only when it is used, because ZStack answers 202 before it looks at it. */
export type Credential = { session: string } | { caller: Caller }

/** How far the `Date` of a signed request may be from our clock. */
const SKEW_MS = 15 * 60_000

/**
 * What the Authorization header holds. Throws `Refusal` 400 for none and for schemes that aren't known, 403 for a signature that
 * isn't good. `Bearer` is for our own clients.
 */
export async function credentialOf(door: Door, visit: Visit, schemes: readonly string[]): Promise<Credential> {
  const header = visit.request.headers.get('Authorization')
  if (header === null || header.trim() === '') throw new Refusal(400, "missing header 'Authorization'")
  const [scheme = '', value = ''] = header.trim().split(/\s+/, 2)
  if (scheme === 'ZStack') return { caller: await signedBy(door, visit, value) }
  if (!schemes.includes(scheme)) throw new Refusal(400, `unknown authorization scheme, use: ${schemes[0]} <session uuid>`)
  return { session: value }
}

/** `<id>:<base64 of HMAC-SHA1(secret, METHOD, Date and /v1/path, a line each)>`, without `/zstack` and the query (zstack-wire). */
async function signedBy(door: Door, visit: Visit, value: string): Promise<Caller> {
  const { request, path, url } = visit
  const [, keyId, signature] = /^([^:]+):([A-Za-z0-9+/]+={0,2})$/.exec(value) ?? []
  if (keyId === undefined || signature === undefined)
    throw new Refusal(400, 'Authorization must be: ZStack <access key id>:<base64 of the signature>')
  const date = request.headers.get('Date')
  const times = httpDates(date ?? '')
  if (times.length === 0) throw new Refusal(400, "a signed request needs a header 'Date' such as: Tue, 14 Nov 2017 22:20:57 GMT")
  if (times.every((at) => Math.abs(door.clock.now() - at) > SKEW_MS))
    throw new Refusal(403, 'requestTimeTooSkewed: the Date of the request is more than 15 minutes from the clock of this server')
  // Clients sign the path that they send, which may hold two slashes.
  const paths = new Set([`/v1${path}`, url.pathname.replace(/^\/+zstack(?=\/)/, '')])
  const texts = [...paths].map((one) => `${request.method}\n${date}\n${one}`)
  if (!mayLogIn(door.engine.graph, visit.address))
    throw new Refusal(403, 'an access control rule allows no access keys from this address')
  const caller = await door.engine.signed({ keyId, signature, texts })
  // ZStack's Go SDK tells a bad key from other failures by these very words.
  if (caller === undefined)
    throw new Refusal(403, 'wrong accessKey signature, or the access key id does not exist or is disabled')
  return caller
}

/** The caller behind a credential. Throws `session-invalid`. */
export function callerOf(engine: Engine, credential: Credential): Caller {
  if ('caller' in credential) return credential.caller
  const caller = engine.session(credential.session)
  if (caller === undefined) throw new SkerryError('session-invalid')
  return caller
}

/** Throws `permission-denied` where the caller may not use the API at all, whatever it names. */
export function authorize(engine: Engine, { api, resource }: Pick<Route, 'api' | 'resource'>, caller: Caller): void {
  engine.guard.authorize({ api, resource, caller })
}
