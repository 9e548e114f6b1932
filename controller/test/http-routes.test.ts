/** The checker over every route (issue 2, item 6): 202 exactly, date form, schema paths and classes, errors as objects. */
import { existsSync, readFileSync } from 'node:fs'
import { type Api, apis, memberClasses, type Resource, type Row, resourceOf } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { kindOf, shapeOfInventory } from '../src/inventory/index.ts'
import { fakeHttp, sampleParams, sampleRow, T0 } from '../src/testing/index.ts'
import { besides } from './java-classes.ts'

const DATE = /^(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{1,2}, \d{4} \d{1,2}:\d{2}:\d{2} (AM|PM)$/
const reference = new URL('../../../shared/reference/zstack-classes.json', import.meta.url)
const classes: Record<string, string> | undefined = existsSync(reference)
  ? JSON.parse(readFileSync(reference, 'utf8')).classes
  : undefined
if (classes === undefined)
  process.stderr.write('SKIPPED: zstack-classes.json is not here, classes are compared with the contract only\n')

const scope = apis.filter(({ api }) => !api.own)
const UUID = 'a'.repeat(32)
const valueFor: Record<string, string> = { ip: '10.0.0.7', dns: '10.0.0.7' }
const fill = (path: string) => path.replace(/\{(\w+)\}/g, (_, name: string) => valueFor[name] ?? UUID)

/** The request that a ZStack client makes for the API, with sample parameters. */
function requestFor(api: Api, params: Row): { path: string; body?: unknown } {
  if (api.method === 'POST' || api.method === 'PUT')
    return { path: `/zstack/v1${fill(api.path)}`, body: { [api.bodyKey!]: params } }
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(params)) {
    if (Array.isArray(value)) for (const one of value) search.append(name, String(one))
    else if (typeof value === 'object' && value !== null)
      for (const [sub, one] of Object.entries(value)) search.append(`${name}.${sub}`, String(one))
    else search.append(name, String(value))
  }
  return { path: `/zstack/v1${fill(api.path)}?${search}` }
}

/** Value at `inventories[0].vmNics[1]`. */
const at = (body: unknown, path: string): unknown =>
  path
    .split(/[.[\]]+/)
    .filter(Boolean)
    .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], body)

function checkInventory(resource: Resource, inventory: Row): void {
  const { times, inlined } = shapeOfInventory(resource)
  for (const [field, value] of Object.entries(inventory)) {
    expect(value, field).not.toBeNull()
    if (times.has(field)) expect(value, field).toMatch(DATE)
    expect(resource.hidden ?? [], 'hidden fields stay inside').not.toContain(field)
  }
  for (const { list, child } of inlined) for (const row of inventory[list] as Row[]) checkInventory(child, row)
}

function checkSchema(body: Row): void {
  for (const [path, java] of Object.entries(body['schema'] as Record<string, string>)) {
    expect(at(body, path), path).toBeTypeOf('object')
    expect(at(body, path), path).not.toBeNull()
    if (classes) expect([...Object.values(classes), ...Object.values(besides), ...memberClasses], path).toContain(java)
  }
}

function checkBody(api: Api, body: Row): void {
  if (api.result.kind === 'empty') return void expect(body).toEqual({})
  checkSchema(body)
  if (api.result.kind !== 'inventory' && api.result.kind !== 'inventories') return
  const resource = resourceOf(api.result.of)!
  const found = (api.result.kind === 'inventory' ? [body['inventory']] : body['inventories']) as Row[]
  for (const inventory of found) checkInventory(resource, inventory)
  const path = api.result.kind === 'inventory' ? 'inventory' : 'inventories[0]'
  if (found.length > 0) expect((body['schema'] as Row)[path]).toBe(resource.inventory?.java)
}

const schemaHeader = { 'x-json-schema': 'true' }

describe.each(scope.filter(({ api }) => !api.sync))('$api.api', ({ api }) => {
  it('answers 202 exactly, then 200 with dates and schema in ZStack form', async () => {
    const { send } = fakeHttp()
    const { path, body } = requestFor(api, sampleParams(api, { all: true }))
    const accepted = await send(api.method, path, body, { ...schemaHeader, 'x-job-uuid': 'e'.repeat(32) })
    expect(accepted.status).toBe(202)
    const reply = (await accepted.json()) as { location: string; apiTimeout: number }
    expect(reply).toEqual({
      location: `http://site.test:8080/zstack/v1/api-jobs/${'e'.repeat(32)}`,
      apiTimeout: expect.any(Number),
    })
    const polled = await send('GET', new URL(reply.location).pathname, undefined, {
      ...schemaHeader,
      authorization: 'OAuth null',
    })
    expect(polled.status).toBe(200)
    checkBody(api, (await polled.json()) as Row)
  })

  it('answers 202 to a bad session, and the poll an error object', async () => {
    const { send, engine } = fakeHttp()
    const { path, body } = requestFor(api, sampleParams(api))
    const accepted = await send(api.method, path, body, { authorization: `OAuth ${'0'.repeat(32)}` })
    expect(accepted.status).toBe(202)
    const polled = await send('GET', new URL(((await accepted.json()) as Row)['location'] as string).pathname)
    expect(polled.status).toBe(503)
    expect(await polled.json()).toMatchObject({
      error: { code: 'ID.1001', description: expect.any(String), details: expect.any(String) },
    })
    expect(engine.calls).toEqual([])
  })

  it('keeps numbers, strings and lists of its required parameters apart', async () => {
    const { send, engine } = fakeHttp()
    for (const name of Object.keys(sampleParams(api)).filter((one) => !api.path.includes(`{${one}}`))) {
      const { path, body } = requestFor(api, { ...sampleParams(api), [name]: { wrong: [] } })
      const accepted = await send(api.method, path, body)
      if (kindOf(api.params.shape[name]!) === 'number') {
        expect(accepted.status, name).toBe(400)
        expect(accepted.headers.get('content-type')).toContain('text/plain')
        continue
      }
      expect(accepted.status, name).toBe(202)
      const polled = await send('GET', new URL(((await accepted.json()) as Row)['location'] as string).pathname)
      expect([polled.status, ((await polled.json()) as { error: Row }).error['code']], name).toEqual([503, 'SYS.1007'])
    }
    expect(engine.calls).toEqual([])
  })
})

