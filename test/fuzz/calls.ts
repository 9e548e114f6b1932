/** Calls of the API with parameters that are sound but for what was done to them, through each of the doors. */
import { type Api, apis, callHeaders, PREFIX, type Resource, type Row, subjectParameter, subjects } from '@skerry/contract'
import { type Stop, tour } from '../harness/tour.ts'
import { sentFor, wellFormed } from '../harness/zstack-client.ts'
import type { Chance } from './chance.ts'
import { perhapsSigned } from './doors.ts'
import type { Ground } from './ground.ts'
import { mutated } from './mutate.ts'
import type { FuzzRequest, HttpRequest, NatsRequest } from './request.ts'
import { wildText, wildValue } from './wild.ts'

type Headers = [name: string, value: string][]
export type Draft =
  | Omit<HttpRequest, 'number'>
  | Omit<NatsRequest, 'number'>
  | Omit<Extract<FuzzRequest, { kind: 'bytes' }>, 'number'>

const stops = new Map<string, Stop[]>()
for (const stop of tour) stops.set(stop.api, [...(stops.get(stop.api) ?? []), stop])

/** Without a plan they would take the ground away. */
const ENDS = /^(expunge|lose|revoke|remove|rotate|delete|clean|destroy)/
const endsThings = (api: Api) => api.method === 'DELETE' || ENDS.test(api.verb)

function soundFor(api: Api, { made }: Ground, chance: Chance): Row {
  const known = stops.get(api.api)
  const params = known ? chance.pick(known).params(made) : {}
  const values = Object.values(made)
  const inPath = [...api.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => [name!, params[name!] ?? chance.pick(values)])
  return { ...params, ...Object.fromEntries(inPath) }
}

/** A uuid of nothing: what ends things has this for its target, where it is no plan. */
const NOTHING = 'dead'.repeat(8)

const inHeader = (text: string) => text.replace(/[^\t\x20-\xff]/g, '?').trim()
/** As it may stand in a header of NATS, whose values are UTF-8. */
const inNats = (text: string) => wellFormed(text).replace(/[\r\n\0]/g, '?')

export function authorization(ground: Ground, chance: Chance, scheme: string): Headers {
  const { callers } = ground
  const who = chance.weighed({ admin: 75, tenant: 10, ended: 3, forged: 4, none: 3, wild: 3, key: 2 })
  if (who === 'none') return []
  if (who === 'wild')
    return [['Authorization', inHeader(`${chance.pick([scheme, 'Basic', '', scheme.toUpperCase()])} ${wildText(chance)}`)]]
  if (who === 'key')
    return [
      ['Authorization', inHeader(`ZStack ${wildText(chance)}:${wildText(chance)}`)],
      ['Date', inHeader(wildText(chance))],
    ]
  const session =
    who === 'forged'
      ? chance.pick([NOTHING, callers.admin.slice(1), callers.admin.toUpperCase(), ground.made['vm']!])
      : callers[who]
  return [['Authorization', `${scheme} ${session}`]]
}

const JOB = 'X-Job-UUID'
const CONTROLS = [JOB, 'Idempotency-Key', 'If-Match', 'If-Plan', 'If-None-Match', 'X-API-Timeout', 'X-Web-Hook', 'X-JSON-Schema']
const OTHERS = [
  ...['Accept', 'Accept-Encoding', 'Content-Type', 'Last-Event-ID', 'Range', 'Expect', 'Cookie', 'X-Forwarded-For'],
  'Upload-Offset',
]
/** Taken in sense, some of the time. */
const SENSE = [
  ...['gzip', 'gzip;q=0', 'text/csv', 'true', '1', '60', '"1"', '*', 'http://127.0.0.1:9/hook', 'application/json'],
  ...['0.1', '99999999.1'],
]

