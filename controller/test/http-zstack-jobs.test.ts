/** `/zstack/v1` as ZStack's own clients speak it: sessions, jobs, compression, logs. */
import type { Row } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { FakeEngine, fakeHttp, SESSION, VIEWER_SESSION } from '../src/testing/index.ts'
import { job, PLAIN_400, pollOf, text, Z, zone } from './zstack-replies.ts'

describe('sessions', () => {
  it('refuses a missing, unknown or unsupported Authorization with 400 text', async () => {
    const { send } = fakeHttp()
    for (const authorization of ['', 'Basic eDp5', 'ZStack id:signature', 'Bearer x'])
      expect(await text(await send('GET', `${Z}/zones`, undefined, { authorization }))).toEqual(PLAIN_400)
  })
  it('answers a query with a bad session with 503 and an object', async () => {
    const { send } = fakeHttp()
    const reply = await send('GET', `${Z}/zones`, undefined, { authorization: 'OAuth null' })
    expect([reply.status, ((await reply.json()) as { error: Row }).error['code']]).toEqual([503, 'ID.1001'])
  })
  it('lets only administrators change things', async () => {
    const { send, engine } = fakeHttp()
    const refused = await pollOf(send, await send('POST', `${Z}/zones`, zone, { authorization: `OAuth ${VIEWER_SESSION}` }))
    expect([refused.status, refused.body.error['code'], engine.calls]).toEqual([503, 'ID.1002', []])
  })
  it('logs out and validates sessions without Authorization', async () => {
    const { send } = fakeHttp()
    expect(await (await send('DELETE', `${Z}/accounts/sessions/null`, undefined, { authorization: '' })).json()).toEqual({})
    expect(await (await send('GET', `${Z}/accounts/sessions/null/valid`, undefined, { authorization: '' })).json()).toEqual({
      valid: true,
    })
  })
  it('answers 429 after ten failed logins of an account within a minute, and forgets after that', async () => {
    const { send, clock } = fakeHttp()
    const login = (password: string, accountName = 'admin') =>
      send('PUT', `${Z}/accounts/login`, { logInByAccount: { accountName, password } }, { authorization: '' })
    for (let i = 0; i < 10; i++) expect((await login('wrong')).status).toBe(503)
    const limited = await login('right')
    expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '60'])
    expect((await login('right', 'other')).status).toBe(200)
    clock.at += 60_001
    expect((await login('right')).status).toBe(200)
    for (let i = 0; i < 30; i++) expect((await login('right')).status).toBe(200)
  })
})

