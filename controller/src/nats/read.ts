/** From a message to what the core of our dialect asks for: caller, parameters, controls. */
import { hash } from 'node:crypto'
import { busHeaders, type Msg } from '@skerry/bus'
import { type ApiSubject, callHeaders, canonicalJson, headers as names, type Row } from '@skerry/contract'
import type { Caller } from '../engine/port.ts'
import { callerOf } from '../http/auth.ts'
import { checkedBody } from '../http/body.ts'
import type { Asked } from '../http/conduct.ts'
import type { Door } from '../http/context.ts'
import { jobUuidFrom } from '../http/jobs.ts'
import type { Received } from '../http/params.ts'
import { Refusal } from '../http/refusal.ts'
import type { Route } from '../http/routes.ts'
import type { SubjectTable } from './routes.ts'

/** Headers that mean the same as over HTTP. */
const shared = [names.authorization, names.idempotencyKey, names.apiTimeout, 'If-Match', 'If-Plan'] as const

/** The share of a request's time-out that may be waited: the reply needs some of it, too. */
const WAIT_SHARE = 0.9

/** Throws `Refusal` for what can't be read. */
export function readCall(door: Door, table: SubjectTable, message: Msg, subject: ApiSubject): Asked {
  const given = checkedBody(message.data, door.limits.bodyDepth)
  const params = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null))
  const route = table.find(subject, params)
  const headers = headersOf(message)
  const caller = route.api.session ? callerFrom(door, headers) : undefined
  const search = searchOf(message, route.api.query ? params : {})
  return { received: receivedOf(route, subject, params), caller, headers, search, address: 'nats' }
}

/** The session in `Authorization`. A signature over method and path has no meaning here. */
export function callerFrom(door: Door, headers: Headers): Caller {
  const [scheme = '', session = ''] = (headers.get(names.authorization) ?? '').trim().split(/\s+/, 2)
  if (scheme !== 'Bearer' && scheme !== 'OAuth')
    throw new Refusal(401, `a call needs the header ${names.authorization}: Bearer <session uuid>`)
  return callerOf(door.engine, { session })
}

export function headersOf({ headers: given }: Msg): Headers {
  if (given[names.webHook] !== undefined)
    throw new Refusal(400, `${names.webHook} is for HTTP: over NATS, subscribe to skerry.v1.job.<uuid>.done`)
  const headers = new Headers()
  for (const [from, to] of [...shared.map((name) => [name, name]), [callHeaders.job, names.jobUuid]] as [string, string][])
    if (given[from] !== undefined) set(headers, to, given[from])
  // Checked here, where the caller's own name for it is known.
  if (given[callHeaders.job] !== undefined) jobUuidFrom(headers)
  return headers
}

function set(headers: Headers, name: string, value: string): void {
  try {
    headers.set(name, value)
  } catch {
    throw new Refusal(400, `the header ${name} holds what no header may hold`)
  }
}

/** Controls, and what a query asks: the words of its query string over HTTP. */
export function searchOf({ headers }: Msg, asked: Row): URLSearchParams {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(asked))
    for (const one of Array.isArray(value) ? value : [value]) {
      if (typeof one === 'object') throw new Refusal(400, `${name} must be text, a number, or a list of texts`)
      search.append(name, String(one))
    }
  for (const control of ['wait', 'dryRun', 'at'] as const) {
    const value = headers[callHeaders[control]]
    search.delete(control)
    if (value !== undefined) search.set(control, control === 'wait' ? shortened(value, headers[busHeaders.DEADLINE]) : value)
  }
  return search
}

/** No wait is longer than the caller waits for the reply. */
function shortened(wait: string, deadline: string | undefined): string {
  const left = Math.floor(Number(deadline ?? Number.NaN) * WAIT_SHARE)
  const [, amount, unit] = /^(\d{1,9})(ms|s|m)?$/.exec(wait) ?? []
  if (amount === undefined || !(left > 0)) return wait
  const ms = Number(amount) * (unit === 'ms' ? 1 : unit === 'm' ? 60_000 : 1000)
  return `${Math.min(ms, left)}ms`
}

function receivedOf(route: Route, subject: ApiSubject, params: Row): Received {
  const own = subject.resource
  const inSubject = own === undefined ? undefined : (route.names.find((name) => name === 'uuid') ?? `${route.resource.name}Uuid`)
  const variables = Object.fromEntries(
    route.names.map((name) => {
      const value = name === inSubject ? own : params[name]
      if (typeof value !== 'string' || value === '') throw new Refusal(400, `invalid field[${name}]: it is required, as text`)
      return [name, value]
    }),
  )
  const input = { ...params, ...variables }
  const text = `NATS\n${subject.noun}.${own ?? '-'}.${subject.verb}\n${canonicalJson(params)}`
  return { route, input, variables, bodyHash: route.api.query ? '' : hash('sha256', text) }
}
