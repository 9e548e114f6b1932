/** Patterns of tags, with the bytes that ZStack's Go and Java clients send. */
import type { Row } from '@skerry/contract'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { newUuid, type ZStackClient } from '../harness/zstack-client.ts'

let site: SmallSite
let client: ZStackClient
let zone: string
let other: string

beforeAll(async () => {
  site = await startSmallSite()
  client = site.client
  zone = await client.uuid('CreateZone', { name: 'east' })
  other = await client.uuid('CreateZone', { name: 'west', userTags: ['own'] })
})
afterAll(async () => {
  await site.stop()
  expect(site.errors).toEqual([])
})

/** Sends this and follows the job to its end. */
async function send(method: string, path: string, body?: string): Promise<{ status: number; body: Row }> {
  const job = newUuid()
  const first = await client.send({ method, path, ...(body === undefined ? {} : { body }) }, client.headers(job))
  expect(first.status, first.text).toBe(202)
  const last = await client.poll(job)
  return { status: last.status, body: last.body! }
}
const make = async (value: string, type: string) =>
  (await send('POST', '/tags', JSON.stringify({ params: { name: 'x', value, description: '', color: '#ff0000', type } }))).body[
    'inventory'
  ] as Row
const listed = async (path: string, ...q: string[]) => {
  const search = new URLSearchParams(q.map((one): [string, string] => ['q', one]))
  const { status, body, text } = await client.send({ method: 'GET', path: `${path}?${search}` })
  expect(status, text).toBe(200)
  return body!['inventories'] as Row[]
}
const wearing = async (uuid: unknown) => (await listed('/zones', `__tagUuid__=${uuid}`)).map((row) => row['name'])
const problem = ({ status, body }: { status: number; body: Row }) => {
  expect(status).toBe(503)
  return (body['error'] as Row)['opaque'] as Row
}

test('one is made, put on what is there and on what is made, found, taken off, and goes with its tags', async () => {
  const made = await make('env', 'simple')
  expect(made).toMatchObject({
    name: 'x',
    value: 'env',
    color: '#ff0000',
    type: 'simple',
    createDate: expect.stringMatching(/M$/),
  })
  const { uuid } = made
  const put = await send('POST', `/tags/${uuid}/resources`, `{"params":{"resourceUuids":["${zone}","${other}"]}}`)
  expect(put).toMatchObject({ status: 200, body: { success: true, results: [{ success: true }, { success: true }] } })
  const [first] = put.body['results'] as { inventory: Row }[]
  const worn = { tag: 'env', resourceUuid: zone, resourceType: 'ZoneVO', type: 'User', tagPatternUuid: uuid }
  expect(first!.inventory).toMatchObject({ ...worn, createDate: expect.stringMatching(/M$/) })
  const again = await send('POST', `/tags/${uuid}/resources`, `{"params":{"resourceUuids":["${zone}"]}}`)
  expect(again.body['results']).toMatchObject([{ inventory: { uuid: first!.inventory['uuid'] } }])
  const third = await client.uuid('CreateZone', { name: 'north', tagUuids: [uuid] })
  expect(await wearing(uuid)).toEqual(['east', 'west', 'north'])
  expect(await listed('/user-tags', `tagPatternUuid=${uuid}`)).toHaveLength(3)
  expect((await client.call('QueryTag', {}))['inventories']).toMatchObject([{ uuid }])
  // Go joins the uuids with a comma, Java repeats the key.
  expect(await send('DELETE', `/tags/${uuid}/resources?resourceUuids=${zone},${other}`)).toEqual({ status: 200, body: {} })
  expect(await wearing(uuid)).toEqual(['north'])
  expect(await send('DELETE', `/tags/${uuid}/resources?resourceUuids=${third}&resourceUuids=${zone}`)).toMatchObject({
    status: 200,
  })
  await send('POST', `/tags/${uuid}/resources`, `{"params":{"resourceUuids":["${zone}"]}}`)
  expect(await send('DELETE', `/tags/${uuid}?deleteMode=Permissive`)).toEqual({ status: 200, body: {} })
  expect(await listed('/user-tags', `resourceUuid=${zone}`)).toEqual([])
  expect(await listed('/user-tags', `resourceUuid=${other}`)).toMatchObject([{ tag: 'own' }])
  expect(await listed('/tags')).toEqual([])
})

