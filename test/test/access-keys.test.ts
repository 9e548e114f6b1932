/** Access keys: requests that are signed instead of carrying a session, in both dialects, on the real engine. */
import { ADMIN_ACCOUNT, type Row } from '@skerry/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Key, sendSigned } from '../harness/signed.ts'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { apiNamed, newUuid, sentFor } from '../harness/zstack-client.ts'

const MINUTE_MS = 60_000
const ZONES = '/zstack/v1/zones'
const SECRET = 'a secret of my own: ä"{}'
let site: SmallSite
const who = { accountUuid: ADMIN_ACCOUNT, userUuid: ADMIN_ACCOUNT }
const keyFiles = async () => (await site.controller.engine.graph.count('accessKey')) as number

beforeAll(async () => {
  site = await startSmallSite()
})
afterAll(async () => {
  await site.stop()
  expect(site.errors).toEqual([])
})

async function create(params: Row = {}): Promise<Row & Key> {
  const { inventory } = await site.client.call('CreateAccessKey', { ...who, ...params })
  return inventory as Row & Key
}
const failure = async (params: Row) => {
  const { last } = await site.client.exchange('CreateAccessKey', { ...who, ...params })
  return [last.status, (last.body?.['error'] as Row | undefined)?.['code']]
}

describe('a key', () => {
  test('is made with an id and a secret, which only the answer to the call tells', async () => {
    const key = await create({ description: 'of a program' })
    expect(key).toMatchObject({ ...who, state: 'Enabled', description: 'of a program', uuid: expect.stringMatching(/^\w{32}$/) })
    expect([key.AccessKeyID.length, key.AccessKeySecret.length]).toEqual([20, 40])
    expect(key).not.toHaveProperty('name')
    const { inventories } = await site.client.call('QueryAccessKey', { q: `uuid=${key['uuid']}` })
    expect(inventories).toEqual([{ ...key, AccessKeySecret: undefined }].map(({ AccessKeySecret: _, ...shown }) => shown))
    const refused = await site.client.send({ method: 'GET', path: '/accesskeys?q=AccessKeySecret~=%25' })
    expect(refused.status).toBe(503)
  })

  test('has the id and secret that its maker wants; an id is there once', async () => {
    const key = await create({ AccessKeyID: 'mine-1234', AccessKeySecret: SECRET })
    expect([key.AccessKeyID, key.AccessKeySecret]).toEqual(['mine-1234', SECRET])
    expect((await sendSigned(site.url, key, { path: ZONES })).status).toBe(200)
    const before = await keyFiles()
    expect(await failure({ AccessKeyID: 'mine-1234' })).toEqual([503, 'SYS.1007'])
    const both = await Promise.all([1, 2].map(() => failure({ AccessKeyID: 'twice-1234' })))
    expect(both.map(([status]) => status).sort()).toEqual([200, 503])
    expect(await keyFiles()).toBe(before + 1)
  })

  test('is of an account that is there, and of no user that is not', async () => {
    for (const params of [{ accountUuid: newUuid(), userUuid: newUuid() }, { userUuid: newUuid() }])
      expect(await failure(params)).toEqual([503, 'SYS.1003'])
    for (const AccessKeyID of ['a:b', 'short', 'x y z x y z']) expect(await failure({ AccessKeyID })).toEqual([503, 'SYS.1007'])
  })
})

