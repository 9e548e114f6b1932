/** `/zstack/v1` as ZStack's own clients speak it: what they send, and what breaks them. */
import type { Row } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { FakeEngine, fakeHttp, SESSION, VIEWER_SESSION } from './http-fake.ts'

const Z = '/zstack/v1'
const zone = { params: { name: 'z1' } }
const text = async (response: Response) => [response.status, response.headers.get('content-type')?.split(';')[0], (await response.text()).length > 0]
const PLAIN_400 = [400, 'text/plain', true]
const job = 'e'.repeat(32)

async function pollOf(send: ReturnType<typeof fakeHttp>['send'], accepted: Response) {
  expect(accepted.status).toBe(202)
  const { location } = (await accepted.json()) as { location: string }
  const polled = await send('GET', new URL(location).pathname)
  return { status: polled.status, body: (await polled.json()) as { error: Row; inventory: Row } }
}

describe('paths and methods', () => {
  it('collapses double slashes', async () => {
    const { send, engine } = fakeHttp()
    const { uuid } = engine.add('zone')
    expect((await (await send('GET', `/zstack//v1/zones//${uuid}`)).json())).toMatchObject({ inventories: [{ uuid }] })
  })
  it('reads /l3-networks/ip-ranges as the ranges, not as a network', async () => {
    const { send, engine } = fakeHttp()
    const { uuid } = engine.add('ipRange')
    expect(await (await send('GET', `${Z}/l3-networks/ip-ranges`)).json()).toMatchObject({ inventories: [{ uuid }] })
  })
  it('answers unknown paths with 404 text and wrong methods with 405', async () => {
    const { send } = fakeHttp()
    expect(await text(await send('GET', `${Z}/nothing`))).toEqual([404, 'text/plain', true])
    const wrong = await send('DELETE', `${Z}/zones`)
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'POST, GET'])
    expect((await send('POST', `${Z}/api-jobs/${job}`)).status).toBe(405)
    expect((await send('GET', `${Z}/zones/%E0%A4%A`)).status).toBe(400)
  })
  it('takes POST where PUT is usual if the path belongs to one API', async () => {
    const { send } = fakeHttp()
    const login = { logInByAccount: { accountName: 'admin', password: 'b1' } }
    for (const method of ['PUT', 'POST']) expect((await send(method, `${Z}/accounts/login`, login)).status).toBe(200)
    expect((await send('POST', `${Z}/zones/${'a'.repeat(32)}/actions`, { updateZone: {} })).status).toBe(405)
  })
  it('chooses the API of a shared PUT path by the key of the body', async () => {
    const { send, engine } = fakeHttp()
    const { uuid } = engine.add('zone')
    await send('PUT', `${Z}/zones/${uuid}/actions`, { changeZoneState: { stateEvent: 'disable' } })
    await send('PUT', `${Z}/zones/${uuid}/actions`, { updateZone: { name: 'new' } })
    expect(engine.calls.map((call) => [call.api.api, call.params])).toEqual([['ChangeZoneState', { uuid, stateEvent: 'disable' }], ['UpdateZone', { uuid, name: 'new' }]])
    expect(await text(await send('PUT', `${Z}/zones/${uuid}/actions`, { explodeZone: {} }))).toEqual(PLAIN_400)
  })
  it('does not know what exists under /v1 only', async () => {
    const { send } = fakeHttp()
    expect((await send('GET', `${Z}/jobs`)).status).toBe(404)
    expect((await send('POST', `${Z}/agents/tokens`, {})).status).toBe(404)
  })
})