test('one with places takes words for each, and keeps its form when it is changed', async () => {
  const { uuid } = await make('owner::{who}::{team}', 'withToken')
  const put = await send(
    'POST',
    `/tags/${uuid}/resources`,
    `{"params":{"resourceUuids":["${zone}"],"tokens":{"who":"ann","team":"{who}"}}}`,
  )
  expect(put.body).toMatchObject({ results: [{ inventory: { tag: 'owner::ann::{who}' } }] })
  const change = (update: Row) => send('PUT', `/tags/${uuid}/actions`, JSON.stringify({ updateTag: update }))
  const kept = { name: 'y', value: 'owner::{person}::{team}', description: '', color: '#00ff00' }
  expect((await change(kept)).body['inventory']).toMatchObject({ name: 'y', value: 'owner::{person}::{team}', color: '#00ff00' })
  expect(problem(await change({ value: 'holder::{person}::{team}' }))).toMatchObject({ code: 'invalid-argument', field: 'value' })
  expect(await listed('/user-tags', `tagPatternUuid=${uuid}`)).toMatchObject([{ tag: 'owner::ann::{who}' }])
  for (const tokens of ['{"who":"ann","team":"t"}', '{"person":"ann"}', '{}']) {
    const body = `{"params":{"resourceUuids":["${other}"],"tokens":${tokens}}}`
    expect(problem(await send('POST', `/tags/${uuid}/resources`, body))).toMatchObject({ field: 'tokens' })
  }
  const { last } = await client.exchange('CreateZone', { name: 'z', tagUuids: [uuid] })
  expect(last.body).toMatchObject({ error: { opaque: { field: 'tagUuids', missing: ['person', 'team'] } } })
  await send('DELETE', `/tags/${uuid}`)
})

test.each<[string, (uuid: string) => [string, string, string?], Row]>([
  ['places in a simple one', () => ['POST', '/tags', '{"params":{"name":"x","value":"a{b}"}}'], { field: 'value' }],
  [
    'none in one with tokens',
    () => ['POST', '/tags', '{"params":{"name":"x","value":"a","type":"withToken"}}'],
    { field: 'value' },
  ],
  ['a place twice', () => ['POST', '/tags', '{"params":{"name":"x","value":"{a}{a}","type":"withToken"}}'], { field: 'value' }],
  ['other words', (uuid) => ['PUT', `/tags/${uuid}/actions`, '{"updateTag":{"value":"b"}}'], { field: 'value' }],
  [
    'a resource that is not there',
    (uuid) => ['POST', `/tags/${uuid}/resources`, `{"params":{"resourceUuids":["${newUuid()}"]}}`],
    { code: 'not-found' },
  ],
  [
    'a pattern that is not there',
    () => ['POST', `/tags/${newUuid()}/resources`, `{"params":{"resourceUuids":["${zone}"]}}`],
    { code: 'not-found' },
  ],
  [
    'words that are there otherwise',
    (uuid) => ['POST', `/tags/${uuid}/resources`, `{"params":{"resourceUuids":["${zone}","${other}"]}}`],
    { code: 'duplicate-name' },
  ],
  ['a deletion of nothing', () => ['DELETE', `/tags/${newUuid()}`], { code: 'not-found' }],
])('nothing is changed by %s', async (_, sent, refused) => {
  const uuid = (await make('own', 'simple'))['uuid'] as string
  const before = [await listed('/tags'), await listed('/user-tags')]
  expect(problem(await send(...sent(uuid)))).toMatchObject(refused)
  expect([await listed('/tags'), await listed('/user-tags')]).toEqual(before)
  await send('DELETE', `/tags/${uuid}`)
})

test('nor by a creation with a pattern that is not there, or with the same words twice', async () => {
  const uuid = (await make('own', 'simple'))['uuid'] as string
  for (const tags of [{ tagUuids: [newUuid()] }, { tagUuids: [uuid], userTags: ['own'] }, { tagUuids: [uuid, uuid] }]) {
    const { last } = await client.exchange('CreateZone', { name: 'never', ...tags })
    expect(last.status).toBe(503)
  }
  expect(await listed('/zones', 'name=never')).toEqual([])
})
