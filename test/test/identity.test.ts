/** Accounts on a whole site: what is one's own, what is shared, what a user may, how much an account may have, and what is told of others. */
import type { Row } from '@skerry/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sendSigned } from '../harness/signed.ts'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { makeSmallWorld, type SmallWorld } from '../harness/small-world.ts'
import { newUuid, sha512, ZStackClient } from '../harness/zstack-client.ts'

let site: SmallSite
let world: SmallWorld
let admin: ZStackClient

beforeAll(async () => {
  site = await startSmallSite()
  admin = site.client
  world = await makeSmallWorld(site)
})
afterAll(async () => {
  await site.stop()
  expect(site.errors).toEqual([])
})

const PASSWORD = sha512('tenant')

/** A new account, logged in. */
async function tenant(name: string): Promise<{ uuid: string; client: ZStackClient }> {
  const uuid = await admin.uuid('CreateAccount', { name, password: PASSWORD })
  return { uuid, client: await logged('LogInByAccount', { accountName: name, password: PASSWORD }) }
}

async function logged(api: string, params: Row): Promise<ZStackClient> {
  const client = new ZStackClient(site.url)
  const { inventory } = await client.call(api, params)
  client.session = (inventory as Row)['uuid'] as string
  return client
}

async function refusal(client: ZStackClient, api: string, params: Row): Promise<[code: unknown, details: string]> {
  const { last } = await client.exchange(api, params)
  const error = last.body?.['error'] as Row | undefined
  return [error?.['code'], String(error?.['details'])]
}
const count = async (client: ZStackClient, api: string, q: string[] = []) =>
  (await client.call(api, { count: true, ...(q.length > 0 ? { q } : {}) }))['total']

const offered = () => [world.offering, world.image, world.l3]
const vmOf = (name: string) => ({
  name,
  instanceOfferingUuid: world.offering,
  imageUuid: world.image,
  l3NetworkUuids: [world.l3],
})

