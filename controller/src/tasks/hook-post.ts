/**
 * One POST of a webhook. By node:http instead of fetch, because the address that a name resolves to must be the one that was
 * looked at: a name that is asked for twice may answer a harmless address the first time. Redirects are not followed.
 */
import { lookup as systemLookup } from 'node:dns'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { LookupFunction } from 'node:net'
import { SkerryError } from '@skerry/contract'
import { isLinkLocal, wrongHookUrl } from './hook-address.ts'

export interface HookMessage {
  url: string
  body: string
  headers: Record<string, string>
  timeoutMs: number
}

/** Status of the answer. Throws `invalid-argument` when it may not go there, else what the socket throws. */
export type PostHook = (message: HookMessage) => Promise<number>

const refused = (what: string) => new SkerryError('invalid-argument', `a webhook ${what}`, { field: 'X-Web-Hook' })

/** Resolves as `lookup` does, but never to a link-local address. */
function guarded(lookup: LookupFunction): LookupFunction {
  return (hostname, options, callback) =>
    lookup(hostname, options, (error, address, family) => {
      const found = Array.isArray(address) ? address.map((one) => one.address) : [address]
      if (!error && found.some(isLinkLocal)) callback(refused(`must not go to ${hostname}: that is a link-local address`), '', 0)
      else callback(error, address, family)
    })
}

/** `lookup`: default that of the system. */
export function hookPost(lookup: LookupFunction = systemLookup as LookupFunction): PostHook {
  return ({ url, body, headers, timeoutMs }) =>
    new Promise((resolve, reject) => {
      const wrong = wrongHookUrl(url)
      if (wrong) return reject(refused(wrong))
      const secure = url.startsWith('https:')
      const request = (secure ? httpsRequest : httpRequest)(url, {
        method: 'POST',
        headers: { ...headers, 'Content-Length': Buffer.byteLength(body) },
        lookup: guarded(lookup),
        // A connection of its own: who is called once must not hold a socket of ours.
        agent: false,
        // Receivers in a site have certificates of their own making; ZStack's sender checks none either (zstack-core §1.5).
        ...(secure ? { rejectUnauthorized: false } : {}),
        // From the first byte to the head of the answer, name resolution included.
        signal: AbortSignal.timeout(timeoutMs),
      })
      request.on('response', (response) => {
        // The status is all: a body without end must not be waited for.
        resolve(response.statusCode ?? 0)
        response.destroy()
      })
      request.on('error', (cause) => reject(cause))
      request.end(body)
    })
}
