/** The NATS door beside the HTTP door: every API by both, with the same parameters, rights, answers and errors. */
import { type Bus, type GatheringBus, memoryBroker, rightsOf } from '@skerry/bus'
import { type Api, apis, type Resource, type Row, subjectParameter, subjects } from '@skerry/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Route } from '../src/http/routes.ts'
import { serveCalls } from '../src/nats/serve.ts'
import { fakeHttp, SESSION, sampleParams, VIEWER_SESSION } from '../src/testing/index.ts'

const UUID = 'a'.repeat(32)
const valueFor: Record<string, string> = { ip: '10.0.0.7', dns: '10.0.0.7' }
const TIMEOUT_MS = 5_000
const deep = JSON.parse(`${'{"a":'.repeat(40)}1${'}'.repeat(40)}`)

let http: ReturnType<typeof fakeHttp>
let cli: GatheringBus
let controller: Bus
let stop: () => Promise<void>

beforeAll(async () => {
  http = fakeHttp()
  const broker = memoryBroker()
  controller = broker.connect(rightsOf({ kind: 'controller' }))
  cli = broker.connect(rightsOf({ kind: 'operator-cli', id: 'x' }))
  stop = serveCalls(controller, http.door)
})
afterAll(async () => {
  await stop()
  await Promise.all([cli.close(), controller.close()])
})

/** The reply, or the error that it carries. */
async function ask(subject: string, data: unknown, headers: Record<string, string> = { Authorization: `Bearer ${SESSION}` }) {
  try {
    const reply = await cli.request(subject, data, { timeoutMs: TIMEOUT_MS, headers })
    return { status: Number(reply.headers['Skerry-Status']), body: reply.data as Row, headers: reply.headers }
  } catch (error) {
    return { error: (error as { code: string }).code, message: (error as Error).message }
  }
}

async function over(method: string, path: string, body: unknown, session = SESSION) {
  const response = await http.send(method, path, body, { authorization: `Bearer ${session}` })
  return { status: response.status, body: (await response.json()) as Row }
}

interface Case {
  name: string
  route: Route
  api: Api
  resource: Resource
  /** path variables */
  variables: Row
  params: Row
}

const cases = (): Case[] =>
  http.door.ownRoutes.routes.map((route) => ({
    name: `${route.api.api} ${route.path}`,
    ...{ route, api: route.api, resource: route.resource },
    variables: Object.fromEntries(route.names.map((name) => [name, valueFor[name] ?? UUID])),
    // all of them tell APIs apart that share a subject
    params: sampleParams(route.api, { all: route.api.method === 'PUT' }),
  }))

function natsOf({ route, api, resource, variables, params }: Case): { subject: string; data: Row } {
  const own = subjectParameter(route.path, resource)
  const data = { ...params, ...variables }
  if (own !== undefined) delete data[own]
  return { subject: subjects.api(resource.noun, own === undefined ? undefined : String(variables[own]), api.verb), data }
}

function httpOf({ route, api, variables, params }: Case): [string, string, unknown] {
  const path = `/v1${route.path.replace(/\{(\w+)\}/g, (_, name: string) => String(variables[name]))}`
  if (api.method === 'POST' || api.method === 'PUT') return [api.method, path, { [api.bodyKey ?? 'params']: params }]
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(params))
    if (Array.isArray(value)) for (const one of value) search.append(name, String(one))
    else if (typeof value === 'object' && value !== null)
      for (const [sub, one] of Object.entries(value)) search.append(`${name}.${sub}`, String(one))
    else search.append(name, String(value))
  return [api.method, `${path}?${search}`, undefined]
}

/** Job ids are counted by the engine. */
const plain = (body: Row) => JSON.parse(JSON.stringify(body).replaceAll(/"[0-9a-f]{32}"/g, '"id"')) as Row
const withoutDoors = ({ location, done, ...body }: Row) => plain(body)