describe('an account', () => {
  test('has a name that is there once, and logs in with its password until it is another', async () => {
    const { uuid, client } = await tenant('names')
    expect(await refusal(admin, 'CreateAccount', { name: 'names', password: PASSWORD })).toEqual([
      'SYS.1007',
      'there is an account names already',
    ])
    expect((await client.call('QueryAccount', {}))['inventories']).toEqual([
      expect.objectContaining({ uuid, name: 'names', type: 'Normal' }),
    ])
    const other = sha512('another')
    expect((await refusal(client, 'UpdateAccount', { uuid, password: other, oldPassword: other }))[0]).toBe('ID.1002')
    const another = await logged('LogInByAccount', { accountName: 'names', password: PASSWORD })
    await client.call('UpdateAccount', { uuid, password: other, oldPassword: PASSWORD })
    // Who has changed it stays logged in, everybody else has to know it.
    expect((await refusal(another, 'QueryZone', {}))[0]).toBe('ID.1001')
    expect(await count(client, 'QueryAccount')).toBe(1)
    expect((await refusal(client, 'LogInByAccount', { accountName: 'names', password: PASSWORD }))[0]).toBe('ID.1000')
    await logged('LogInByAccount', { accountName: 'names', password: other })
    const log = JSON.stringify([...site.controller.engine.graph.rows('job'), ...site.controller.engine.graph.rows('account')])
    for (const secret of [PASSWORD, other]) expect(log).not.toContain(secret)
  })

  test('may use what is shared with it, and what it makes of that is its own', async () => {
    const [a, b] = [await tenant('maker'), await tenant('stranger')]
    const [code, text] = await refusal(a.client, 'CreateVmInstance', vmOf('early'))
    expect([code, text]).toEqual(['SYS.1003', `there is no instance-offering ${world.offering}`])
    await admin.call('ShareResource', { resourceUuids: offered(), accountUuids: [a.uuid] })
    const vm = await a.client.uuid('CreateVmInstance', vmOf('mine'))
    for (const api of ['QueryVmInstance', 'QueryVmNic', 'QueryVolume', 'QueryImage', 'QueryL3Network'])
      expect([api, await count(a.client, api), await count(b.client, api)]).toEqual([api, 1, 0])
    // Hidden at every step of a chain too, and told as what is not there.
    expect(await count(b.client, 'QueryZone', ['vmInstances.name=mine'])).toBe(0)
    expect(await count(a.client, 'QueryZone', ['vmInstances.name=mine'])).toBe(1)
    const absent = newUuid()
    for (const api of ['StopVmInstance', 'DestroyVmInstance', 'UpdateVmInstance'])
      expect(await refusal(b.client, api, { uuid: vm })).toEqual([
        'SYS.1003',
        (await refusal(b.client, api, { uuid: absent }))[1].replace(absent, vm),
      ])
    expect((await refusal(a.client, 'DeleteImage', { uuid: world.image }))[0]).toBe('ID.1002')
    expect((await refusal(a.client, 'CreateZone', { name: 'z' }))[0]).toBe('ID.1002')
    await a.client.call('StopVmInstance', { uuid: vm })
    await admin.call('RevokeResourceSharing', { resourceUuids: offered(), all: true })
    expect(await count(a.client, 'QueryImage')).toBe(0)
    expect(await count(a.client, 'QueryVmInstance')).toBe(1)
  })

  test('hears of what is its own, and of its end', async () => {
    const [a, b] = [await tenant('hearing'), await tenant('deaf')]
    const heard = async ({ client }: { client: ZStackClient }) => {
      const stop = new AbortController()
      const response = await fetch(`${site.url}/v1/events?lastEventId=1.0`, {
        headers: { Authorization: `Bearer ${client.session}` },
        signal: stop.signal,
      })
      let text = ''
      for await (const chunk of response.body!) {
        text += Buffer.from(chunk as Uint8Array).toString()
        if (text.includes('.deleted') || text.includes('until here')) break
      }
      stop.abort()
      return text
    }
    const pattern = await a.client.uuid('CreateTag', { name: 'until here', value: 'v' })
    await a.client.call('DeleteTag', { uuid: pattern })
    await b.client.uuid('CreateTag', { name: 'b', value: 'until here' })
    const marker = await b.client.uuid('CreateUserGroup', { name: 'end' })
    await b.client.call('DeleteUserGroup', { uuid: marker })
    const [ofA, ofB] = [await heard(a), await heard(b)]
    expect(ofA).toContain(pattern)
    expect(ofB).not.toContain(pattern)
    expect(ofB).toContain(marker)
  })

  test('goes with everything that is its own, and nothing else', async () => {
    const { uuid, client } = await tenant('short')
    await admin.call('ShareResource', { resourceUuids: offered(), toPublic: true })
    const before = await count(admin, 'QueryVmInstance')
    await client.uuid('CreateVmInstance', vmOf('goes'))
    await client.uuid('CreateUser', { name: 'goes', password: PASSWORD })
    await admin.call('DeleteAccount', { uuid })
    expect([
      await count(admin, 'QueryVmInstance'),
      await count(admin, 'QueryUser'),
      await count(admin, 'QueryQuota', [`identityUuid=${uuid}`]),
    ]).toEqual([before, 0, 0])
    expect((await refusal(client, 'QueryVmInstance', {}))[0]).toBe('ID.1001')
    expect(await count(admin, 'QueryImage')).toBe(1)
    expect(site.contradictions()).toEqual([])
    await admin.call('RevokeResourceSharing', { resourceUuids: offered(), all: true })
  })

  test('keeps what others do not use: who uses what it shares is not stopped by it', async () => {
    const [a, b] = [await tenant('giver'), await tenant('taker')]
    await admin.call('ChangeResourceOwner', { accountUuid: a.uuid, resourceUuid: world.l3 })
    await a.client.call('ShareResource', { resourceUuids: [world.l3], accountUuids: [b.uuid] })
    await admin.call('ShareResource', { resourceUuids: [world.offering, world.image], accountUuids: [b.uuid] })
    const vm = await b.client.uuid('CreateVmInstance', vmOf('guest'))
    const [code, text] = await refusal(a.client, 'DeleteL3Network', { uuid: world.l3 })
    expect([code, text]).toEqual(['SYS.1006', `l3-network ${world.l3} is used by resources of other accounts`])
    expect(text).not.toContain(vm)
    await admin.call('ChangeResourceOwner', { accountUuid: '36c27e8ff05c4780bf6d2fa65700f22e', resourceUuid: world.l3 })
    expect(await count(b.client, 'QueryL3Network')).toBe(0)
    await admin.call('RevokeResourceSharing', { resourceUuids: offered(), all: true })
  })
})

