/** Tags as ZStack's clients know them: resources that are made, changed, asked for and gone with what they are on. */
import type { Row } from '@skerry/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { apiNamed, newUuid, sentFor, type ZStackClient } from '../harness/zstack-client.ts'

let site: SmallSite
let client: ZStackClient
const made: Record<string, string> = {}

beforeAll(async () => {
  site = await startSmallSite()
  client = site.client
  const reserve = 'host::reservedMemory::1G'
  made['east'] = await client.uuid('CreateZone', { name: 'east', userTags: ['gold', 'old'], systemTags: [reserve] })
  made['west'] = await client.uuid('CreateZone', { name: 'west', userTags: ['tin'] })
  const bare = { name: 'north' }
  // Other clients put tags beside the parameters: top level wins.
  const sent = { method: 'POST', path: '/zones', body: JSON.stringify({ params: bare, userTags: ['gold'] }) }
  const job = newUuid()
  expect((await client.send(sent, client.headers(job))).status).toBe(202)
  made['north'] = ((await client.poll(job)).body!['inventory'] as Row)['uuid'] as string
  for (const zone of ['east', 'west'])
    made[`${zone}-cluster`] = await client.uuid('CreateCluster', {
      ...{ name: `${zone}-cluster`, zoneUuid: made[zone], hypervisorType: 'KVM' },
    })
})
afterAll(async () => {
  await site.stop()
  expect(site.errors).toEqual([])
})

const answer = async (api: string, search: Record<string, string | string[]>) => {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(search)) for (const one of [value].flat()) query.append(name, one)
  return client.send({ method: 'GET', path: `${apiNamed(api).path}?${query}` })
}
const listed = async (api: string, search: Record<string, string | string[]>) => {
  const { status, body, text } = await answer(api, search)
  expect(status, text).toBe(200)
  return body!['inventories'] as Row[]
}
const names = async (...q: string[]) => (await listed('QueryZone', { q })).map((zone) => zone['name'])
/** The error of a call that fails. */
async function refusal(api: string, params: Row): Promise<Row> {
  const { last } = await client.exchange(api, params)
  expect(last.status).toBe(503)
  return last.body!['error'] as Row
}
const zoneTag = (tag: string, zone = 'east') => ({ resourceType: 'ZoneVO', resourceUuid: made[zone], tag })

describe('resources are found by their tags', () => {
  test.each<[string, string[]]>([
    ['__userTag__=gold', ['east', 'north']],
    ['__userTag__!=gold', ['west']],
    ['__userTag__?=tin,old', ['east', 'west']],
    ['__userTag__!?=tin,old', ['north']],
    ['__userTag__~=%O%', ['east', 'north']],
    ['__userTag__!~=%o%', ['west']],
    ['__systemTag__~=host::reservedMemory::%', ['east']],
    ['__systemTag__ is null', ['west', 'north']],
    ['__systemTag__ not null', ['east']],
    ['clusters.__userTag__ is null', ['east', 'west']],
  ])('%s', async (q, expected) => expect(await names(q)).toEqual(expected))

  test('behind relations, and with all that a query may ask for', async () => {
    const clusters = await listed('QueryCluster', { q: ['zone.__userTag__=tin'], fields: 'name' })
    expect(clusters).toEqual([{ name: 'west-cluster' }])
    expect((await answer('QueryZone', { q: '__userTag__=gold', count: 'true' })).body).toMatchObject({ total: 2 })
    const page = await answer('QueryZone', { q: '__userTag__=gold', replyWithCount: 'true', limit: '1', sort: '-name' })
    expect(page.body).toMatchObject({ total: 2, inventories: [{ name: 'north' }] })
    const filtered = { q: '__userTag__ is null', filterName: `zone:${made['east']}`, fields: 'name' }
    expect(await listed('QueryCluster', filtered)).toEqual([{ name: 'east-cluster' }])
    expect((await answer('QueryCluster', { filterName: 'castle:x' })).body).toMatchObject({ error: { code: 'SYS.1007' } })
    const unknown = await answer('QueryZone', { q: '__usertag__=gold' })
    expect([unknown.status, unknown.body!['error']]).toMatchObject([503, { code: 'SYS.1007' }])
  })
})

