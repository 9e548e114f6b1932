/** The client against the whole HTTP door over a fake engine, in process. */
import { SkerryError } from '@skerry/contract'
import { fakeHttp, SESSION } from '@skerry/controller/testing'
import { describe, expect, it } from 'vitest'
import { apiNamed, createClient, eventsOf, type Job, requestOf, UnreachableError } from '../src/index.ts'

function site(o: Parameters<typeof fakeHttp>[0] = {}) {
  const http = fakeHttp(o)
  const client = createClient({
    baseUrl: 'http://site.test:8080',
    session: SESSION,
    fetch: async (input) => http.app.fetch(input as Request),
  })
  return { ...http, client }
}
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  )

describe('a client', () => {
  it('logs in with the SHA-512 of the password and uses the session', async () => {
    const { client, engine } = site()
    const session = await client.login('admin', 'password')
    expect(session.uuid).toMatch(/^[0-9a-f]{32}$/)
    expect(engine.calls[0]?.params).toEqual({
      accountName: 'admin',
      password: expect.stringMatching(/^b109f3bb[0-9a-f]+cacbc86$/),
    })
    expect(await failure(client.query('zone'))).toMatchObject({ code: 'session-invalid' })
  })
  it('calls by name: with a job at once, with its result when it waits', async () => {
    const { client, engine } = site()
    expect(await client.call('CreateZone', { name: 'z' })).toMatchObject({
      job: { api: 'CreateZone' },
      location: expect.any(String),
    })
    expect(await client.call('CreateZone', { name: 'z' }, { wait: true })).toMatchObject({ inventory: { name: 'z' } })
    expect(await client.call('CreateZone', { name: 'z' }, { idempotencyKey: 'k', wait: true })).toBeDefined()
    expect(engine.calls[2]?.idempotencyKey).toBe('k')
    expect(await client.call('GetVersion')).toHaveProperty('version')
  })
  it('shows how a job comes on', async () => {
    const { client, engine } = site()
    engine.hold = true
    const seen: Job[] = []
    await client.call('CreateZone', { name: 'z' }, { onProgress: (job) => seen.push(job) })
    expect(seen.map((job) => [job.state, job.progress?.percent])).toEqual([
      ['processing', 50],
      ['processing', 50],
      ['done', undefined],
    ])
  })
  it('throws what the controller refused, and what a job failed with, cause and job included', async () => {
    const { client } = site()
    expect(await failure(client.call('CreateZone', { name: ';' }))).toMatchObject({
      code: 'invalid-argument',
      details: { field: 'name' },
    })
    const failed = await failure(client.call('CreateZone', { name: 'fail-no-host' }, { wait: true }))
    expect(failed).toBeInstanceOf(SkerryError)
    expect(failed).toMatchObject({
      code: 'no-host',
      details: { job: expect.any(String), step: 'place' },
      cause: { code: 'agent-absent' },
    })
    expect(await failure(client.call('NoSuchThing' as string))).toMatchObject({ code: 'invalid-argument' })
    expect(await failure(client.call('DeleteZone' as string))).toMatchObject({
      code: 'invalid-argument',
      details: { field: 'uuid' },
    })
  })
  it('plans instead of doing', async () => {
    const { client, engine } = site()
    const uuid = String(engine.add('zone')['uuid'])
    expect(await client.call('DeleteZone', { uuid }, { dryRun: true })).toMatchObject({ plan: { hash: 'plan-1' } })
    expect(await failure(client.call('DeleteZone', { uuid }, { ifPlan: 'other' }))).toMatchObject({ code: 'stale-plan' })
    expect(engine.calls).toEqual([])
  })
  it('queries by noun or table, and gets one by name', async () => {
    const { client, engine } = site()
    const row = engine.add('vmInstance', { name: 'hello' })
    for (const name of ['vm', 'vmInstance'])
      expect((await client.query(name, { q: ['name=hello'], fields: ['uuid'] })).inventories).toEqual([{ uuid: row['uuid'] }])
    expect(await client.query('vm', { count: true })).toEqual({ inventories: [], total: 1 })
    expect(await client.get('vm', 'hello')).toMatchObject({ uuid: row['uuid'] })
    expect(await failure(client.get('vm', 'nobody'))).toMatchObject({ code: 'not-found' })
  })
  it('reads events until it has had enough', async () => {
    const events = {
      async *since(last: string | undefined) {
        for (let i = 1; ; i++) yield { id: `${i}.0`, subject: `s.${last}`, data: { i } }
      },
    }
    const { client } = site({ events })
    const seen: unknown[] = []
    for await (const event of client.events({ lastEventId: '0.0' })) if (seen.push(event) === 2) break
    expect(seen).toEqual([
      { id: '1.0', subject: 's.0.0', data: { i: 1 } },
      { id: '2.0', subject: 's.0.0', data: { i: 2 } },
    ])
  })
  it('says where nobody answers', async () => {
    const client = createClient({ baseUrl: 'http://127.0.0.1:1' })
    expect(await failure(client.query('zone'))).toBeInstanceOf(UnreachableError)
  })
})

it('puts lists and maps of a DELETE into the query string', () => {
  const { api } = apiNamed('DetachNetworkServiceFromL3Network')
  expect(requestOf(api, { l3NetworkUuid: 'lan 1', networkServices: { p: ['DHCP', 'DNS'] } }, { dryRun: true })).toEqual({
    method: 'DELETE',
    path: '/v1/l3-networks/lan%201/network-services?networkServices.p=DHCP&networkServices.p=DNS&dryRun=true',
  })
})

it('reads events that come in pieces', async () => {
  const pieces = [': hi\n\nid: 1.0\neve', 'nt: a.b\ndata: {"x":', '1}\n\nid: 2.0\nevent: c\ndata: 2\n', '\n']
  const stream = new ReadableStream<Uint8Array>({
    start: (c) => {
      for (const piece of pieces) c.enqueue(new TextEncoder().encode(piece))
      c.close()
    },
  })
  const seen = []
  for await (const event of eventsOf(stream)) seen.push(event)
  expect(seen).toEqual([
    { id: '1.0', subject: 'a.b', data: { x: 1 } },
    { id: '2.0', subject: 'c', data: 2 },
  ])
})