describe('a quota', () => {
  test('is not passed by calls side by side, and is free again at once', async () => {
    const { uuid, client } = await tenant('crowded')
    const limit = 7
    await admin.call('UpdateQuota', { identityUuid: uuid, name: 'volume.data.num', value: limit })
    const offering = await admin.uuid('CreateDiskOffering', { name: 'small', diskSize: 1024 ** 2 })
    await admin.call('ShareResource', { resourceUuids: [offering], toPublic: true })
    const make = () => client.exchange('CreateDataVolume', { name: 'd', diskOfferingUuid: offering })
    const ends = await Promise.all(Array.from({ length: 60 }, make))
    const codes = ends.map(({ last }) => (last.body?.['error'] as Row | undefined)?.['code'])
    expect(codes.filter((code) => code === undefined)).toHaveLength(limit)
    expect(new Set(codes.filter((code) => code !== undefined))).toEqual(new Set(['ID.1003']))
    const usage = async () => {
      const { usages } = (await client.call('GetAccountQuotaUsage', { uuid })) as { usages: Row[] }
      return usages.find(({ name }) => name === 'volume.data.num')
    }
    expect(await usage()).toEqual({ name: 'volume.data.num', total: limit, used: limit })
    const { inventories } = (await client.call('QueryVolume', {})) as { inventories: Row[] }
    await client.call('DeleteDataVolume', { uuid: inventories[0]!['uuid'] })
    expect(await usage()).toMatchObject({ used: limit - 1 })
    expect((await make()).last.status).toBe(200)
    expect((await make()).last.status).toBe(503)
  })

  test('is asked of who gets a resource, and never of what administrators make', async () => {
    const { uuid } = await tenant('full')
    await admin.call('UpdateQuota', { identityUuid: uuid, name: 'image.num', value: 0 })
    expect((await refusal(admin, 'ChangeResourceOwner', { accountUuid: uuid, resourceUuid: world.image }))[0]).toBe('ID.1003')
    expect(
      (await refusal(admin, 'UpdateQuota', { identityUuid: '36c27e8ff05c4780bf6d2fa65700f22e', name: 'image.num', value: 0 }))[0],
    ).toBe('SYS.1007')
  })
})

describe('a user', () => {
  test('may read, and do what its policies allow, and one is told why not', async () => {
    const { uuid, client } = await tenant('team')
    const user = await client.uuid('CreateUser', { name: 'ann', password: PASSWORD })
    const ann = await logged('LogInByUser', { accountUuid: uuid, userName: 'ann', password: PASSWORD })
    expect(await count(ann, 'QueryUser')).toBe(1)
    expect((await refusal(ann, 'CreateTag', { name: 't', value: 'v' }))[0]).toBe('ID.1002')
    const statements = [
      { name: 'tags', effect: 'Allow', actions: ['tag-pattern:*'] },
      { name: 'keep', effect: 'Deny', actions: ['APIDeleteTag*'] },
    ]
    const policyUuid = await client.uuid('CreatePolicy', { name: 'tags', statements })
    const groupUuid = await client.uuid('CreateUserGroup', { name: 'taggers' })
    await client.call('AddUserToGroup', { groupUuid, userUuid: user })
    await client.call('AttachPolicyToUserGroup', { groupUuid, policyUuid })
    const tag = await ann.uuid('CreateTag', { name: 't', value: 'v' })
    expect((await refusal(ann, 'DeleteTag', { uuid: tag }))[1]).toContain('denied by keep in policy tags')
    const why = await fetch(`${site.url}/v1/accounts/permissions?apiName=DeleteTag&userUuid=${user}`, {
      headers: { Authorization: `Bearer ${client.session}` },
    })
    expect(await why.json()).toMatchObject({ allowed: false, rule: 'statement', statement: { name: 'keep', effect: 'Deny' } })
    const { inventory } = await client.call('CheckApiPermission', {
      userUuid: user,
      apiNames: ['CreateTag', 'APIDeleteTagMsg', 'CreateZone'],
    })
    expect(inventory).toEqual({ CreateTag: 'Allow', APIDeleteTagMsg: 'Deny', CreateZone: 'Deny' })
    await client.call('RemoveUserFromGroup', { groupUuid, userUuid: user })
    expect((await refusal(ann, 'CreateTag', { name: 't', value: 'v' }))[0]).toBe('ID.1002')
  })

  test('can submit no long job for what it may not do, and ends with its sessions and keys', async () => {
    const { uuid, client } = await tenant('longer')
    const user = await client.uuid('CreateUser', { name: 'bob', password: PASSWORD })
    const bob = await logged('LogInByUser', { accountName: 'longer', userName: 'bob', password: PASSWORD })
    const policyUuid = await client.uuid('CreatePolicy', {
      name: 'long',
      statements: [{ name: 'l', effect: 'Allow', actions: ['SubmitLongJob'] }],
    })
    await client.call('AttachPolicyToUser', { userUuid: user, policyUuid })
    const job = { jobName: 'APICreateTagMsg', jobData: JSON.stringify({ name: 't', value: 'v' }) }
    expect((await refusal(bob, 'SubmitLongJob', job))[1]).toContain('CreateTag is allowed by no policy')
    const { inventory } = await client.call('CreateAccessKey', { accountUuid: uuid, userUuid: user })
    const key = inventory as Row & { AccessKeyID: string; AccessKeySecret: string }
    expect((await sendSigned(site.url, key, { path: '/zstack/v1/zones' })).status).toBe(200)
    await client.call('DeleteUser', { uuid: user })
    expect((await refusal(bob, 'QueryZone', {}))[0]).toBe('ID.1001')
    expect((await sendSigned(site.url, key, { path: '/zstack/v1/zones' })).status).toBe(403)
  })

  test('and an account bound by a role may do what the role allows', async () => {
    const { uuid, client } = await tenant('bound')
    const statements = [{ name: 'read', effect: 'Allow', actions: ['*:read'] }]
    const roleUuid = await admin.uuid('CreateRole', { name: 'reader', statements })
    await client.uuid('CreateTag', { name: 'before', value: 'v' })
    await admin.call('AttachRoleToAccount', { accountUuid: uuid, roleUuid })
    expect((await refusal(client, 'CreateTag', { name: 'after', value: 'v' }))[0]).toBe('ID.1002')
    expect(await count(client, 'QueryTag')).toBe(1)
    await admin.call('ChangeRoleState', { uuid: roleUuid, stateEvent: 'disable' })
    await client.uuid('CreateTag', { name: 'after', value: 'v' })
  })
})

