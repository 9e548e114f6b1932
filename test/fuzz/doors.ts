/** Doors that want more than a session: a signature, the token of an upload, a stream that is left open, a client that goes away. */
import { PREFIX, routes } from '@skerry/contract'
import type { Key } from '../harness/signed.ts'
import { wellFormed } from '../harness/zstack-client.ts'
import type { Draft } from './calls.ts'
import type { Chance } from './chance.ts'
import type { Ground } from './ground.ts'
import type { BytesRequest, HttpRequest } from './request.ts'
import { wildText } from './wild.ts'

const enc = (text: string) => encodeURIComponent(wellFormed(text))

/** Of so many requests with a session, one is signed instead. */
const SIGNED = 0.03
const MINUTES = [0, 0, 0, 0, 0, -14, 16, -600]

/** Instead of a session, an access key; mostly rightly used. */
export function perhapsSigned<D extends Omit<HttpRequest, 'number'>>(draft: D, { key }: Ground, chance: Chance): D {
  if (!chance.often(SIGNED)) return draft
  const used: Key = chance.often(0.8)
    ? key
    : { ...key, [chance.pick(['AccessKeyID', 'AccessKeySecret'])]: wellFormed(wildText(chance)).replace(/[^\x21-\x7e]/g, '?') }
  const headers = draft.headers.filter(([name]) => name !== 'Authorization' && name !== 'Date')
  return {
    ...draft,
    headers,
    sign: { key: used, zone: chance.pick(['GMT', 'UTC', 'PRC', 'x']), minutesOff: chance.pick(MINUTES) },
  }
}

/** The pieces of an image that is being sent, or was. */
export function uploadPath({ upload }: Ground, chance: Chance): string {
  const name = chance.weighed({ known: 3, unknown: 1, odd: 1, long: 0.5 })
  if (name === 'known') return upload
  const token = { unknown: 'x'.repeat(43), odd: enc(wildText(chance)), long: 'a'.repeat(256) }[name]
  return `/uploads/${token}`
}

/** A stream of events that is closed as soon as it has begun, or a call whose client does not wait for the answer. */
export function streams({ callers }: Ground, chance: Chance): Draft {
  const until = chance.pick(['head', 'sent'] as const)
  const asked = chance.pick([
    routes.events,
    `${routes.events}?since=1`,
    `${routes.events}?noun=${chance.pick(['vm', 'job', enc(wildText(chance))])}`,
    `${routes.events}?lastEventId=${chance.pick(['1.0', '999999.0', enc(wildText(chance))])}`,
    ...(until === 'sent' ? ['/zones', '/vm-instances?q=name~=x', `${routes.history}?limit=5`, routes.backup] : []),
  ])
  const caller = chance.weighed({ admin: 8, tenant: 3, ended: 1 })
  const lines = [`GET ${PREFIX.own}${asked} HTTP/1.1`, 'Host: x', `Authorization: Bearer ${callers[caller]}`]
  const draft: Omit<BytesRequest, 'number'> = {
    kind: 'bytes',
    about: 'stream',
    bytes: Buffer.from(`${lines.join('\r\n')}\r\n\r\n`),
    until,
  }
  return draft
}