export function oddHeaders(chance: Chance): Headers {
  if (!chance.often(0.25)) return []
  return Array.from({ length: 1 + chance.below(2) }, () => {
    const name = chance.often(0.7) ? chance.pick(CONTROLS) : chance.pick(OTHERS)
    const value = name === 'Expect' ? '100-continue' : inHeader(chance.often(0.4) ? chance.pick(SENSE) : wildText(chance))
    return [name, value] as [string, string]
  })
}

const hex = (chance: Chance) => Array.from({ length: 32 }, () => '0123456789abcdef'[chance.below(16)]).join('')

function deepBody(chance: Chance): Buffer {
  const depth = chance.pick([30, 33, 1_000, 20_000])
  const [open, close] = chance.pick([
    ['[', ']'],
    ['{"a":', '}'],
    ['{"params":', '}'],
    ['[[', ''],
  ])
  return Buffer.from(`{"params":{"name":${open!.repeat(depth)}1${close!.repeat(depth)}}}`)
}

/** What is sent in place of the sound body. */
function bodyOf(sound: string, chance: Chance): Buffer {
  const kinds = { sound: 60, cut: 2, junk: 1, deep: 1, bytes: 1, wrapped: 1, twice: 1, numbers: 1, long: 0.6, huge: 0.05 }
  const how = chance.weighed(kinds)
  const at = chance.below(sound.length + 1)
  const [head, tail] = [sound.slice(0, at), sound.slice(at)]
  if (how === 'cut') return Buffer.from(head)
  if (how === 'junk') return Buffer.from(head + wildText(chance) + tail)
  if (how === 'deep') return deepBody(chance)
  if (how === 'bytes') return Buffer.concat([Buffer.from(head), Buffer.from([0xff, 0xfe, 0x00, 0xc3, 0x28]), Buffer.from(tail)])
  if (how === 'wrapped') return Buffer.from(JSON.stringify(wildValue(chance)) ?? '')
  if (how === 'twice')
    return Buffer.from(sound.replace('{', `{"__proto__":{"admin":true},${sound.slice(1, -1)}${sound.length > 2 ? ',' : ''}`))
  if (how === 'numbers') {
    const number = chance.pick(['NaN', '1e999', '-', '01', '1'.repeat(400), '1E-9999'])
    return Buffer.from(sound.replace(/:\s*("[^"]*"|\d+)/, `:${number}`))
  }
  if (how === 'long') return Buffer.from(JSON.stringify({ params: { name: 'x'.repeat(20_000), tags: Array(3_000).fill('t') } }))
  if (how === 'huge') return Buffer.alloc(chance.pick([1_048_575, 1_048_577, 1_300_000]), '{"params":{"name":[')
  return Buffer.from(sound)
}

function queryOdds(chance: Chance, o: { own: boolean; plan: boolean }): string {
  const parts: string[] = []
  if (o.plan) parts.push('dryRun=true')
  else if (o.own) parts.push('wait=20s')
  if (chance.often(0.05)) {
    const name = chance.pick(['dryRun', 'wait', 'at', 'limit', 'q', 'fields', '__proto__', wildText(chance)])
    if (name !== 'dryRun')
      parts.push(`${encodeURIComponent(wellFormed(name))}=${encodeURIComponent(wellFormed(wildText(chance)))}`)
  }
  return parts.join('&')
}

/** One call, through one door. */
export function call(ground: Ground, chance: Chance): Draft {
  const { api, resource } = chance.pick(apis)
  let params = soundFor(api, ground, chance)
  const others = Object.values(ground.made)
  for (let n = chance.pick([0, 1, 1, 1, 1, 2, 3]); n > 0; n--) params = mutated(api, params, chance, others)
  const door = chance.weighed({ zstack: api.own ? 2 : 40, own: 40, nats: 20 })
  const plan = endsThings(api)
  // Only where it is a plan may it name what is there.
  if (plan && door === 'zstack') params = blunted(api, params)
  if (door === 'nats') return natsCall({ api, resource, params, plan }, ground, chance)
  return httpCall({ api, params, plan, own: door === 'own' }, ground, chance)
}

const blunted = (api: Api, params: Row): Row => ({
  ...params,
  ...Object.fromEntries([...api.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => [name!, NOTHING])),
  // `uuids`, `ruleUuids`: in a body or a query too
  ...Object.fromEntries(Object.keys(params).flatMap((name) => (/uuids$/i.test(name) ? [[name, [NOTHING]]] : []))),
})

interface Wanted {
  api: Api
  params: Row
  /** what would be ended, only shown */
  plan: boolean
}

const asText = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))

