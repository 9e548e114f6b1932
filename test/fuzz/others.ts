/** Requests beside the calls: queries, programs that ask, fixed paths, logins, uploads, and bytes that are no HTTP. */
import { apis, PREFIX, routes, subjects } from '@skerry/contract'
import { sha512, wellFormed } from '../harness/zstack-client.ts'
import { authorization, type Draft, oddHeaders } from './calls.ts'
import type { Chance } from './chance.ts'
import { perhapsSigned, uploadPath } from './doors.ts'
import type { Ground } from './ground.ts'
import type { Dialect } from './request.ts'
import { nested, patternBombs, wildText, wildValue } from './wild.ts'

const enc = (text: string) => encodeURIComponent(wellFormed(text))
const queries = apis.filter(({ api }) => api.query)
const OPERATORS = ['=', '!=', '>', '<', '>=', '<=', '?=', '!?=', '~=', '!~=', ' is null', ' not null', '', '==', '~']
const FIELDS = [
  'uuid',
  'name',
  'state',
  'createDate',
  'cpuNum',
  'vmNics.ip',
  'vmNics.l3Network.name',
  '__systemTag__',
  '__userTag__',
  'zone.name',
]

/** Both dialects of a path, with a credential and odd headers. */
function asked(
  ground: Ground,
  chance: Chance,
  o: { about: string; path: string; method?: string; own?: boolean; body?: Buffer },
): Draft {
  const own = o.own ?? chance.often(0.5)
  const { about, method = 'GET', body } = o
  const headers = [...authorization(ground, chance, own ? 'Bearer' : 'OAuth'), ...oddHeaders(chance)]
  const path = (own ? PREFIX.own : PREFIX.zstack) + o.path
  const dialect = own ? 'own' : 'zstack'
  return perhapsSigned({ kind: 'http', dialect, about, method, path, headers, ...(body ? { body } : {}) }, ground, chance)
}

function condition(ground: Ground, chance: Chance): string {
  const field = chance.often(0.8)
    ? chance.pick(FIELDS)
    : chance.pick([wildText(chance), 'vmNics.'.repeat(50), 'zone.clusters.'.repeat(20)])
  const value = chance.weighed({ wild: 6, bomb: 2, made: 2 })
  const text =
    value === 'made' ? chance.pick(Object.values(ground.made)) : value === 'bomb' ? chance.pick(patternBombs) : wildText(chance)
  return field + chance.pick(OPERATORS) + text
}

export function query(ground: Ground, chance: Chance): Draft {
  const { api } = chance.pick(queries)
  const parts: string[] = []
  for (let n = chance.below(4); n > 0; n--) parts.push(`q=${enc(condition(ground, chance))}`)
  const controls = ['limit', 'start', 'count', 'replyWithCount', 'sort', 'fields', 'groupBy', 'filterName', 'explain', 'at']
  for (let n = chance.below(3); n > 0; n--) {
    const sense = ['1', '0', 'true', '-1', '99999999999', `+name`, '-createDate', 'name,uuid', 'uuid', '1.5', '2026-11-23']
    parts.push(`${chance.pick(controls)}=${enc(chance.often(0.6) ? chance.pick(sense) : wildText(chance))}`)
  }
  const byUuid = api.also?.[0] && chance.often(0.2)
  const uuid = chance.often(0.5) ? chance.pick(Object.values(ground.made)) : wildText(chance)
  const path = byUuid ? api.also![0]!.replace(/\{\w+\}/, enc(uuid)) : api.path
  return asked(ground, chance, { about: api.api, path: path + (parts.length > 0 ? `?${parts.join('&')}` : '') })
}

const ZQL = [
  "query vminstance.name,uuid where state = 'Running' and (vmNics.ip like '10.%' or name != 'x') order by name desc limit 3 offset 1",
  "query zone where uuid in (query cluster.zoneUuid where name ~ 'c') return with (total) named as 'z'; count zone; sum volume.size by type",
  "query vminstance where __systemTag__ = 'a::b' restrict by (zone.name = 'zone') group by state",
  "search 'zone' from zone limit 5",
]
const SCRIPTS = [
  'def found = query("QueryVmInstance limit=2").result\nfound.each { vm -> if (vm.uuid == "a") { put(vm.uuid, vm.list?.size() ?: "none") } else put("x", 1 + 2 * 3) }',
  'put("zones", zql("query zone").results)\nput("n", call("GetVersion"))',
  'def y = []\nfor (x in [1, 2, 3]) { y = y + [x: "t \x24{x}"] }\nput("y", y)',
]
const DEEP = ['(', '[', '{', 'not ', '!', '-', '{ x -> ', 'if (true) ', '"${', 'query zone where uuid in (']

