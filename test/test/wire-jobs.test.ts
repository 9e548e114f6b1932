/** ZStack's dialect on the real engine: sessions, jobs, errors and webhooks, as its clients meet them. */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Row } from '@skerry/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { apiNamed, newUuid, sentFor, ZStackClient } from '../harness/zstack-client.ts'

const TWO_HOURS_MS = 7_200_000
let site: SmallSite
let client: ZStackClient
beforeAll(async () => {
  site = await startSmallSite()
  client = site.client
})
afterAll(async () => {
  await site.stop()
  expect(site.errors).toEqual([])
})

const zone = (name = 'zone') => sentFor(apiNamed('CreateZone'), { name })
const zones = async () => ((await client.call('QueryZone'))['inventories'] as Row[]).length
const error = (body: Row | undefined) => body?.['error'] as Row
const isText = (type: string) => type.startsWith('text/plain')

async function freshSession(): Promise<ZStackClient> {
  const other = new ZStackClient(site.url)
  await other.login()
  return other
}

describe('a session', () => {
  test('is not needed to ask for the version, and a path may hold two slashes', async () => {
    const answer = await client.send({ method: 'PUT', path: '//management-nodes//actions', body: '{"getVersion":{}}' }, {})
    expect([answer.status, answer.body]).toEqual([200, { version: '5.2.0', skerry: expect.any(String) }])
    expect((await client.send({ method: 'GET', path: '/zones//' })).body).toMatchObject({ inventories: [] })
  })

  test('can be had by POST as well, is valid until it is logged out, and logging out twice is no error', async () => {
    const login = sentFor(apiNamed('LogInByAccount'), { accountName: 'admin', password: 'wrong' })
    expect((await client.send({ ...login, method: 'POST' }, {})).status).toBe(503)
    const other = await freshSession()
    const uuid = other.session!
    expect(await client.call('ValidateSession', { sessionUuid: uuid })).toMatchObject({ valid: true })
    for (let i = 0; i < 2; i++)
      expect((await client.send({ method: 'DELETE', path: `/accounts/sessions/${uuid}` }, {})).text).toBe('{}')
    expect(await client.call('ValidateSession', { sessionUuid: uuid })).toMatchObject({ valid: false })
  })

  test.each([
    ['is logged out', async (other: ZStackClient) => void (await other.call('LogOut', { sessionUuid: other.session }))],
    ['has expired', async () => site.advance(TWO_HOURS_MS + 1)],
    ['never was', async (other: ZStackClient) => void (other.session = newUuid())],
    ['is no uuid', async (other: ZStackClient) => void (other.session = 'null')],
  ])('that %s fails a query at once, and a call when it is polled', async (_, spoil) => {
    const other = await freshSession()
    await spoil(other)
    const query = await other.send(sentFor(apiNamed('QueryZone'), {}))
    expect([query.status, error(query.body)['code'], query.body]).toMatchObject([
      503,
      'ID.1001',
      { error: { description: expect.any(String), details: expect.any(String) } },
    ])
    const { first, last } = await other.exchange('CreateZone', { name: 'zone' })
    expect([first.status, last.status, error(last.body)['code']]).toEqual([202, 503, 'ID.1001'])
    await client.login()
    expect(await zones()).toBe(0)
  })

  test('that is missing, or of a scheme that nobody knows, is refused with text', async () => {
    for (const headers of [{}, { Authorization: '' }, { Authorization: 'Digest x' }, { Authorization: 'ZStack a:b' }] as Record<
      string,
      string
    >[]) {
      const answer = await client.send(zone(), headers)
      expect([answer.status, isText(answer.type)]).toEqual([400, true])
    }
  })
})

describe('a job', () => {
  test('has the id that the client chose; the same id again is refused with text, before and after its end', async () => {
    const jobUuid = newUuid()
    const sent = zone('once')
    const [one, other] = await Promise.all([
      client.send(sent, client.headers(jobUuid)),
      client.send(sent, client.headers(jobUuid)),
    ])
    expect((await client.poll(jobUuid)).status).toBe(200)
    const third = await client.send(sent, client.headers(jobUuid))
    expect([one.status, other.status].sort()).toEqual([202, 400])
    expect([third.status, isText(third.type)]).toEqual([400, true])
    expect(await zones()).toBe(1)
    expect((await client.send(sentFor(apiNamed('QueryZone'), {}), client.headers(jobUuid))).status).toBe(200)
  })

  test.each(['', 'x', newUuid().slice(1), `${newUuid()}0`, '../../../etc/passwd'])('id %j is refused with text', async (id) => {
    const answer = await client.send(zone(), client.headers(id))
    expect([answer.status, isText(answer.type)]).toEqual([400, true])
  })

  test('is polled without a good session, and by GET only; an unknown one is 404 with text', async () => {
    const { jobUuid } = await client.exchange('CreateZone', { name: 'polled' })
    const poll = { method: 'GET', path: `/api-jobs/${jobUuid}` }
    for (const headers of [{}, { Authorization: 'OAuth null' }] as Record<string, string>[])
      expect((await client.send(poll, headers)).status).toBe(200)
    expect((await client.send({ ...poll, method: 'DELETE' }, {})).status).toBe(405)
    const unknown = await client.send({ method: 'GET', path: `/api-jobs/${newUuid()}` }, {})
    expect([unknown.status, isText(unknown.type), unknown.text]).toEqual([404, true, 'the job has been expired'])
  })

  test('gives its schema only to a poll that asks for it', async () => {
    const { jobUuid } = await client.exchange('CreateZone', { name: 'plain' })
    const plain = await client.send({ method: 'GET', path: `/api-jobs/${jobUuid}` }, {})
    expect(Object.keys(plain.body!)).toEqual(['inventory'])
  })

  test('that fails says so with an object: code, description, details', async () => {
    const { first, last } = await client.exchange('DeleteZone', { uuid: newUuid() })
    expect([first.status, last.status]).toEqual([202, 503])
    expect(error(last.body)).toMatchObject({
      code: 'SYS.1003',
      description: expect.any(String),
      details: expect.stringContaining('zone'),
    })
  })

  test('takes the time that the client allows it', async () => {
    const answer = await client.send(zone(), { ...client.headers(newUuid()), 'X-API-Timeout': '7' })
    expect(answer.body?.['apiTimeout']).toBe(7_000)
  })
})