describe('tags are resources', () => {
  test('of two kinds, each with its own class', async () => {
    const { body } = await answer('QueryUserTag', { q: `resourceUuid=${made['east']}`, sort: 'tag' })
    const common = { resourceUuid: made['east'], resourceType: 'ZoneVO', type: 'User' }
    expect(body!['inventories']).toMatchObject([
      { ...common, tag: 'gold' },
      { ...common, tag: 'old' },
    ])
    expect(body!['schema']).toMatchObject({ 'inventories[1]': 'org.zstack.header.tag.UserTagInventory' })
    const system = await answer('QuerySystemTag', { q: ['resourceType=ZoneVO', 'inherent=false'] })
    expect(system.body!['inventories']).toMatchObject([{ tag: 'host::reservedMemory::1G', inherent: false, type: 'System' }])
    expect(system.body!['schema']).toEqual({ 'inventories[0]': 'org.zstack.header.tag.SystemTagInventory' })
    const [user] = body!['inventories'] as Row[]
    expect((await client.call('QuerySystemTag', { uuid: user!['uuid'] }))['inventories']).toEqual([])
    expect(await listed('QueryUserTag', { q: ['tag?=gold,tin'], groupBy: 'tag', fields: 'tag' })).toEqual([
      { tag: 'gold' },
      { tag: 'tin' },
    ])
  })

  test('that are made, changed and deleted, and found at once', async () => {
    const uuid = await client.uuid('CreateUserTag', zoneTag('fresh'))
    expect(await names('__userTag__=fresh')).toEqual(['east'])
    await client.call('DeleteTag', { uuid })
    expect(await names('__userTag__=fresh')).toEqual([])
    const system = await client.uuid('CreateSystemTag', zoneTag('host::reservedCpu::4'))
    const changed = await client.call('UpdateSystemTag', { uuid: system, tag: 'host::reservedCpu::8' })
    expect(changed['inventory']).toMatchObject({ uuid: system, tag: 'host::reservedCpu::8' })
    expect(await names('__systemTag__=host::reservedCpu::8')).toEqual(['east'])
    const tags = ['host::reservedCpu::1', 'host::reservedMemory::2G']
    const { last } = await client.exchange('CreateSystemTags', {
      ...{ resourceType: 'ZoneVO', resourceUuid: made['west'], tags },
    })
    expect([last.status, last.body]).toMatchObject([200, { inventories: tags.map((tag) => ({ tag })) }])
    expect(last.body!['schema']).toMatchObject({ 'inventories[1]': 'org.zstack.header.tag.SystemTagInventory' })
    expect(await names('__systemTag__=host::reservedCpu::1')).toEqual(['west'])
  })

  test('that go with their resource', async () => {
    const offering = await client.uuid('CreateDiskOffering', { name: 'd', diskSize: 1024, userTags: ['short-lived'] })
    await client.uuid('CreateUserTag', { resourceType: 'DiskOfferingVO', resourceUuid: offering, tag: 'later' })
    await client.call('DeleteDiskOffering', { uuid: offering })
    expect(await listed('QueryUserTag', { q: `resourceUuid=${offering}` })).toEqual([])
  })

  test('and a resource may not have one twice, however many ask at once', async () => {
    expect(await refusal('CreateUserTag', zoneTag('gold'))).toMatchObject({
      code: 'SYS.1007',
      opaque: { code: 'duplicate-name' },
    })
    await client.uuid('CreateUserTag', zoneTag('host::reservedMemory::1G'))
    const ends = await Promise.all([1, 2, 3, 4].map(() => client.exchange('CreateUserTag', zoneTag('once'))))
    expect(ends.map(({ last }) => last.status).sort()).toEqual([200, 503, 503, 503])
    const system = (await listed('QuerySystemTag', { q: ['tag=host::reservedMemory::1G'] }))[0]!
    const other = await client.uuid('CreateSystemTag', zoneTag('host::reservedMemory::3G'))
    const same = { uuid: other, tag: system['tag'] }
    expect(await refusal('UpdateSystemTag', same)).toMatchObject({ opaque: { code: 'duplicate-name' } })
  })
})