describe('bodies', () => {
  it('reads JSON whatever Content-Type says', async () => {
    const { send } = fakeHttp()
    expect((await send('POST', `${Z}/zones`, zone, { 'content-type': 'text/plain' })).status).toBe(202)
  })
  it.each(['{}', '{"params":{}}', '{"null":{}}', undefined, '{"params":null}'])('takes %s as the body of an attach call', async (body) => {
    const { send, engine } = fakeHttp()
    const [z, b] = [engine.add('zone'), engine.add('backupStorage')]
    const done = await pollOf(send, await send('POST', `${Z}/zones/${z['uuid']}/backup-storage/${b['uuid']}`, body))
    expect(done.status).toBe(200)
    expect(engine.calls[0]?.params).toEqual({ zoneUuid: z['uuid'], backupStorageUuid: b['uuid'] })
  })
  it.each([['not JSON', '{"params":'], ['a list', '[1]'], ['text', '"x"'], ['params that are no object', '{"params":[1]}'], ['depth without end', `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`]])('refuses %s with 400 text', async (_, body) => {
    const { send, engine } = fakeHttp()
    expect(await text(await send('POST', `${Z}/zones`, body))).toEqual(PLAIN_400)
    expect(engine.calls).toEqual([])
  })
  it('stops reading a body of 100 MB at its limit', async () => {
    const { app } = fakeHttp()
    let sent = 0
    const endless = new ReadableStream({ pull: (c) => void (sent >= 1600 ? c.close() : (c.enqueue(new Uint8Array(65_536).fill(32)), sent++)) })
    const response = await app.request(`http://site.test${Z}/zones`, { method: 'POST', body: endless, duplex: 'half', headers: { authorization: `OAuth ${SESSION}` } } as RequestInit)
    expect(await text(response)).toEqual([413, 'text/plain', true])
    expect(sent).toBeLessThan(40)
  })
  it('is not confused by keys of the prototype', async () => {
    const { send, engine } = fakeHttp()
    await send('POST', `${Z}/zones`, '{"params":{"name":"z","__proto__":{"isDefault":true},"constructor":1},"__proto__":{"systemTags":["x"]}}')
    expect(engine.calls[0]?.params).toEqual({ name: 'z' })
    expect(({} as Row)['isDefault']).toBeUndefined()
  })
  it('takes tags inside params or beside them, and the ones beside win', async () => {
    const { send, engine } = fakeHttp()
    await send('POST', `${Z}/zones`, { params: { name: 'z', systemTags: ['in'], userTags: ['u'], resourceUuid: 'b'.repeat(32) }, systemTags: ['top'] })
    expect(engine.calls[0]?.params).toEqual({ name: 'z', systemTags: ['top'], userTags: ['u'], resourceUuid: 'b'.repeat(32) })
  })
  it('takes null as absent, zero beside an offering, and drops what it does not know', async () => {
    const { send, engine } = fakeHttp()
    const params = { name: 'vm', description: null, imageUuid: 'a'.repeat(32), l3NetworkUuids: ['a'.repeat(32)], instanceOfferingUuid: 'a'.repeat(32), cpuNum: 0, memorySize: 0, unheardOf: 1 }
    const done = await pollOf(send, await send('POST', `${Z}/vm-instances`, { params }))
    expect(done.status).toBe(200)
    expect(engine.calls[0]?.params).toMatchObject({ cpuNum: 0, memorySize: 0 })
    expect(Object.keys(engine.calls[0]?.params ?? {})).not.toContain('unheardOf')
    expect(Object.keys(engine.calls[0]?.params ?? {})).not.toContain('description')
  })
  it('lets path variables win over the body', async () => {
    const { send, engine } = fakeHttp()
    const { uuid } = engine.add('vmInstance')
    await send('PUT', `${Z}/vm-instances/${uuid}/actions`, { startVmInstance: { uuid: 'f'.repeat(32) } })
    expect(engine.calls[0]?.params).toEqual({ uuid })
  })
  it.each(['; $(id)', 'a\nb', '<x/>', "'||1", '../..'])('fails the job for the name %j', async (name) => {
    const { send, engine } = fakeHttp()
    const failed = await pollOf(send, await send('POST', `${Z}/zones`, { params: { name } }))
    expect([failed.status, failed.body.error['code']]).toEqual([503, 'SYS.1007'])
    expect(engine.calls).toEqual([])
  })
  it('refuses a number that is none with 400 text, in body and query', async () => {
    const { send } = fakeHttp()
    expect(await text(await send('POST', `${Z}/disk-offerings`, { params: { name: 'd', diskSize: 'big' } }))).toEqual(PLAIN_400)
    expect(await text(await send('GET', `${Z}/l3-networks/ip/free?limit=many`))).toEqual(PLAIN_400)
  })
})