describe('a signed request', () => {
  let key: Row & Key
  beforeAll(async () => {
    key = await create()
  })

  test.each(['GMT', 'UTC', 'Etc/UTC'])('is answered as one with a session is, whose Date is in %s', async (zone) => {
    const { status, text } = await sendSigned(site.url, key, { path: `${ZONES}?limit=1&q=name~=%25`, zone })
    expect([status, JSON.parse(text)]).toEqual([200, { inventories: [], schema: {} }])
  })

  test('creates as well, with a body that is no part of what is signed', async () => {
    const { body } = sentFor(apiNamed('CreateZone'), { name: 'signed' })
    const job = newUuid()
    const sent = { method: 'POST', path: ZONES, body: body!, headers: { 'X-Job-UUID': job } }
    expect((await sendSigned(site.url, key, sent)).status).toBe(202)
    expect((await site.client.poll(job)).body).toMatchObject({ inventory: { name: 'signed' } })
    await site.client.call('DeleteZone', { uuid: ((await site.client.poll(job)).body!['inventory'] as Row)['uuid'] })
  })

  test('may sign a path with two slashes, as sent or as read', async () => {
    const path = `${ZONES}//${newUuid()}`
    for (const signedPath of [path.slice('/zstack'.length), path.slice('/zstack'.length).replace('//', '/')])
      expect((await sendSigned(site.url, key, { path, signedPath })).status).toBe(200)
  })

  test('is good under /v1 too', async () => {
    expect((await sendSigned(site.url, key, { path: '/v1/zones' })).status).toBe(200)
    const { status, type } = await sendSigned(site.url, { ...key, AccessKeySecret: 'x' }, { path: '/v1/zones' })
    expect([status, type]).toEqual([401, 'application/problem+json'])
  })

  test.each<[string, () => Promise<{ status: number; text: string; type: string }>]>([
    ['signed with another secret', () => sendSigned(site.url, { ...key, AccessKeySecret: 'other' }, { path: ZONES })],
    ['of a key that nobody has', () => sendSigned(site.url, { ...key, AccessKeyID: 'nobody-has-it' }, { path: ZONES })],
    ['signed for another path', () => sendSigned(site.url, key, { path: ZONES, signedPath: '/v1/hosts' })],
    ['signed with its query', () => sendSigned(site.url, key, { path: `${ZONES}?limit=1`, signedPath: '/v1/zones?limit=1' })],
    ['signed with /zstack', () => sendSigned(site.url, key, { path: ZONES, signedPath: ZONES })],
  ])('%s is refused with 403 and text', async (_, send) => {
    const { status, text, type } = await send()
    expect([status, type.split(';')[0]]).toEqual([403, 'text/plain'])
    expect(text).toMatch(/wrong accessKey signature|access key id/)
    expect(text).not.toContain(key.AccessKeySecret)
  })

  test.each([
    [-16 * MINUTE_MS, 403],
    [-14 * MINUTE_MS, 200],
    [14 * MINUTE_MS, 200],
    [16 * MINUTE_MS, 403],
  ])('whose clock is off by %i ms is answered %i', async (off, status) => {
    const answer = await sendSigned(site.url, key, { path: ZONES, at: new Date(Date.now() + off) })
    expect(answer.status).toBe(status)
    if (status === 403) expect(answer.text).toContain('requestTimeTooSkewed')
  })

  test('without a signature or a date that can be read is refused with 400 and text', async () => {
    const bad: Record<string, string>[] = [{ Authorization: 'ZStack abc' }, { Authorization: 'ZStack :x' }, { Date: 'yesterday' }]
    for (const headers of [...bad, { Date: '' }]) {
      const { status, type } = await sendSigned(site.url, key, { path: ZONES, headers })
      expect([status, type.split(';')[0]]).toEqual([400, 'text/plain'])
    }
  })

  test('is refused as soon as its key is disabled, and for ever when it is deleted, with its secret', async () => {
    const mine = await create()
    const { uuid } = mine
    const status = async () => (await sendSigned(site.url, mine, { path: ZONES })).status
    const change = (stateEvent: string) => site.client.call('ChangeAccessKeyState', { uuid, stateEvent })
    expect(await status()).toBe(200)
    expect((await change('disable'))['inventory']).toMatchObject({ state: 'Disabled' })
    expect(await status()).toBe(403)
    await change('enable')
    expect(await status()).toBe(200)
    await site.client.call('DeleteAccessKey', { uuid })
    expect(await status()).toBe(403)
  })
})