/** What a query string and a path can hold. */
function inQuery(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 200).map(asText)
  if (typeof value !== 'object' || value === null) return asText(value)
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, asText(inner)]))
}

function writable(api: Api, params: Row): Row {
  const inBody = api.method === 'POST' || api.method === 'PUT'
  return Object.fromEntries(
    Object.entries(params).map(([name, value]) => {
      if (api.path.includes(`{${name}}`) || (api.query && name === 'uuid')) return [name, asText(value)]
      return [inBody ? name : wellFormed(name), inBody ? value : inQuery(value)]
    }),
  )
}

function httpCall({ api, params, plan, own }: Wanted & { own: boolean }, ground: Ground, chance: Chance): Draft {
  const sent = sentFor(api, writable(api, params))
  const odds = queryOdds(chance, { own, plan: own && plan })
  const search = odds === '' ? '' : (sent.path.includes('?') ? '&' : '?') + odds
  const path = (own ? PREFIX.own : PREFIX.zstack) + sent.path + search
  const scheme = own ? chance.pick(['Bearer', 'OAuth']) : 'OAuth'
  const headers: Headers = [...authorization(ground, chance, scheme), ...oddHeaders(chance)]
  if (chance.often(0.5)) headers.push([JOB, hex(chance)])
  const others = ['GET', 'PUT', 'POST', 'PATCH', 'HEAD', 'OPTIONS', 'PURGE']
  const method = chance.often(0.02) && !plan ? chance.pick(others) : api.method
  const body = sent.body === undefined ? undefined : bodyOf(sent.body, chance)
  const dialect = own ? 'own' : 'zstack'
  return perhapsSigned(
    { kind: 'http', dialect, about: api.api, method, path, headers, ...(body ? { body } : {}) },
    ground,
    chance,
  )
}

/** What can stand between two dots of a subject; longer ones the server itself refuses. */
const token = (text: string) => (/^[^\s.*>\0-\x20]{1,500}$/.test(text) ? text : undefined)

function natsCall({ api, resource, params, plan }: Wanted & { resource: Resource }, ground: Ground, chance: Chance): Draft {
  const inSubject = subjectParameter(api.path, resource)
  const { [inSubject ?? '']: own, ...rest } = params
  const target = inSubject === undefined ? undefined : (token(wellFormed(asText(own))) ?? NOTHING)
  const verb = chance.often(0.02) ? (token(wildText(chance)) ?? 'x') : api.verb
  const subject = subjects.api(resource.noun, target, verb)
  const headers: Headers = authorization(ground, chance, 'Bearer').map(([name, value]) => [name, inNats(value)])
  headers.push(plan ? [callHeaders.dryRun, 'true'] : [callHeaders.wait, '20s'])
  if (chance.often(0.3)) headers.push([callHeaders.job, chance.often(0.8) ? hex(chance) : inNats(wildText(chance))])
  const others = ['If-Match', 'Idempotency-Key', 'X-Web-Hook', callHeaders.at, 'Skerry-Deadline']
  if (chance.often(0.1)) headers.push([chance.pick(others), inNats(wildText(chance))])
  const payload = bodyOf(JSON.stringify(rest), chance)
  return { kind: 'nats', about: api.api, subject: wellFormed(subject), headers, payload: payload.subarray(0, 1_000_000) }
}