/** A program with some of its words changed, or one that leads deep. */
function program(texts: readonly string[], chance: Chance): string {
  const text = chance.pick(texts)
  if (chance.often(0.08)) return text.slice(0, chance.below(40)) + chance.pick(DEEP).repeat(chance.pick([30, 400, 1_200]))
  const words = text.split(/(\s+|[(),.=])/)
  for (let n = chance.below(4); n > 0; n--) {
    const at = chance.below(words.length)
    if (chance.often(0.3)) words.splice(at, 1)
    else words.splice(at, chance.below(2), chance.often(0.5) ? chance.pick(words) : wildText(chance))
  }
  return words.join('')
}

/** Over NATS, where they may be long. */
function longProgram(ground: Ground, chance: Chance): Draft {
  const [noun, verb, name, texts] = chance.pick([
    ['zql', 'zql', 'zql', ZQL] as const,
    ['zql', 'batch', 'script', SCRIPTS] as const,
  ])
  const text = chance.often(0.3)
    ? chance.pick(DEEP).repeat(chance.pick([500, 6_000]))
    : `${program(texts, chance)} `.repeat(chance.pick([1, 1, 3, 40]))
  const headers = authorization(ground, chance, 'Bearer').map(([key, value]) => [key, wellFormed(value)] as [string, string])
  const payload = Buffer.from(JSON.stringify({ [name]: text.slice(0, 65_536) }))
  return { kind: 'nats', about: 'program', subject: subjects.api(noun, undefined, verb), headers, payload }
}

export function programs(ground: Ground, chance: Chance): Draft {
  if (chance.often(0.15)) return longProgram(ground, chance)
  if (chance.often(0.6)) return asked(ground, chance, { about: 'ZQLQuery', path: `/zql?zql=${enc(program(ZQL, chance))}` })
  return asked(ground, chance, { about: 'BatchQuery', path: `/batch-queries?script=${enc(program(SCRIPTS, chance))}` })
}

const hex = (chance: Chance) => chance.pick(['0'.repeat(32), 'dead'.repeat(8)])
const cursor = (chance: Chance) =>
  chance.pick(['1.0', '0.0', '999999999999999.999999', '1', '-1.0', '1.0.0', '99999999999999999999.1', '1e3.1'])

/** Paths below `/v1` that are no resource's. */
function beside(chance: Chance, { made }: Ground): string {
  const uuid = chance.often(0.5) ? chance.pick(Object.values(made)) : enc(wildText(chance))
  const odd = enc(chance.often(0.4) ? cursor(chance) : wildText(chance))
  return chance.pick([
    `/jobs/${uuid}`,
    `${routes.events}?live=false&lastEventId=${odd}`,
    `${routes.events}?live=false&since=${odd}&noun=${uuid}`,
    `${routes.events}?live=false&${odd}=${odd}`,
    `${routes.history}?resourceUuid=${uuid}&limit=${odd}`,
    `/zones/${uuid}${routes.history}?limit=5`,
    `/vm-instances/${uuid}${routes.history}`,
    `${routes.diff}?from=${odd}&limit=5`,
    `${routes.diff}?from=1&to=${odd}&noun=${odd}&limit=3`,
    `${routes.workflows}/${odd}?format=${chance.pick(['mermaid', 'json', odd])}`,
    `${routes.workflows}/${chance.pick(['%', '%ff', '%E0%A4%A', 'vm.create%00', '..%2f', '__proto__'])}`,
    `${routes.conditions}?${chance.pick(['severity', 'code', 'limit', odd])}=${odd}`,
    `/${odd}/${odd}/${odd}`,
    `/%${odd}`,
    `/zones//${uuid}`,
    `/${'a/'.repeat(200)}`,
  ])
}

const fixed = [
  routes.health,
  routes.ready,
  '/',
  '/v1',
  '/zstack/v1',
  '/zstack/v1/',
  '/console/',
  '/console/%2e%2e%2fpackage.json',
  '/favicon.ico',
]
const rare = [routes.metrics, routes.openapi, routes.asyncapi]

