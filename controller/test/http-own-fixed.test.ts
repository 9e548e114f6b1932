/** The paths of `/v1` that are no resource: events, audit, health, metrics, OpenAPI; and which of all need no session. */
import { apis, PREFIX, type Row } from '@skerry/contract'
import { describe, expect, it, vi } from 'vitest'
import { anonymousPaths, type ServedEvent } from '../src/http/index.ts'
import { fakeHttp, SESSION, VIEWER_SESSION } from '../src/testing/index.ts'
import { plainBook } from '../src/workflows/book.ts'
import { shownWorkflows } from '../src/workflows/shown.ts'

const read = async (response: Response) => ({
  status: response.status,
  type: response.headers.get('content-type')?.split(';')[0],
  body: (await response.json()) as Row & { job: Row },
})

describe('events', () => {
  const source = {
    async *since(last: string | undefined): AsyncGenerator<ServedEvent> {
      yield { id: '8.0', subject: 'skerry.v1.evt.zone.x.created', data: { after: last ?? null } }
    },
  }
  it('are served with their ids, after the one that was seen last', async () => {
    const { send } = fakeHttp({ events: source })
    const stream = await send('GET', '/v1/events', undefined, { 'last-event-id': '7.1' })
    expect(stream.headers.get('content-type')).toBe('text/event-stream')
    expect(await stream.text()).toContain('id: 8.0\nevent: skerry.v1.evt.zone.x.created\ndata: {"after":"7.1"}\n\n')
    expect((await send('GET', '/v1/events', undefined, { 'last-event-id': 'x\ny'.replace('\n', ' ') })).status).toBe(400)
    expect((await send('GET', '/v1/events', undefined, { authorization: '' })).status).toBe(401)
  })
  it('stop at their source when the reader goes', async () => {
    let stopped = false
    const endless = {
      async *since(_: string | undefined, signal: AbortSignal): AsyncGenerator<ServedEvent> {
        signal.addEventListener('abort', () => (stopped = true))
        for (let i = 0; ; i++) yield { id: `${i}.0`, subject: 's', data: {} }
      },
    }
    const { send } = fakeHttp({ events: endless })
    const reader = (await send('GET', '/v1/events')).body!.getReader()
    await reader.read()
    await reader.cancel()
    expect(stopped).toBe(true)
  })
  it('leave nothing at their source when the reader goes with more to come, or before the first', async () => {
    for (const reads of [0, 1]) {
      let [began, ended] = [0, 0]
      const endless = {
        async *since(): AsyncGenerator<ServedEvent> {
          began++
          try {
            for (let i = 0; ; i++) yield { id: `${i}.0`, subject: 's', data: {} }
          } finally {
            ended++
          }
        },
      }
      const { send } = fakeHttp({ events: endless })
      const reader = (await send('GET', '/v1/events')).body!.getReader()
      for (let n = 0; n < reads; n++) await reader.read()
      await reader.cancel()
      await vi.waitFor(() => expect(ended).toBe(began))
    }
  })
})

describe('a backup', () => {
  it('whose reader goes while a piece of it is made ends without a word, and the next one can be made', async () => {
    let pass: () => void = () => undefined
    let ended = 0
    async function* backup(): AsyncGenerator<Uint8Array> {
      try {
        await new Promise<void>((resolve) => (pass = resolve))
        yield Buffer.from('all')
      } finally {
        ended++
      }
    }
    const { send, logged } = fakeHttp({ backup })
    const gone = (await send('GET', '/v1/backup')).body!.cancel()
    pass()
    await gone
    expect(ended).toBe(1)
    const next = await send('GET', '/v1/backup')
    pass()
    expect(await next.text()).toBe('all')
    expect(logged.filter(({ message }) => message.includes('backup'))).toEqual([])
  })
})