describe('sessions', () => {
  const limit = (name: string, value?: string) =>
    admin.call('UpdateGlobalConfig', { category: 'identity', name, ...(value === undefined ? {} : { value }) })
  const good = async (client: ZStackClient) =>
    (await client.call('ValidateSession', { sessionUuid: client.session as string }))['valid']

  test('are begun by one call for all kinds of logins, too', async () => {
    const { uuid, client } = await tenant('unified')
    await client.uuid('CreateUser', { name: 'eve', password: PASSWORD })
    const own = { username: 'unified', password: PASSWORD, loginType: 'account' }
    expect(await (await logged('LogIn', own)).call('QueryAccount')).toMatchObject({ inventories: [{ uuid }] })
    const eve = { username: 'eve', password: PASSWORD, loginType: 'user', properties: { accountName: 'unified' } }
    expect((await refusal(await logged('LogIn', eve), 'CreateTag', { name: 't', value: 'v' }))[0]).toBe('ID.1002')
    const nobody = new ZStackClient(site.url)
    expect((await refusal(nobody, 'LogIn', { ...own, password: sha512('wrong') }))[0]).toBe('ID.1000')
    expect((await refusal(nobody, 'LogIn', { ...eve, properties: {} }))[0]).toBe('ID.1000')
    expect((await refusal(nobody, 'LogIn', { ...own, loginType: 'ldap' }))[0]).toBe('SYS.1007')
  })

  test('are as many as may be at once, also where all log in together, and one that ends makes room', async () => {
    const { client } = await tenant('busy-hours')
    await limit('session.maxConcurrent', '3')
    const who = { accountName: 'busy-hours', password: PASSWORD }
    const begun = await Promise.allSettled([1, 2, 3, 4].map(() => logged('LogInByAccount', who)))
    expect(begun.filter(({ status }) => status === 'fulfilled')).toHaveLength(2)
    expect((await refusal(new ZStackClient(site.url), 'LogInByAccount', who))[0]).toBe('ID.1006')
    await client.call('LogOut', { sessionUuid: client.session as string })
    await limit('enable.unique.session', 'true')
    const only = await logged('LogInByAccount', who)
    expect(await good(only)).toBe(true)
    for (const one of begun) if (one.status === 'fulfilled') expect(await good(one.value)).toBe(false)
    for (const name of ['session.maxConcurrent', 'enable.unique.session']) await limit(name)
    expect((await good(await logged('LogInByAccount', who))) && (await good(only))).toBe(true)
  })
})
