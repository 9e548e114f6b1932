/** `/v1`: ISO dates, problem documents, honest status codes, names, plans, waiting, conditional writes. */
import type { Row } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { fakeHttp, VIEWER_SESSION } from '../src/testing/index.ts'

const zone = { name: 'z1' }
const read = async (response: Response) => ({
  status: response.status,
  type: response.headers.get('content-type')?.split(';')[0],
  body: (await response.json()) as Row & { job: Row },
})

describe('asynchronous calls', () => {
  it('answer 202 with the job and where to find it', async () => {
    const { send, engine } = fakeHttp()
    engine.hold = true
    const { status, body } = await read(await send('POST', '/v1/zones', { params: zone }))
    expect(status).toBe(202)
    expect(body).toEqual({
      location: `/v1/jobs/${body.job['uuid']}`,
      job: {
        uuid: expect.any(String),
        api: 'CreateZone',
        state: 'processing',
        step: 'place',
        steps: ['check', 'place', 'make'],
        createDate: '2017-11-14T22:20:57.000Z',
        finishedAt: null,
        progress: {
          step: 'place',
          doneBytes: 512,
          totalBytes: 1024,
          remainingMs: 3_000,
          percent: 50,
          at: '2017-11-14T22:20:57.000Z',
        },
      },
    })
    const one = await read(await send('GET', `/v1/jobs/${body.job['uuid']}`))
    expect([one.status, one.body.job]).toEqual([200, body.job])
    const waited = await read(await send('GET', `/v1/jobs/${body.job['uuid']}?wait=10s`))
    expect(waited.body.job).toMatchObject({
      state: 'done',
      result: { inventory: { name: 'z1', createDate: '2017-11-14T22:20:57.000Z' } },
    })
  })
  it('take the body with and without its wrapper', async () => {
    const { send, engine } = fakeHttp()
    await send('POST', '/v1/zones', { params: zone })
    await send('POST', '/v1/zones', { ...zone, systemTags: ['a'] })
    await send('PUT', '/v1/accounts/login', { accountName: 'admin', password: 'x' }, { authorization: '' })
    expect(engine.calls.map((call) => call.params)).toEqual([
      zone,
      { ...zone, systemTags: ['a'] },
      { accountName: 'admin', password: 'x' },
    ])
  })
  it('with wait= answer 201 for what was made, 200 for the rest, and the problem of what failed', async () => {
    const { send, engine } = fakeHttp()
    const { uuid } = engine.add('zone')
    expect(await read(await send('POST', '/v1/zones?wait=30s', zone))).toMatchObject({
      status: 201,
      body: { inventory: { name: 'z1' } },
    })
    expect(await read(await send('PUT', `/v1/zones/${uuid}/actions?wait=30s`, { updateZone: {} }))).toMatchObject({ status: 200 })
    const failed = await read(await send('POST', '/v1/zones?wait=30', { name: 'fail-no-host' }))
    expect(failed).toEqual({
      status: 409,
      type: 'application/problem+json',
      body: {
        type: 'urn:skerry:error:no-host',
        title: 'No host can take this VM instance',
        status: 409,
        detail: 'asked to fail as no-host',
        code: 'no-host',
        retry: 'later',
        hint: 'The details say why each host was refused.',
        details: { step: 'place' },
        job: expect.any(String),
        cause: expect.objectContaining({ code: 'agent-absent', detail: 'no agent on host h1' }),
      },
    })
    expect((await send('POST', '/v1/zones?wait=soon', zone)).status).toBe(400)
  })
  it('with dryRun=true answer the plan, and change nothing', async () => {
    const { send, engine } = fakeHttp()
    const { uuid } = engine.add('zone')
    expect(await read(await send('DELETE', `/v1/zones/${uuid}?dryRun=true`))).toMatchObject({
      status: 200,
      body: { plan: { workflow: 'resource.delete', hash: 'plan-1' } },
    })
    expect(engine.calls).toEqual([])
  })
  it('apply a plan only while it is still the same', async () => {
    const { send, engine } = fakeHttp()
    const { uuid } = engine.add('zone')
    const remove = () => send('DELETE', `/v1/zones/${uuid}`, undefined, { 'if-plan': 'plan-1' })
    expect((await remove()).status).toBe(202)
    engine.add('zone')
    expect(await read(await remove())).toMatchObject({ status: 412, body: { code: 'stale-plan' } })
    expect(engine.calls).toHaveLength(1)
  })
  it('hand the idempotency key and a hash of the request to the engine', async () => {
    const { send, engine } = fakeHttp()
    for (const path of ['/v1/zones', '/v1/zones?wait=1s']) await send('POST', path, zone, { 'idempotency-key': 'k1' })
    await send('POST', '/v1/zones', { name: 'other' }, { 'idempotency-key': 'k1' })
    const [a, b, c] = engine.calls
    expect(a).toMatchObject({ idempotencyKey: 'k1', bodyHash: b?.bodyHash })
    expect(c?.bodyHash).not.toBe(a?.bodyHash)
  })
})