describe('nothing is changed by', () => {
  test.each<[string, string, () => Row]>([
    ['a system tag that nobody registered', 'CreateSystemTag', () => zoneTag('my::own')],
    ['one of another resource', 'CreateSystemTag', () => zoneTag('hostname::web')],
    ['one with nothing in its place', 'CreateSystemTag', () => zoneTag('host::reservedCpu::')],
    ['an unknown type', 'CreateUserTag', () => ({ ...zoneTag('x'), resourceType: 'CastleVO' })],
    ['a type that is not of this resource', 'CreateUserTag', () => ({ ...zoneTag('x'), resourceType: 'ClusterVO' })],
    ['a resource that is not there', 'CreateUserTag', () => ({ ...zoneTag('x'), resourceUuid: newUuid() })],
    ['no resource', 'CreateUserTag', () => ({ resourceType: 'ZoneVO', tag: 'x' })],
    ['a creation with an unregistered system tag', 'CreateZone', () => ({ name: 'z', systemTags: ['my::own'] })],
    ['a creation with the same tag twice', 'CreateZone', () => ({ name: 'z', userTags: ['a', 'a'] })],
    ['a system tag changed into no form', 'UpdateSystemTag', () => ({ uuid: newUuid(), tag: 'x' })],
    ['the deletion of a tag that is gone', 'DeleteTag', () => ({ uuid: newUuid() })],
  ])('%s', async (_, api, params) => {
    const before = site.state() + JSON.stringify([...site.controller.state.graph.rows('tag')])
    expect(['SYS.1007', 'SYS.1003']).toContain((await refusal(api, params()))['code'])
    expect(site.state() + JSON.stringify([...site.controller.state.graph.rows('tag')])).toBe(before)
  })

  test('a change of a user tag as if it were a system tag, or of an inherent one', async () => {
    const [user] = await listed('QueryUserTag', { q: 'tag=tin' })
    const change = { uuid: user!['uuid'], tag: 'host::reservedCpu::9' }
    expect(await refusal('UpdateSystemTag', change)).toMatchObject({ code: 'SYS.1003' })
    const uuid = await client.uuid('CreateSystemTag', zoneTag('host::reservedCpu::7', 'north'))
    await site.controller.state.commit({ ops: [{ o: 'set', t: 'tag', k: uuid, v: { inherent: true } }] }, { actor: 'test' })
    expect(await refusal('DeleteTag', { uuid })).toMatchObject({ code: 'SYS.1005' })
    expect(await refusal('UpdateSystemTag', { ...change, uuid })).toMatchObject({ code: 'SYS.1005' })
    await client.call('DeleteZone', { uuid: made['north'] })
    expect(await listed('QuerySystemTag', { q: `uuid=${uuid}` })).toEqual([])
  })

  test('tags that act during a creation only; those that nothing here can act on, or not there, are refused', async () => {
    const diskOfferingUuid = await client.uuid('CreateDiskOffering', { name: 'd', diskSize: 1024 })
    const volume = (...systemTags: string[]) => ({ name: 'v', diskOfferingUuid, systemTags })
    const uuid = await client.uuid('CreateDataVolume', volume('volume::fastCreate', 'volume::flatten'))
    expect(await listed('QuerySystemTag', { q: `resourceUuid=${uuid}` })).toEqual([])
    const before = site.state()
    expect(await refusal('CreateDataVolume', volume('shareable'))).toMatchObject({
      ...{ code: 'SYS.1007', details: expect.stringContaining('one VM instance at a time') },
    })
    const elsewhere = { name: 'd', diskSize: 1024, systemTags: ['shareable'] }
    expect(await refusal('CreateDiskOffering', elsewhere)).toMatchObject({
      ...{ code: 'SYS.1007', details: expect.stringContaining('no system tag of a disk-offering') },
    })
    expect(site.state()).toBe(before)
    expect(sentFor(apiNamed('QuerySystemTag'), { uuid }).path).toBe(`/system-tags/${uuid}`)
  })
})