describe('query strings', () => {
  it('types parameters of DELETE and GET by their schema', async () => {
    const { send, engine } = fakeHttp()
    const { uuid } = engine.add('image')
    const [a, b, c] = ['a', 'b', 'c'].map((x) => x.repeat(32))
    await send('DELETE', `${Z}/images/${uuid}?deleteMode=&backupStorageUuids=${a}&backupStorageUuids.1=${c}&backupStorageUuids.0=${b}&unknown=1`)
    await send('DELETE', `${Z}/l3-networks/${uuid}/network-services?networkServices.${a}=DHCP&networkServices.${a}=DNS&networkServices.${b}.0=SNAT`)
    await send('GET', `${Z}/primary-storage/capacities?all=true&zoneUuids=${a}`)
    await send('GET', `${Z}/l3-networks/ip/free?limit=7&l3NetworkUuid=${a}`)
    expect(engine.calls.map((call) => call.params)).toEqual([
      { uuid, deleteMode: '', backupStorageUuids: [a, b, c] },
      { l3NetworkUuid: uuid, networkServices: { [a!]: ['DHCP', 'DNS'], [b!]: ['SNAT'] } },
      { all: true, zoneUuids: [a] },
      { limit: 7, l3NetworkUuid: a },
    ])
  })
  it('refuses a condition without operator with 400 text', async () => {
    const { send } = fakeHttp()
    expect(await text(await send('GET', `${Z}/zones?q=name`))).toEqual(PLAIN_400)
  })
  it('answers count=true with the total alone', async () => {
    const { send, engine } = fakeHttp()
    engine.add('zone')
    expect(await (await send('GET', `${Z}/zones?count=true`)).json()).toEqual({ total: 1, schema: {} })
    expect(await (await send('GET', `${Z}/zones?replyWithCount=true`)).json()).toMatchObject({ total: 1, inventories: [{}] })
  })
  it('answers only the fields that were asked for', async () => {
    const { send, engine } = fakeHttp()
    const { uuid } = engine.add('zone')
    for (const path of [`${Z}/zones?fields=uuid`, `${Z}/zones/${uuid}?fields=uuid`]) expect(((await (await send('GET', path)).json()) as { inventories: Row[] }).inventories).toEqual([{ uuid }])
  })
  it.each(['dryRun=true', 'at=5'])('refuses %s, so that nobody deletes by accident', async (control) => {
    const { send, engine } = fakeHttp()
    expect(await text(await send('DELETE', `${Z}/zones/${'a'.repeat(32)}?${control}`))).toEqual(PLAIN_400)
    expect(engine.calls).toEqual([])
  })
})

describe('sessions', () => {
  it('refuses a missing, unknown or unsupported Authorization with 400 text', async () => {
    const { send } = fakeHttp()
    for (const authorization of ['', 'Basic eDp5', 'ZStack id:signature', 'Bearer x']) expect(await text(await send('GET', `${Z}/zones`, undefined, { authorization }))).toEqual(PLAIN_400)
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
    expect(await (await send('GET', `${Z}/accounts/sessions/null/valid`, undefined, { authorization: '' })).json()).toEqual({ valid: true })
  })
  it('answers 429 after ten failed logins of an account within a minute, and forgets after that', async () => {
    const { send, clock } = fakeHttp()
    const login = (password: string, accountName = 'admin') => send('PUT', `${Z}/accounts/login`, { logInByAccount: { accountName, password } }, { authorization: '' })
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
      body: { error: expect.objectContaining({ code: 'HOST_ALLOCATION.1000', details: expect.any(String), location: 'place', cause: expect.objectContaining({ code: 'HOST.1003' }) }) },
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
    for (const digit of ['1', '2', '3']) await send('POST', `${Z}/zones`, zone, { authorization: 'OAuth x', 'x-job-uuid': digit.repeat(32) })
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
    expect(hooks).toEqual([{ url: 'http://127.0.0.1:9/done', jobUuid: expect.any(String), body: { error: expect.objectContaining({ code: 'ID.1001' }) } }])
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
    ['PUT /accounts/login', 200, undefined], ['DELETE /accounts/sessions/{sessionUuid}', 200, undefined], ['POST /zones', 202, job],
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