describe('every API', () => {
  it('has a subject of its own, or one that it shares with APIs of other parameters', () => {
    const seen = new Map<string, Case[]>()
    for (const one of cases()) {
      const key = natsOf(one).subject
      seen.set(key, [...(seen.get(key) ?? []), one])
    }
    const shared = [...seen.values()].filter((same) => new Set(same.map(({ api }) => api)).size > 1)
    const shapes = shared.map((same) => same.map(({ api }) => Object.keys(api.params.shape).sort().join()))
    for (const of of shapes) expect(new Set(of).size, of.join(' | ')).toBe(of.length)
  })

  it('is the same call with the same answer by both doors', async () => {
    let asked = 0
    for (const one of cases()) {
      const { subject, data } = natsOf(one)
      if (one.api.query && one.route.byUuid) continue
      if (one.resource.noun === 'job' && one.api.verb === 'get') continue
      http.engine.calls.length = 0
      const direct = await over(...httpOf(one))
      const calls = http.engine.calls.splice(0)
      const reply = await ask(subject, data)
      const again = http.engine.calls.splice(0)
      expect(
        again.map(({ api }) => api.api),
        one.name,
      ).toEqual(calls.map(({ api }) => api.api))
      expect(
        again.map(({ params, caller }) => ({ params, caller })),
        one.name,
      ).toEqual(calls.map(({ params, caller }) => ({ params, caller })))
      expect('error' in reply ? reply.error : reply.status, one.name).toBe(
        direct.status >= 400 ? direct.body['code'] : direct.status,
      )
      if (!('error' in reply)) expect(withoutDoors(reply.body!), one.name).toEqual(withoutDoors(direct.body))
      asked += 1
    }
    expect(asked).toBeGreaterThan(apis.length * 0.8)
  })

  it('refuses by both doors who has no session, and who may not', async () => {
    for (const one of cases()) {
      const { subject, data } = natsOf(one)
      const [method, path, body] = httpOf(one)
      http.engine.calls.length = 0
      const anonymous = await ask(subject, data, {})
      const bare = await http.send(method, path, body, { authorization: '' })
      const denied = ((await bare.json()) as Row)['code']
      expect('error' in anonymous ? anonymous.error : undefined, one.name).toBe(bare.status >= 400 ? denied : undefined)
      if (one.api.session) expect(anonymous).toMatchObject({ error: 'session-invalid' })
      const viewer = await ask(subject, data, { Authorization: `Bearer ${VIEWER_SESSION}` })
      const same = await over(method, path, body, VIEWER_SESSION)
      expect('error' in viewer ? viewer.error : viewer.status, one.name).toBe(
        same.status >= 400 ? same.body['code'] : same.status,
      )
    }
  })
})

