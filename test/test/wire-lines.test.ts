/**
 * ZStack's wire, line by line (zstack-wire), as bytes on a socket. No client of ZStack can be had from the npm registry, so what
 * each of them sends is written out here: the Java SDK (okhttp: X-Job-UUID and X-JSON-Schema on everything, X-Web-Hook and
 * X-API-Timeout where it is told so), the Go SDK and CLI (X-Session-Id beside Authorization, neither of the other two), and
 * JavaScript clients (axios). Access keys, long jobs, webhooks and queries have suites of their own.
 */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Row } from '@skerry/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RawAnswer, sendRaw } from '../harness/raw-http.ts'
import { MANAGEMENT_IP, type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { newUuid, sha512 } from '../harness/zstack-client.ts'

const V1 = '/zstack/v1'
const TEXT = 'text/plain; charset=utf-8'
const DATE = /^[A-Z][a-z]{2} \d{1,2}, \d{4} \d{1,2}:\d{2}:\d{2} [AP]M$/
let site: SmallSite
const servers: Server[] = []

beforeAll(async () => {
  site = await startSmallSite()
})
afterAll(async () => {
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
  await site.stop()
  expect(site.errors).toEqual([])
})

type Client = (session: string | undefined) => string[]
const okhttp = ['Accept-Encoding: gzip', 'User-Agent: okhttp/3.10.0']
const java: Client = (session) => [
  ...(session ? [`Authorization: OAuth ${session}`] : []),
  ...[`X-Job-UUID: ${newUuid()}`, 'X-JSON-Schema: true', 'Content-Type: application/json; charset=utf-8', ...okhttp],
]
const go: Client = (session) => [
  ...(session ? [`Authorization: OAuth ${session}`, `X-Session-Id: ${session}`] : []),
  ...['User-Agent: Go-http-client/1.1', 'Content-Type: application/json', 'Accept: application/json', 'Accept-Encoding: *'],
]
const script: Client = (session) => [
  ...(session ? [`authorization: OAuth ${session}`] : []),
  ...['Accept: application/json, text/plain, */*', 'Content-Type: application/x-www-form-urlencoded', 'User-Agent: axios/0.21.1'],
]
const clients: [string, Client][] = [
  ['the Java SDK', java],
  ['the Go SDK', go],
  ['a JavaScript client', script],
]

const send = (line: string, headers: string[], body?: unknown): Promise<RawAnswer> => {
  const [method, path] = line.split(' ')
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
  return sendRaw(site.url, `${method} ${V1}${path}`, headers, text)
}
const session = () => site.client.session!
const parsed = ({ text }: RawAnswer) => JSON.parse(text) as Row
const login = { logInByAccount: { accountName: 'admin', password: sha512('password') } }

/** The first answer that is not 202 `{}`, asked for where the 202 said. */
async function polled(accepted: RawAnswer, headers: string[]): Promise<RawAnswer> {
  const { location, apiTimeout } = parsed(accepted) as { location: string; apiTimeout: number }
  expect([accepted.status, apiTimeout]).toEqual([202, expect.any(Number)])
  expect(location).toMatch(new RegExp(`^${site.url}/zstack/v1/api-jobs/[0-9a-f]{32}$`))
  for (;;) {
    const answer = await send(`GET ${location.slice(site.url.length + V1.length)}`, headers)
    if (answer.status !== 202) return answer
    expect(answer.text).toBe('{}')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

describe.each(clients)('%s', (_, client) => {
  let mine: string
  test('logs in, by PUT or POST, without Authorization', async () => {
    for (const method of ['PUT', 'POST']) {
      const answer = await send(`${method} /accounts/login`, client(undefined), login)
      expect(answer.status).toBe(200)
      const { inventory, schema } = parsed(answer) as { inventory: Row; schema?: Row }
      expect(inventory).toMatchObject({ expiredDate: expect.stringMatching(DATE), createDate: expect.stringMatching(DATE) })
      expect(schema).toEqual(client === java ? { inventory: 'org.zstack.header.identity.SessionInventory' } : undefined)
      mine = inventory['uuid'] as string
    }
  })

  test('creates, polls, reads and deletes; a delete answers {}', async () => {
    const name = `zone of ${mine.slice(0, 8)}`
    const made = await polled(await send('POST /zones', client(mine), { params: { name } }), client(mine))
    const { inventory, schema } = parsed(made) as { inventory: Row; schema?: Row }
    expect(made.headers['content-type']).toMatch(/^application\/json/)
    expect(schema).toEqual(client === java ? { inventory: 'org.zstack.header.zone.ZoneInventory' } : undefined)
    // A hand-made URL with two slashes, and a GET without a body that has a Content-Type all the same.
    const read = parsed(await send(`GET /zones//${inventory['uuid']}?unknown=1`, client(mine)))
    expect(read).toEqual({ inventories: [inventory], schema: { 'inventories[0]': 'org.zstack.header.zone.ZoneInventory' } })
    expect(JSON.stringify(read)).not.toContain('null')
    const gone = await polled(await send(`DELETE /zones/${inventory['uuid']}?deleteMode=&unknown=1`, client(mine)), client(mine))
    expect([gone.status, gone.text]).toEqual([200, '{}'])
    expect(parsed(await send(`GET /zones/${inventory['uuid']}`, client(mine)))).toEqual({ inventories: [], schema: {} })
  })

  test('asks without a session for version, readiness and whether a session is valid, and logs out', async () => {
    const nobody = client(undefined)
    const version = parsed(await send('PUT /management-nodes/actions', nobody, { getVersion: {} }))
    expect(version).toMatchObject({ version: '5.2.0' })
    expect((await send('GET /management-nodes/ready', nobody)).status).toBe(200)
    const valid = async () => parsed(await send(`GET /accounts/sessions/${mine}/valid`, nobody))['valid']
    expect(await valid()).toBe(true)
    expect((await send(`DELETE /accounts/sessions/${mine}`, nobody)).text).toBe('{}')
    expect(await valid()).toBe(false)
  })

  test('is told of a bad session at once where the call is synchronous, and by the poll where it is not', async () => {
    const bad = client(newUuid())
    const sync = await send('GET /zones', bad)
    expect([sync.status, parsed(sync)['error']]).toMatchObject([503, { code: 'ID.1001', details: expect.any(String) }])
    const failed = await polled(await send('POST /zones', bad, { params: { name: 'z' } }), ['Authorization: OAuth null'])
    expect([failed.status, parsed(failed)['error']]).toMatchObject([503, { code: 'ID.1001' }])
  })
})

describe('bodies', () => {
  const tagged = async (body: Row) => {
    const made = parsed(await polled(await send('POST /zones', go(session()), body), go(session())))
    const { uuid } = made['inventory'] as { uuid: string }
    const { inventories } = parsed(await send(`GET /user-tags?q=resourceUuid=${uuid}`, go(session()))) as { inventories: Row[] }
    await polled(await send(`DELETE /zones/${uuid}?deleteMode=Enforcing`, go(session())), go(session()))
    return { uuid, tags: inventories.map(({ tag }) => tag) }
  }

  test('hold tags and resourceUuid inside of params, as Java puts them, or on top, which wins', async () => {
    const [inside, onTop] = [newUuid(), newUuid()]
    const params = { name: 'z', userTags: ['inside'], resourceUuid: inside }
    expect(await tagged({ params })).toEqual({ uuid: inside, tags: ['inside'] })
    const both = { params, userTags: ['top'], resourceUuid: onTop, systemTags: [], tagUuids: null }
    expect(await tagged(both)).toEqual({ uuid: onTop, tags: ['top'] })
  })

  test.each(['{}', '{"params":{}}', '{"null":{}}', '', undefined])(
    'of a call that takes no parameters may be %j',
    async (body) => {
      const path = `/clusters/${newUuid()}/primary-storage/${newUuid()}`
      const answer = await polled(await send(`POST ${path}`, go(session()), body), [])
      // Understood: what is wrong is that there are none of these.
      expect([answer.status, (parsed(answer)['error'] as Row)['code']]).toEqual([503, 'SYS.1003'])
    },
  )

  test('are JSON whatever they say they are', async () => {
    for (const type of ['text/plain', 'application/octet-stream', 'multipart/form-data; boundary=x', '']) {
      const headers = [`Authorization: OAuth ${session()}`, `Content-Type: ${type}`]
      expect((await send('PUT /accounts/login', headers, login)).status, type).toBe(200)
    }
  })
})

describe('headers', () => {
  test('for asynchronous calls mean nothing on others: no id is used up, no hook is called', async () => {
    const job = newUuid()
    const all = [`X-Job-UUID: ${job}`, 'X-Web-Hook: http://169.254.1.1/', 'X-API-Timeout: 1', 'X-JSON-Schema: true']
    for (let i = 0; i < 2; i++) {
      expect((await send('GET /zones', [...all, `Authorization: OAuth ${session()}`])).status).toBe(200)
      expect((await send('PUT /accounts/login', all, login)).status).toBe(200)
    }
    expect(site.controller.state.graph.count('hook')).toBe(0)
  })

  test('name a hook at a link-local address: refused with text, and nothing is changed', async () => {
    const before = site.state()
    for (const url of ['http://169.254.169.254/latest', 'http://[fe80::1]/', 'http://0xa9fea9fe/']) {
      const headers = [`Authorization: OAuth ${session()}`, `X-Web-Hook: ${url}`]
      const answer = await send('POST /zones', headers, { params: { name: 'hooked' } })
      expect([answer.status, answer.headers['content-type']]).toEqual([400, TEXT])
      expect(answer.text).toContain('link-local')
      const own = await sendRaw(site.url, 'POST /v1/zones', headers, '{"params":{"name":"hooked"}}')
      expect([own.status, own.headers['content-type']]).toEqual([400, 'application/problem+json'])
      expect(parsed(own)).toMatchObject({ code: 'malformed-request', detail: expect.stringContaining('link-local') })
    }
    expect(site.state()).toBe(before)
  })

  test('say how long a call may take: told by the 202, and by the error when it is over', async () => {
    const store = { name: 'images', hostname: MANAGEMENT_IP, url: '/data/images', username: 'u', password: 'p' }
    const backupStorageUuids = [await site.client.uuid('AddImageStoreBackupStorage', store)]
    const silent = createServer(() => undefined)
    servers.push(silent)
    await once(silent.listen(0, '127.0.0.1'), 'listening')
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/i.qcow2`
    const limited = ['X-API-Timeout: 1', `Authorization: OAuth ${session()}`]
    const accepted = await send('POST /images', limited, { params: { name: 'late', url, backupStorageUuids } })
    expect(parsed(accepted)['apiTimeout']).toBe(1_000)
    const answer = await polled(accepted, [])
    expect([answer.status, parsed(answer)['error']]).toMatchObject([503, { code: 'SYS.1001', details: expect.any(String) }])
    expect(parsed(await send('GET /images', go(session())))['inventories']).toEqual([])
  })

  test('that name no time leave it to the API: half an hour, or three days for an image', async () => {
    const zone = await send('POST /zones', go(session()), { params: { name: 'in time' } })
    expect(parsed(zone)['apiTimeout']).toBe(1_800_000)
    await polled(zone, [])
    const image = await send('POST /images', go(session()), {
      params: { name: 'i', url: 'http://x/i.qcow2', backupStorageUuids: [newUuid()] },
    })
    expect(parsed(image)['apiTimeout']).toBe(72 * 3_600_000)
    await polled(image, [])
  })
})

describe('text', () => {
  const with_ = (...lines: string[]) => [`Authorization: OAuth ${session()}`, ...lines]
  test.each<[string, number, () => Promise<RawAnswer>]>([
    ['no Authorization', 400, () => send('GET /zones', [])],
    ['an unknown scheme', 400, () => send('GET /zones', ['Authorization: Basic YTpi'])],
    ['a body without an action of the URL', 400, () => send(`PUT /zones/${newUuid()}/actions`, with_(), { flyZone: {} })],
    ['a q without an operator', 400, () => send('GET /zones?q=name', with_())],
    ['a malformed X-Job-UUID', 400, () => send('POST /zones', with_('X-Job-UUID: 1-2-3'), { params: { name: 'z' } })],
    ['no such path', 404, () => send('GET /flying-zones', with_())],
    ['an unknown job', 404, () => send(`GET /api-jobs/${newUuid()}`, [])],
    ['another method on a job', 405, () => send(`PUT /api-jobs/${newUuid()}`, [], {})],
    ['another method on a path', 405, () => send('DELETE /zones', with_())],
  ])('answers %s with %i', async (_, status, ask) => {
    const before = site.state()
    const answer = await ask()
    expect([answer.status, answer.headers['content-type']]).toEqual([status, TEXT])
    expect(answer.text.length).toBeGreaterThan(5)
    expect(site.state()).toBe(before)
  })

  test('answers a duplicate X-Job-UUID, and a problem under /v1 where another body comes with it', async () => {
    const id = `X-Job-UUID: ${newUuid()}`
    await polled(await send('POST /zones', with_(id), { params: { name: 'once' } }), [])
    const before = site.state()
    const again = await send('POST /zones', with_(id), { params: { name: 'once' } })
    expect([again.status, again.headers['content-type']]).toEqual([400, TEXT])
    const own = await sendRaw(site.url, 'POST /v1/zones', with_(id), '{"params":{"name":"other"}}')
    expect([own.status, parsed(own)]).toMatchObject([409, { code: 'duplicate-job' }])
    expect(site.state()).toBe(before)
  })

  test('answers an unknown field with the error object, and a problem under /v1', async () => {
    const answer = await send('GET /zones?q=nmae=x', with_())
    expect([answer.status, parsed(answer)['error']]).toMatchObject([
      503,
      { code: 'SYS.1007', details: expect.stringContaining('name') },
    ])
    const own = await sendRaw(site.url, 'GET /v1/zones?q=nmae=x', with_())
    expect([own.status, own.headers['content-type'], parsed(own)['code']]).toEqual([
      ...[400, 'application/problem+json', 'invalid-argument'],
    ])
  })
})