describe('jobs', () => {
  it('polls 202 {} while it runs and the result after', async () => {
    const { send, engine } = fakeHttp()
    engine.hold = true
    expect((await send('POST', `${Z}/zones`, zone, { 'x-job-uuid': job })).status).toBe(202)
    const running = await send('GET', `${Z}/api-jobs/${job}`, undefined, { authorization: '' })
    expect([running.status, await running.json()]).toEqual([202, {}])
    engine.finish(job)
    const done = await send('GET', `${Z}/api-jobs/${job}`, undefined, { authorization: '' })
    expect([done.status, await done.json()]).toMatchObject([200, { inventory: { name: 'z1' } }])
  })
  it('answers a failed job with the error, its step and its causes as objects', async () => {
    const { send } = fakeHttp()
    const failed = await pollOf(send, await send('POST', `${Z}/zones`, { params: { name: 'fail-no-host' } }))
    expect(failed).toEqual({
      status: 503,
      body: {
        error: expect.objectContaining({
          code: 'HOST_ALLOCATION.1000',
          details: expect.any(String),
          location: 'place',
          cause: expect.objectContaining({ code: 'HOST.1003' }),
        }),
      },
    })
  })
  it('tells what the engine refused by the poll', async () => {
    const { send } = fakeHttp()
    const refused = await pollOf(send, await send('POST', `${Z}/zones`, { params: { name: 'refuse-conflict' } }))
    expect([refused.status, refused.body.error['code']]).toEqual([503, 'SYS.1006'])
  })
  it('does not know jobs that never were', async () => {
    const { send } = fakeHttp()
    expect(await text(await send('GET', `${Z}/api-jobs/${'9'.repeat(32)}`))).toEqual([404, 'text/plain', true])
  })
  it('refuses a malformed X-Job-UUID everywhere and a used one where something would change', async () => {
    const { send } = fakeHttp()
    expect(await text(await send('GET', `${Z}/zones`, undefined, { 'x-job-uuid': 'short' }))).toEqual(PLAIN_400)
    for (let i = 0; i < 2; i++) expect((await send('GET', `${Z}/zones`, undefined, { 'x-job-uuid': job })).status).toBe(200)
    expect((await send('POST', `${Z}/zones`, zone, { 'x-job-uuid': job })).status).toBe(202)
    expect(await text(await send('POST', `${Z}/zones`, zone, { 'x-job-uuid': job }))).toEqual(PLAIN_400)
    const bad = { authorization: 'OAuth x', 'x-job-uuid': 'd'.repeat(32) }
    expect((await send('POST', `${Z}/zones`, zone, bad)).status).toBe(202)
    expect(await text(await send('POST', `${Z}/zones`, zone, bad))).toEqual(PLAIN_400)
  })
  it('keeps no more refused jobs than it may', async () => {
    const { send } = fakeHttp({ limits: { refusedJobs: 2 } })
    for (const digit of ['1', '2', '3'])
      await send('POST', `${Z}/zones`, zone, { authorization: 'OAuth x', 'x-job-uuid': digit.repeat(32) })
    expect((await send('GET', `${Z}/api-jobs/${'1'.repeat(32)}`)).status).toBe(404)
    expect((await send('GET', `${Z}/api-jobs/${'3'.repeat(32)}`)).status).toBe(503)
  })
  it('passes time limit and webhook on, and tells the hook of a refused call', async () => {
    const hooks: unknown[] = []
    const { send, engine } = fakeHttp({ notifyRefused: (hook) => void hooks.push(hook) })
    const headers = { 'x-api-timeout': '60', 'x-web-hook': 'http://127.0.0.1:9/done' }
    expect(await (await send('POST', `${Z}/zones`, zone, headers)).json()).toMatchObject({ apiTimeout: 60_000 })
    expect(engine.calls[0]).toMatchObject({ timeoutMs: 60_000, webHook: 'http://127.0.0.1:9/done' })
    await send('POST', `${Z}/zones`, zone, { ...headers, authorization: 'OAuth x' })
    expect(hooks).toEqual([
      {
        url: 'http://127.0.0.1:9/done',
        jobUuid: expect.any(String),
        body: { error: expect.objectContaining({ code: 'ID.1001' }) },
        again: false,
      },
    ])
    expect(await text(await send('POST', `${Z}/zones`, zone, { 'x-web-hook': 'file:///etc/passwd' }))).toEqual(PLAIN_400)
  })
  it('answers a delete with {}', async () => {
    const { send, engine } = fakeHttp()
    const { uuid } = engine.add('zone')
    const done = await pollOf(send, await send('DELETE', `${Z}/zones/${uuid}?deleteMode=`))
    expect(done).toEqual({ status: 200, body: {} })
  })
})

it('compresses answers over 1 KiB and leaves small ones as they are', async () => {
  const { send, engine } = fakeHttp()
  const gzip = { 'accept-encoding': 'gzip' }
  expect((await send('GET', `${Z}/zones`, undefined, gzip)).headers.get('content-encoding')).toBeNull()
  for (let i = 0; i < 20; i++) engine.add('zone')
  const large = await send('GET', `${Z}/zones`, undefined, gzip)
  expect(large.headers.get('content-encoding')).toBe('gzip')
  const plain = new Response(large.body!.pipeThrough(new DecompressionStream('gzip')))
  expect(((await plain.json()) as { inventories: Row[] }).inventories).toHaveLength(20)
  expect((await send('GET', `${Z}/zones`)).headers.get('content-encoding')).toBeNull()
})

it('logs routes and jobs, never sessions, passwords or tokens', async () => {
  const { send, logged } = fakeHttp()
  await send('PUT', `${Z}/accounts/login`, { logInByAccount: { accountName: 'admin', password: 'canary-password' } })
  await send('DELETE', `${Z}/accounts/sessions/${SESSION}`)
  await send('POST', `${Z}/zones`, zone, { 'x-job-uuid': job, 'x-api-canary': 'canary-header' })
  expect(logged.map(({ facts }) => [facts['route'], facts['status'], facts['job']])).toEqual([
    ['PUT /accounts/login', 200, undefined],
    ['DELETE /accounts/sessions/{sessionUuid}', 200, undefined],
    ['POST /zones', 202, job],
  ])
  expect(JSON.stringify(logged)).not.toMatch(new RegExp(`canary|${SESSION}`))
})

it('says that a defect is one, and logs it', async () => {
  const engine = new FakeEngine()
  engine.session = () => {
    throw new Error('boom')
  }
  const { send, logged } = fakeHttp({ engine })
  const reply = await send('GET', `${Z}/zones`)
  expect([reply.status, ((await reply.json()) as { error: Row }).error['code']]).toEqual([503, 'SYS.1000'])
  expect(logged.some(({ message }) => message.includes('no good reason'))).toBe(true)
})