describe('failures', () => {
  it.each([
    ['no session', 'GET', '/v1/zones', undefined, { authorization: '' }, 401, 'session-invalid'],
    ['a bad session', 'POST', '/v1/zones', zone, { authorization: 'OAuth x' }, 401, 'session-invalid'],
    ['too few rights', 'POST', '/v1/zones', zone, { authorization: `Bearer ${VIEWER_SESSION}` }, 403, 'permission-denied'],
    ['an unknown path', 'GET', '/v1/nothing', undefined, {}, 404, 'not-found'],
    ['a wrong method', 'DELETE', '/v1/zones', undefined, {}, 405, 'malformed-request'],
    ['malformed JSON', 'POST', '/v1/zones', '{', {}, 400, 'malformed-request'],
    ['a wrong type', 'POST', '/v1/zones', { name: 7 }, {}, 400, 'invalid-argument'],
    [
      'a wrong CIDR',
      'POST',
      `/v1/l3-networks/${'a'.repeat(32)}/ip-ranges/by-cidr`,
      { name: 'r', networkCidr: '10.0.0.0/33' },
      {},
      400,
      'invalid-argument',
    ],
    ['an unknown uuid', 'GET', `/v1/zones/${'f'.repeat(32)}`, undefined, {}, 404, 'not-found'],
    ['an unknown name', 'DELETE', '/v1/zones/nowhere', undefined, {}, 404, 'not-found'],
    ['an unknown job', 'GET', `/v1/jobs/${'f'.repeat(32)}`, undefined, {}, 404, 'job-expired'],
    ['a write in the past', 'POST', '/v1/zones?at=7', { params: zone }, {}, 400, 'malformed-request'],
    ['an oversized body', 'POST', '/v1/zones', `{"name":"${'x'.repeat(1_100_000)}"}`, {}, 413, 'body-too-large'],
  ] as const)('%s is an honest status and a problem document', async (_, method, path, body, headers, status, code) => {
    const { send, engine } = fakeHttp()
    expect(await read(await send(method, path, body, headers))).toMatchObject({
      status,
      type: 'application/problem+json',
      body: { status, code },
    })
    expect(engine.calls).toEqual([])
  })
})

describe('names', () => {
  it('stand for uuids in paths and parameters', async () => {
    const { send, engine } = fakeHttp()
    const [z, l3, image, vm] = [
      engine.add('zone', { name: 'home' }),
      engine.add('l3Network', { name: 'lan' }),
      engine.add('image', { name: 'debian' }),
      engine.add('vmInstance', { name: 'hello' }),
    ]
    await send('POST', '/v1/clusters', { name: 'c', zoneUuid: 'home', hypervisorType: 'KVM' })
    await send('POST', '/v1/vm-instances', {
      name: 'v',
      imageUuid: 'debian',
      l3NetworkUuids: ['lan'],
      defaultL3NetworkUuid: 'lan',
    })
    await send('PUT', '/v1/vm-instances/hello/actions', { startVmInstance: {} })
    await send('PUT', '/v1/images/debian/actions', { expungeImage: {} })
    expect(engine.calls.map((call) => call.params)).toMatchObject([
      { zoneUuid: z['uuid'] },
      { imageUuid: image['uuid'], l3NetworkUuids: [l3['uuid']], defaultL3NetworkUuid: l3['uuid'] },
      { uuid: vm['uuid'] },
      { imageUuid: image['uuid'] },
    ])
    expect((await read(await send('GET', '/v1/zones/home'))).body).toMatchObject({ inventories: [{ uuid: z['uuid'] }] })
  })
  it('that several resources have are refused with the candidates', async () => {
    const { send, engine } = fakeHttp()
    const twins = [engine.add('zone', { name: 'twin' }), engine.add('zone', { name: 'twin' })]
    const { status, body } = await read(await send('DELETE', '/v1/zones/twin'))
    expect([status, body['code'], ((body['details'] as Row)['candidates'] as Row[]).map((c) => c['uuid'])]).toEqual([
      409,
      'ambiguous-name',
      twins.map((z) => z['uuid']),
    ])
  })
})

describe('conditional requests', () => {
  it('carry the row version as ETag, and refuse a write to another version', async () => {
    const { send, engine } = fakeHttp()
    const { uuid } = engine.add('zone')
    const tag = (await send('GET', `/v1/zones/${uuid}`)).headers.get('etag')
    expect(tag).toBe('"1"')
    expect((await send('GET', `/v1/zones/${uuid}`, undefined, { 'if-none-match': tag! })).status).toBe(304)
    const write = (ifMatch: string) => send('PUT', `/v1/zones/${uuid}/actions`, { updateZone: {} }, { 'if-match': ifMatch })
    expect((await write('"0"')).status).toBe(412)
    expect((await write(tag!)).status).toBe(202)
    expect((await write('*')).status).toBe(202)
    expect(engine.calls).toHaveLength(2)
  })
})