describe('what never reaches an API', () => {
  test.each([
    ['an unknown path', { method: 'GET', path: '/zonen' }, 404],
    ['a method that the path has not', { method: 'DELETE', path: '/zones' }, 405],
    [
      'a body without an action of the path',
      { method: 'PUT', path: `/zones/${newUuid()}/actions`, body: '{"startVmInstance":{}}' },
      400,
    ],
    ['a body that is no JSON', { method: 'POST', path: '/zones', body: '{"params":' }, 400],
    ['a body that is no object', { method: 'POST', path: '/zones', body: '[1]' }, 400],
    [
      'text where a number is due',
      sentFor(apiNamed('CreateInstanceOffering'), { name: 'x', cpuNum: 'many', memorySize: 1 }),
      400,
    ],
    ['a condition without an operator', { method: 'GET', path: '/zones?q=name' }, 400],
    ['percent signs that mean nothing', { method: 'GET', path: '/zones/%zz' }, 400],
  ])('%s is refused with text', async (_, sent, status) => {
    const answer = await client.send(sent)
    expect([answer.status, isText(answer.type)]).toEqual([status, true])
    expect(answer.text).not.toMatch(/\bat .*\.ts|node_modules/)
  })

  test('an uuid where a word of the path stands is not mistaken for it', async () => {
    expect((await client.send({ method: 'GET', path: '/l3-networks/ip-ranges' })).body).toEqual({ inventories: [], schema: {} })
    expect((await client.send({ method: 'GET', path: `/l3-networks/${newUuid()}` })).body).toEqual({
      inventories: [],
      schema: {},
    })
  })
})

interface Heard {
  headers: IncomingHttpHeaders
  body: string
  at: number
}

/** Somebody who is called back; `answers` are the status codes of its first answers, then 200. */
async function callee(
  answers: number[] = [],
): Promise<{ url: string; heard: Heard[]; server: Server; until(count: number): Promise<void> }> {
  const heard: Heard[] = []
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    heard.push({ headers: request.headers, body: Buffer.concat(parts).toString(), at: performance.now() })
    response.writeHead(answers.shift() ?? 200).end()
    server.emit('heard')
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const until = async (count: number) => {
    while (heard.length < count) await once(server, 'heard')
  }
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, heard, server, until }
}

describe('a webhook', () => {
  test.each([
    ['a call that succeeds', 'CreateZone', () => ({ name: 'hooked' }), 'true'],
    ['a call that is refused', 'DeleteZone', () => ({ uuid: newUuid() }), 'false'],
  ])('of %s gets what a poll would get, after the 202', async (_, api, params, success) => {
    const { url, heard, server, until } = await callee()
    const jobUuid = newUuid()
    const accepted = await client.send(sentFor(apiNamed(api), params()), { ...client.headers(jobUuid), 'X-Web-Hook': url })
    const acceptedAt = performance.now()
    expect(accepted.status).toBe(202)
    await until(1)
    const polled = await client.poll(jobUuid)
    expect(heard[0]!.body).toBe(polled.text)
    expect(heard[0]!.headers).toMatchObject({
      'content-type': 'application/json',
      'x-job-uuid': jobUuid,
      'x-job-success': success,
    })
    // Both ends are this process: the client's promise may run a moment after the server's, never a whole turn of the network.
    expect(heard[0]!.at).toBeGreaterThan(acceptedAt - 20)
    server.close()
  })

  test('that fails is called again until it says yes, then never more', async () => {
    const { url, heard, server, until } = await callee([500])
    await client.send(zone('again'), { ...client.headers(newUuid()), 'X-Web-Hook': url })
    await until(2)
    expect(heard[1]!.body).toBe(heard[0]!.body)
    expect(heard[1]!.at - heard[0]!.at).toBeGreaterThan(1_900)
    await expect.poll(() => site.controller.state.graph.count('hook')).toBe(0)
    expect(heard).toHaveLength(2)
    server.close()
  })

  test.each(['ftp://x/', 'http:', '/hook', 'javascript:alert(1)'])('at %j is refused with text', async (url) => {
    expect((await client.send(zone(), { ...client.headers(newUuid()), 'X-Web-Hook': url })).status).toBe(400)
  })
})