describe('a call', () => {
  const zone = { name: 'z1' }
  const create = subjects.api('zone', undefined, 'create')
  const auth = { Authorization: `Bearer ${SESSION}` }
  const sent = () => http.engine.calls.at(-1)!

  it('is answered with the job, where its end is told, and its id; with Skerry-Wait, with what came of it', async () => {
    http.engine.hold = true
    const accepted = await ask(create, zone)
    expect(accepted).toMatchObject({ status: 202, body: { job: { api: 'CreateZone', state: 'processing' } } })
    const { uuid } = accepted.body!['job'] as Row
    expect(accepted.headers!['Skerry-Job']).toBe(uuid)
    expect(accepted.body!['done']).toBe(`skerry.v1.job.${uuid}.done`)
    const job = await ask(subjects.api('job', String(uuid), 'get'), null, { ...auth, 'Skerry-Wait': '10s' })
    expect(job.body).toMatchObject({ job: { uuid, state: 'done', result: { inventory: { name: 'z1' } } } })
    const waited = await ask(create, zone, { ...auth, 'Skerry-Wait': '10s' })
    expect(waited).toMatchObject({ status: 201, body: { inventory: { name: 'z1', createDate: '2017-11-14T22:20:57.000Z' } } })
  })

  it('has the id that its caller chose, and its conditions reach the engine', async () => {
    const job = 'c'.repeat(32)
    await ask(create, zone, { ...auth, 'Skerry-Job': job, 'Idempotency-Key': 'k1', 'X-API-Timeout': '7' })
    expect(sent()).toMatchObject({ jobUuid: job, idempotencyKey: 'k1', timeoutMs: 7_000 })
    const one = sent().bodyHash
    await ask(create, { name: 'z1' }, auth)
    expect(sent().bodyHash).toBe(one)
    await ask(create, { name: 'z2' }, auth)
    expect(sent().bodyHash).not.toBe(one)
    const { uuid } = http.engine.add('zone')
    const update = subjects.api('zone', String(uuid), 'update')
    expect(await ask(update, zone, { ...auth, 'If-Match': '"0"' })).toMatchObject({ error: 'stale-plan' })
    expect(await ask(update, zone, { ...auth, 'If-Plan': 'other' })).toMatchObject({ error: 'stale-plan' })
    expect(await ask(update, zone, { ...auth, 'Skerry-Dry-Run': 'true' })).toMatchObject({
      body: { plan: { steps: ['check', 'place'] } },
    })
  })

  it('that fails is answered with the problem document of HTTP', async () => {
    const [raw] = await cli.gather(create, zone, { timeoutMs: TIMEOUT_MS, max: 1 })
    expect(raw).toMatchObject({
      data: { type: 'urn:skerry:error:session-invalid', status: 401, code: 'session-invalid', retry: 'never' },
      headers: { 'Skerry-Status': '401', 'Skerry-Error': 'session-invalid' },
    })
    const failed = await ask(create, { name: 'fail-no-host' }, { ...auth, 'Skerry-Wait': '5s' })
    expect(failed).toMatchObject({ error: 'no-host', message: 'asked to fail as no-host' })
    const bad = await ask(create, { name: 7 })
    expect(bad).toMatchObject({ error: 'invalid-argument', message: expect.stringContaining('invalid field[name]') })
  })

  it('takes names for uuids, and answers one resource with its version, and lists as they are asked for', async () => {
    const { uuid } = http.engine.add('zone', { name: 'north' })
    const one = await ask(subjects.api('zone', 'north', 'get'), null)
    expect(one).toMatchObject({ status: 200, body: { inventories: [{ uuid, name: 'north' }] } })
    expect(one.headers!['ETag']).toMatch(/^"\d+"$/)
    const list = await ask(subjects.api('zone', undefined, 'get'), { q: ['name=north'], fields: ['name'], replyWithCount: true })
    expect(list.body).toEqual({ inventories: [{ name: 'north' }], total: 1 })
    expect(await ask(subjects.api('zone', undefined, 'get'), { q: ['nome=north'] })).toMatchObject({ error: 'invalid-argument' })
  })

  it.each([
    ['no call of that verb', 'skerry.v1.api.zone.-.explode', {}, {}, 'not-found'],
    ['no such noun', 'skerry.v1.api.moon.-.get', {}, {}, 'not-found'],
    ['no subject of a call', 'skerry.v1.api.zone', {}, {}, 'not-found'],
    ['a resource where none belongs', `skerry.v1.api.zone.${UUID}.create`, {}, {}, 'not-found'],
    ['a list', create, [1], {}, 'malformed-request'],
    ['text', create, 'x', {}, 'malformed-request'],
    ['nested too deeply', create, deep, {}, 'malformed-request'],
    ['an id of no job', create, zone, { 'Skerry-Job': 'x' }, 'malformed-request'],
    ['a hook', create, zone, { 'X-Web-Hook': 'http://x.example/' }, 'malformed-request'],
    ['a wait of no time', create, zone, { 'Skerry-Wait': 'long' }, 'malformed-request'],
    ['a path variable that is missing', 'skerry.v1.api.account.-.logout', {}, {}, 'malformed-request'],
    ['a session that is none', create, zone, { Authorization: 'Bearer x' }, 'session-invalid'],
    ['a signature', create, zone, { Authorization: 'ZStack a:b' }, 'session-invalid'],
  ])('of %s is refused', async (_what, subject, data, headers, code) => {
    const calls = http.engine.calls.length
    expect(await ask(subject, data, { ...auth, ...headers })).toMatchObject({ error: code })
    expect(http.engine.calls.length).toBe(calls)
  })

  it('whose answer is larger than a message says so', async () => {
    for (let n = 0; n < 600; n += 1) http.engine.add('zone', { description: 'd'.repeat(2_000) })
    const zones = subjects.api('zone', undefined, 'get')
    expect(await ask(zones, { limit: 1000 })).toMatchObject({ error: 'body-too-large' })
    expect(await ask(zones, { limit: 10 })).toMatchObject({ status: 200 })
    for (let n = 0; n < 600; n += 1) http.engine.add('zone', {})
    expect(await ask(zones, { limit: 5000 })).toMatchObject({
      error: 'body-too-large',
      message: expect.stringContaining('limit'),
    })
    const { body } = await ask(zones, { limit: 5000, fields: 'name' })
    expect((body!['inventories'] as Row[]).length).toBeGreaterThan(1200)
  })
})
