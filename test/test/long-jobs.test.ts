/** Long jobs: a call that nobody waits for, its state and result, its progress, and what may be done with it. */
import { type Row, SkerryError } from '@skerry/contract'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { MANAGEMENT_IP, type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { IMAGE_FILE, putUserImage } from '../harness/small-world.ts'
import { apiNamed, newUuid, sentFor } from '../harness/zstack-client.ts'

const DATE = /^\w{3} \d{1,2}, \d{4} \d{1,2}:\d{2}:\d{2} [AP]M$/
let site: SmallSite
let images: string

beforeAll(async () => {
  site = await startSmallSite()
  await putUserImage(site)
  const { client } = site
  images = await client.uuid('AddImageStoreBackupStorage', {
    name: 'images',
    hostname: MANAGEMENT_IP,
    url: '/data/images',
    username: 'root',
    password: 'unused',
  })
})
afterAll(async () => {
  await site.stop()
  expect(site.errors).toEqual([])
})

const imageData = (more: Row = {}) =>
  JSON.stringify({ name: 'tiny', url: `file://${IMAGE_FILE}`, backupStorageUuids: [images], format: 'qcow2', ...more })
/** Lets requests with this verb do something else first; gives what ends that. */
function before(verb: string, act: () => Promise<void> | void): () => void {
  const { request } = site.bus
  site.bus.request = async (subject, data, o) => {
    if (subject.endsWith(`.${verb}`)) await act()
    return request(subject, data, o)
  }
  return () => void (site.bus.request = request)
}

const submit = async (params: Row) => (await site.client.call('SubmitLongJob', params))['inventory'] as Row
const read = async (uuid: unknown) => ((await site.client.call('QueryLongJob', { uuid }))['inventories'] as Row[])[0]
const error = async (api: string, params: Row) => {
  const { last } = await site.client.exchange(api, params)
  return [last.status, (last.body?.['error'] as Row | undefined)?.['code']]
}

/** Queried by uuid until it has ended, as ZStack's clients do. */
async function ended(uuid: unknown): Promise<Row> {
  let row: Row | undefined
  await vi.waitUntil(
    async () => {
      row = await read(uuid)
      return /Succeeded|Failed|Canceled/.test(row?.['state'] as string)
    },
    { timeout: 10_000 },
  )
  return row!
}

describe('a long job', () => {
  test('brings in an image: told at once, read by uuid until it is Succeeded, with the answer as its result', async () => {
    const target = newUuid()
    const jobUuid = newUuid()
    const params = { name: 'bring it', jobName: 'APIAddImageMsg', jobData: imageData(), targetResourceUuid: target }
    const sent = sentFor(apiNamed('SubmitLongJob'), params)
    expect((await site.client.send(sent, site.client.headers(jobUuid))).status).toBe(202)
    const { body } = await site.client.poll(jobUuid)
    const submitted = body!['inventory'] as Row
    expect(submitted).toMatchObject({
      ...{ name: 'bring it', jobName: 'APIAddImageMsg', targetResourceUuid: target, apiId: jobUuid },
      ...{ createDate: expect.stringMatching(DATE), managementNodeUuid: expect.any(String) },
      state: expect.stringMatching(/Waiting|Running|Succeeded/),
    })
    expect(body!['schema']).toEqual({ inventory: 'org.zstack.header.longjob.LongJobInventory' })
    const row = await ended(submitted['uuid'])
    expect(row).toMatchObject({ state: 'Succeeded', executeTime: expect.any(Number) })
    const { inventory } = JSON.parse(row['jobResult'] as string) as { inventory: Row }
    expect(inventory).toMatchObject({ name: 'tiny', status: 'Ready', createDate: expect.stringMatching(DATE) })
    const { inventories } = await site.client.call('QueryImage', { uuid: inventory['uuid'] })
    expect((inventories as Row[])[0]).toMatchObject({ name: 'tiny', status: 'Ready' })
  })

  test('shows its progress under the id of its call and of its job, in percent', async () => {
    const { apiId, jobUuid, uuid } = await submit({ jobName: 'APIAddImageMsg', jobData: imageData({ name: 'progress' }) })
    await ended(uuid)
    // A query may be ahead of the disk; the job itself is not.
    expect((await site.client.poll(jobUuid as string)).status).toBe(200)
    for (const id of [apiId, jobUuid]) {
      const { inventories } = await site.client.call('GetTaskProgress', { apiId: id })
      expect(inventories).toMatchObject([{ taskUuid: jobUuid, content: '100', arguments: 'AddImage' }])
    }
  })

  test('that fails says why, as a poll would', async () => {
    const jobData = imageData({ url: 'file:///nowhere.qcow2' })
    const { uuid, jobUuid } = await submit({ jobName: 'APIAddImageMsg', jobData })
    const row = await ended(uuid)
    expect(row['state']).toBe('Failed')
    const polled = await site.client.poll(jobUuid as string)
    expect([polled.status, polled.body]).toEqual([503, JSON.parse(row['jobResult'] as string)])
  })

  test.each<[string, Row, string]>([
    ['a class that is no call', { jobName: 'APIFlyMsg', jobData: '{}' }, 'LONG_JOB.1003'],
    ['a name without its class', { jobName: 'AddImage', jobData: '{}' }, 'LONG_JOB.1003'],
    ['a call that answers at once', { jobName: 'APIQueryZoneMsg', jobData: '{}' }, 'LONG_JOB.1003'],
    ['a long job inside', { jobName: 'APISubmitLongJobMsg', jobData: '{}' }, 'LONG_JOB.1003'],
    ['text that is no JSON', { jobName: 'APICreateZoneMsg', jobData: '{"name":' }, 'SYS.1007'],
    ['a list', { jobName: 'APICreateZoneMsg', jobData: '[]' }, 'SYS.1007'],
    ['a parameter too few', { jobName: 'APICreateZoneMsg', jobData: '{}' }, 'SYS.1007'],
    ['a parameter of another type', { jobName: 'APICreateZoneMsg', jobData: '{"name":7}' }, 'SYS.1007'],
    ['no resource', { jobName: 'APIDeleteZoneMsg', jobData: '{}' }, 'SYS.1007'],
    ['a resource that is not there', { jobName: 'APIDeleteZoneMsg', jobData: `{"uuid":"${newUuid()}"}` }, 'SYS.1003'],
    ['no jobData', { jobName: 'APICreateZoneMsg' }, 'SYS.1007'],
  ])('with %s is refused, and leaves nothing', async (_, params, code) => {
    const recorded = () => ['longJob', 'job'].map((table) => site.controller.state.graph.count(table))
    const before = recorded()
    expect(await error('SubmitLongJob', params)).toEqual([503, code])
    expect(recorded()).toEqual(before)
  })

  test('can be renamed, run again and deleted when it has ended, and be canceled only before', async () => {
    const data = JSON.stringify({ name: 'again', description: null, systemTags: [], session: { uuid: 'someone’s' } })
    const first = await submit({ jobName: 'APICreateZoneMsg', jobData: data })
    const { uuid } = first
    expect(await ended(uuid)).toMatchObject({
      state: 'Succeeded',
      name: 'APICreateZoneMsg',
      jobData: expect.not.stringContaining('someone'),
    })
    await site.client.call('UpdateLongJob', { uuid, name: 'zones' })
    expect(await error('CancelLongJob', { uuid })).toEqual([503, 'SYS.1005'])
    expect(await error('ResumeLongJob', { uuid })).toEqual([503, 'SYS.1005'])
    const again = (await site.client.call('RerunLongJob', { uuid }))['inventory'] as Row
    expect(again['jobUuid']).not.toBe(first['jobUuid'])
    expect(await ended(uuid)).toMatchObject({ state: 'Succeeded', name: 'zones', apiId: again['apiId'] })
    const { inventories } = await site.client.call('QueryZone', { q: 'name=again' })
    expect(inventories).toHaveLength(2)
    expect((await site.client.exchange('DeleteLongJob', { uuid })).last.text).toBe('{}')
    expect(await read(uuid)).toBeUndefined()
  })
})

describe('a long job under way', () => {
  test('shows how far it is, and is undone at its next step when it is canceled', async () => {
    let release: () => void = () => undefined
    const held = new Promise<void>((resolve) => (release = resolve))
    const end = before('download', () => held)
    const { uuid, apiId } = await submit({ jobName: 'APIAddImageMsg', jobData: imageData({ name: 'canceled' }) })
    await vi.waitUntil(async () => (await read(uuid))?.['state'] === 'Running')
    const progress = async () => ((await site.client.call('GetTaskProgress', { apiId }))['inventories'] as Row[])[0]!
    await vi.waitUntil(async () => (await progress())['taskName'] === 'download')
    expect(Number((await progress())['content'])).toBeGreaterThan(0)
    expect(Number((await progress())['content'])).toBeLessThan(100)
    expect(await error('DeleteLongJob', { uuid })).toEqual([503, 'SYS.1005'])
    expect((await site.client.exchange('CancelLongJob', { uuid })).last.text).toBe('{}')
    expect((await read(uuid))!['state']).toBe('Canceling')
    await site.client.call('CancelLongJob', { uuid })
    release()
    const row = await ended(uuid)
    end()
    expect(row['state']).toBe('Canceled')
    expect(JSON.parse(row['jobResult'] as string)).toMatchObject({ error: { code: 'LONG_JOB.1000' } })
    expect((await site.client.call('QueryImage', { q: 'name=canceled' }))['inventories']).toEqual([])
  })

  test.each(['ResumeLongJob', 'CleanLongJob'])('that is stuck is Suspended, and is undone by %s', async (api) => {
    const fail = (code: 'image-unreachable' | 'invalid-argument') => () => {
      throw new SkerryError(code)
    }
    const ends = [before('download', fail('image-unreachable')), before('remove', fail('invalid-argument'))]
    const { uuid, jobUuid } = await submit({ jobName: 'APIAddImageMsg', jobData: imageData({ name: 'stuck' }) })
    await vi.waitUntil(async () => (await read(uuid))?.['state'] === 'Suspended')
    for (const end of ends.reverse()) end()
    const { body } = (await site.client.exchange(api, { uuid })).last
    const shown = { inventory: { uuid, jobUuid }, schema: { inventory: expect.stringMatching(/LongJobInventory$/) } }
    expect(body).toMatchObject(api === 'CleanLongJob' ? {} : shown)
    expect((await ended(uuid))['state']).toBe('Failed')
    // Nothing is left to take back.
    expect((await site.client.exchange('CleanLongJob', { uuid })).last.text).toBe('{}')
    expect((await site.client.call('QueryImage', { q: 'name=stuck' }))['inventories']).toEqual([])
  })
})