describe('fixed paths', () => {
  it('tell health, readiness, metrics', async () => {
    let ready = false
    const { send } = fakeHttp({ ready: () => ready, metrics: async () => 'skerry_extra 1\n' })
    expect((await send('GET', '/healthz')).status).toBe(200)
    expect((await send('GET', '/readyz')).status).toBe(503)
    ready = true
    expect((await send('GET', '/readyz')).status).toBe(200)
    await send('GET', `/v1/zones/${'f'.repeat(32)}`)
    const metrics = await (await send('GET', '/metrics')).text()
    expect(metrics).toContain('skerry_http_requests_total{route="GET /zones/{uuid}",status="404"} 1')
    expect(metrics).toContain('skerry_extra 1')
  })
  it('refuse a path that is no valid percent-encoding, as all paths do', async () => {
    const { send } = fakeHttp({ workflows: () => [] })
    for (const path of ['/v1/workflows/%', '/v1/workflows/%ff', '/v1/conditions/%E0%A4%A', '/v1/%zz/history', '/v1/jobs/%']) {
      const { status, type, body } = await read(await send('GET', path))
      expect([path, status, type, body['code']]).toEqual([path, 400, 'application/problem+json', 'malformed-request'])
    }
  })
  it('serve the console page to anyone, where there is one', async () => {
    const page = async (name: string) => ({
      status: 200 as const,
      body: `file '${name}'`,
      headers: { 'content-type': 'text/html' },
    })
    const { send } = fakeHttp({ page })
    expect(await (await send('GET', '/console/', undefined, { authorization: '' })).text()).toBe("file ''")
    expect(await (await send('GET', '/console/page.js')).text()).toBe("file 'page.js'")
    expect((await send('GET', '/console')).headers.get('location')).toBe('/console/')
    expect((await send('GET', '/console/a/b')).status).toBe(404)
    expect((await fakeHttp({}).send('GET', '/console/')).status).toBe(404)
  })
  it('serve the audit to administrators', async () => {
    const found = {
      differences: [{ host: 'h', kind: 'tap', id: 't1', expected: 'absent', observed: 'present', remedy: 'delete it' }],
      checked: 3,
    }
    const { send } = fakeHttp({ audit: { hosts: async () => found } })
    expect((await read(await send('GET', '/v1/audit/hosts'))).body).toEqual(found)
    expect((await send('GET', '/v1/audit/hosts', undefined, { authorization: `Bearer ${VIEWER_SESSION}` })).status).toBe(403)
  })
  it('show workflows, as data and drawn', async () => {
    const { send } = fakeHttp({ workflows: () => shownWorkflows(plainBook.all()) })
    const { body } = await read(await send('GET', '/v1/workflows'))
    const all = body['workflows'] as unknown as Row[]
    expect(all.find(({ name }) => name === 'vm.start')).toMatchObject({ apis: ['StartVmInstance'], finishes: true })
    expect((await read(await send('GET', '/v1/workflows/vm.start'))).body['workflow']).toEqual(
      all.find(({ name }) => name === 'vm.start'),
    )
    const drawn = await send('GET', '/v1/workflows/vm.start?format=mermaid')
    expect(drawn.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    expect(await drawn.text()).toMatch(/^flowchart TD\n {2}start\(\["vm.start"\]\)/)
    expect(await read(await send('GET', '/v1/workflows/vm.strat'))).toMatchObject({
      status: 404,
      body: { detail: 'there is no such workflow; did you mean vm.start?' },
    })
    for (const wrong of ['/vm.start?format=svg', '?format=mermaid', '/vm.start?as=svg'])
      expect((await send('GET', `/v1/workflows${wrong}`)).status, wrong).toBe(400)
    expect((await send('GET', '/v1/workflows', undefined, { authorization: '' })).status).toBe(401)
  })
  it('describe every API in /openapi.json, with no dangling reference', async () => {
    const { send } = fakeHttp()
    const document = (await (await send('GET', '/openapi.json')).json()) as {
      paths: Record<string, Record<string, Row>>
      components: { schemas: Row }
    }
    for (const { api } of apis)
      expect(
        String(document.paths[PREFIX.own + api.path]?.[api.method.toLowerCase()]?.['operationId']).split('_or_'),
        api.api,
      ).toContain(api.api)
    const referenced = new Set(
      [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map((match) => match[1]!),
    )
    expect([...referenced].filter((name) => !(name in document.components.schemas))).toEqual([])
  })
})

it('needs a session everywhere but on the anonymous paths', async () => {
  const { send } = fakeHttp()
  expect([...anonymousPaths, ...apis.filter(({ api }) => !api.session).map(({ api }) => `${api.method} ${api.path}`)]).toEqual([
    '/healthz',
    '/readyz',
    '/metrics',
    '/openapi.json',
    '/asyncapi.json',
    '/zstack/v1/api-jobs/{uuid}',
    '/v1/consoles/{token}',
    '/v1/tunnels/{token}',
    '/v1/uploads/{token}',
    'POST /agents/enrol',
    'PUT /accounts/login',
    'PUT /login',
    'GET /login/procedures',
    'DELETE /accounts/sessions/{sessionUuid}',
    'GET /accounts/sessions/{sessionUuid}/valid',
    'PUT /accounts/users/login',
    'PUT /management-nodes/actions',
    'PUT /management-nodes/actions',
    'PUT /management-nodes/actions',
    'PUT /management-nodes/actions',
    'GET /management-nodes/ready',
  ])
  for (const { api } of apis.filter(({ api }) => api.session)) {
    const path = api.path.replace(/\{\w+\}/g, 'a'.repeat(32))
    expect(
      (
        await send(api.method, `/v1${path}`, api.method === 'GET' || api.method === 'DELETE' ? undefined : {}, {
          authorization: '',
        })
      ).status,
      api.api,
    ).toBe(401)
    if (!api.own)
      expect(
        (
          await send(api.method, `/zstack/v1${path}`, api.method === 'GET' || api.method === 'DELETE' ? undefined : {}, {
            authorization: '',
          })
        ).status,
        api.api,
      ).toBe(400)
  }
  expect(SESSION).toHaveLength(32)
})