export function paths(ground: Ground, chance: Chance): Draft {
  const kind = chance.weighed({ beside: 12, fixed: 2, rare: 0.05, job: 3, upload: 3, token: 1, audit: 0.2, backup: 0.1 })
  if (kind === 'beside') return asked(ground, chance, { about: 'beside', own: true, path: beside(chance, ground) })
  if (kind === 'job')
    return asked(ground, chance, {
      about: 'job',
      own: false,
      path: `/api-jobs/${chance.often(0.5) ? hex(chance) : enc(wildText(chance))}`,
    })
  if (kind === 'audit')
    return asked(ground, chance, { about: kind, own: true, path: chance.pick([routes.audit, routes.status, '/jobs']) })
  if (kind === 'backup') return asked(ground, chance, { about: kind, own: true, path: routes.backup })
  if (kind === 'upload') return upload(ground, chance)
  if (kind === 'token')
    return asked(ground, chance, {
      about: kind,
      own: true,
      path: `/${chance.pick(['consoles', 'tunnels'])}/${enc(wildText(chance))}`,
    })
  const path = kind === 'rare' ? chance.pick(rare) : chance.pick(fixed)
  const dialect: Dialect = 'fixed'
  return {
    kind: 'http',
    dialect,
    about: path,
    method: chance.pick(['GET', 'GET', 'GET', 'HEAD', 'POST']),
    path,
    headers: oddHeaders(chance),
  }
}

function upload(ground: Ground, chance: Chance): Draft {
  const method = chance.pick(['HEAD', 'GET', 'PATCH', 'PUT', 'POST', 'DELETE'])
  const body = method === 'GET' || method === 'HEAD' ? undefined : Buffer.from(wildText(chance))
  const draft = asked(ground, chance, {
    about: 'upload',
    own: true,
    method,
    path: uploadPath(ground, chance),
    ...(body ? { body } : {}),
  })
  if (draft.kind !== 'http') return draft
  const odd = () =>
    chance.pick(['0', '-1', '1e9', 'bytes 0-1/2', 'bytes */*', 'bytes 5-1/9', '9'.repeat(30), 'application/offset+octet-stream'])
  for (const header of ['Upload-Offset', 'Content-Range', 'Content-Type'])
    if (chance.often(0.5)) draft.headers.push([header, odd()])
  return draft
}

const ACCOUNTS = ['admin', 'fuzzed', 'nobody', '__proto__', 'constructor', '']

export function logins(ground: Ground, chance: Chance): Draft {
  const password = chance.often(0.02)
    ? sha512('password')
    : chance.pick([sha512('x'), sha512('password').toUpperCase(), wildText(chance), wildValue(chance)])
  const accountName = chance.often(0.9) ? chance.pick(ACCOUNTS) : wildValue(chance)
  const body = Buffer.from(
    JSON.stringify({ logInByAccount: { accountName, password, clientInfo: chance.often(0.1) ? nested(12, chance) : undefined } }),
  )
  const path = chance.often(0.8)
    ? '/accounts/login'
    : `/accounts/sessions/${enc(wildText(chance))}/${chance.pick(['valid', 'renew', 'x'])}`
  return asked(ground, chance, { about: 'login', method: 'PUT', path, body })
}

/** Bytes that need be no HTTP. */
export function bytes(ground: Ground, chance: Chance): Draft {
  const auth = `Authorization: OAuth ${ground.callers.admin}`
  const line = chance.pick([
    'GET /zstack/v1/zones HTTP/1.1',
    'GET  / HTTP/9.9',
    '\0\0\0',
    'POST /v1/zones HTTP/1.1',
    wildText(chance),
    'GET /v1/zones',
    'CONNECT 127.0.0.1:9 HTTP/1.1',
  ])
  const head = chance.pick([
    [`Host: x`, auth],
    ['Host: x', `X: ${'y'.repeat(40_000)}`],
    ['Host: x', 'Transfer-Encoding: chunked', auth],
    ['Host: x', 'Transfer-Encoding: chunked', 'Content-Length: 5', auth],
    ['Host: x', 'Content-Length: -1', auth],
    ['Host: x', 'Content-Length: 99999999999', auth],
    ['Host: x', 'Content-Length: 3', 'Content-Length: 4'],
    ['Host: x', 'Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Key: x', 'Sec-WebSocket-Version: 13'],
    Array.from({ length: 2_500 }, (_, i) => `a${i}: b`),
    ['Host: \u00e9\u00e9', `A\0B: c`],
    ['Host: a b c', auth],
    ['Host: [::', auth],
    [],
  ])
  const body = chance.pick([
    '',
    '{}',
    'ffffffffffffffff\r\nx',
    '5\r\nhello\r\n0\r\n\r\n',
    'zz\r\n',
    '{"params":{"name":"x"}}',
    '0\r\n\r\nGET / HTTP/1.1\r\n\r\n',
  ])
  const close = chance.often(0.8) ? 'Connection: close\r\n' : ''
  return {
    kind: 'bytes',
    about: 'bytes',
    bytes: Buffer.from(`${line}\r\n${head.map((h) => `${h}\r\n`).join('')}${close}\r\n${body}`, 'latin1'),
  }
}