describe.each(scope.filter(({ api }) => api.sync && !api.query))('$api.api', ({ api }) => {
  it('answers 200 at once with dates and schema in ZStack form', async () => {
    const { send } = fakeHttp()
    const { path, body } = requestFor(api, sampleParams(api, { all: true }))
    const reply = await send(api.method, path, body, schemaHeader)
    expect(reply.status).toBe(200)
    checkBody(api, (await reply.json()) as Row)
  })

  it('answers a bad session with 503 and ID.1001, unless it needs none', async () => {
    const { send } = fakeHttp()
    const { path, body } = requestFor(api, sampleParams(api, { all: true }))
    const reply = await send(api.method, path, body, { authorization: `OAuth ${'0'.repeat(32)}` })
    if (!api.session) return expect(reply.status).toBe(200)
    expect(reply.status).toBe(503)
    expect(await reply.json()).toMatchObject({ error: { code: 'ID.1001' } })
  })
})

describe.each(scope.filter(({ api }) => api.query))('$api.api', ({ api, resource }) => {
  it('lists rows, one by uuid, and none, always with schema', async () => {
    const { send, engine } = fakeHttp()
    // Whose resources are is read from what is owned, and which provider serves what from the networks.
    const derived: Record<string, string> = { accountResourceRef: 'vmInstance', networkServiceL3NetworkRef: 'l3Network' }
    const row = engine.add(derived[resource.name] ?? resource.name)
    for (const path of [api.path, ...(api.also ?? []).map((p) => p.replace(/\{\w+\}/, String(row['uuid'])))]) {
      const reply = await send('GET', `/zstack/v1${path}`)
      expect(reply.status, path).toBe(200)
      const body = (await reply.json()) as Row
      expect(body['inventories']).toHaveLength(1)
      checkBody(api, body)
    }
    for (const path of api.also ?? []) {
      const reply = await send('GET', `/zstack/v1${path.replace(/\{\w+\}/, 'f'.repeat(32))}`)
      expect(await reply.json()).toEqual({ inventories: [], schema: {} })
    }
  })
})

describe('a VM with a card and disks', () => {
  it('carries its children and their classes', async () => {
    const { send, engine } = fakeHttp()
    const vm = engine.add('vmInstance')
    const nic = engine.add('vmNic', { vmInstanceUuid: vm['uuid'], deviceId: 0 })
    engine.add('usedIp', { vmNicUuid: nic['uuid'] })
    engine.add('volume', { vmInstanceUuid: vm['uuid'], deviceId: 1, name: 'data' })
    engine.add('volume', { vmInstanceUuid: vm['uuid'], deviceId: 0, name: 'root' })
    const body = (await (await send('GET', `/zstack/v1/vm-instances/${vm['uuid']}`)).json()) as {
      inventories: Row[]
      schema: Row
    }
    expect(body.schema).toEqual({
      'inventories[0]': 'org.zstack.header.vm.VmInstanceInventory',
      'inventories[0].vmNics[0]': 'org.zstack.header.vm.VmNicInventory',
      'inventories[0].vmNics[0].usedIps[0]': 'org.zstack.header.network.l3.UsedIpInventory',
      'inventories[0].allVolumes[0]': 'org.zstack.header.volume.VolumeInventory',
      'inventories[0].allVolumes[1]': 'org.zstack.header.volume.VolumeInventory',
    })
    expect((body.inventories[0]!['allVolumes'] as Row[]).map((v) => v['name'])).toEqual(['root', 'data'])
    expect((body.inventories[0]!['vmNics'] as Row[])[0]!['usedIps'] as Row[]).toHaveLength(1)
    expect(body.inventories[0]!['createDate']).toBe('Nov 14, 2017 10:20:57 PM')
    expect(T0).toBe(Date.UTC(2017, 10, 14, 22, 20, 57))
  })
})

it('sample rows fit every schema that they are made from', () => {
  for (const { resource } of apis) {
    const row = sampleRow(resource)
    for (const [field, schema] of Object.entries(resource.fields))
      expect(schema.safeParse(row[field]).success, `${resource.name}.${field}`).toBe(true)
  }
})
