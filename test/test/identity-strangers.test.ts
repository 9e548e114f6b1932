/**
 * A stranger on a whole site: whatever it asks of what belongs to another account, by whatever call, it is answered as of what is not
 * there, and nothing that it is shown names what it may not see.
 */
import { ADMIN_ACCOUNT, apis, namedIn, type Row, resourceOf, rightsOf, tableOf } from '@skerry/contract'
import { sampleParams } from '@skerry/controller/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { makeSmallWorld } from '../harness/small-world.ts'
import { newUuid, sha512, ZStackClient } from '../harness/zstack-client.ts'

const PASSWORD = sha512('tenant')
const SECRET = 'only-its-owner-knows-this-name'

let site: SmallSite
let stranger: ZStackClient
let world: Awaited<ReturnType<typeof makeSmallWorld>>
/** what belongs to the other account, by table */
const theirs = new Map<string, string[]>()

async function tenant(name: string): Promise<{ uuid: string; client: ZStackClient }> {
  const uuid = await site.client.uuid('CreateAccount', { name, password: PASSWORD })
  const client = new ZStackClient(site.url)
  const { inventory } = await client.call('LogInByAccount', { accountName: name, password: PASSWORD })
  client.session = (inventory as Row)['uuid'] as string
  return { uuid, client }
}

const queries = apis.filter(({ api, resource }) => api.query && resource.inventory && rightsOf({ api, resource }) !== 'admin')

const vmOf = (name: string) => ({
  ...{ name, instanceOfferingUuid: world.offering, imageUuid: world.image, l3NetworkUuids: [world.l3] },
})

/** One of many kinds of resources, with a name that must not be seen. */
async function settle(owner: ZStackClient, accountUuid: string): Promise<void> {
  const name = SECRET
  const vm = await owner.uuid('CreateVmInstance', {
    ...vmOf(name),
    systemTags: ['hostname::taken-here'],
  })
  await owner.call('CreateDataVolume', { name, diskOfferingUuid: world.diskOffering })
  const statements = [{ name, effect: 'Allow', actions: ['*'] }]
  await owner.uuid('CreatePolicy', { name, statements })
  const user = await owner.uuid('CreateUser', { name, password: PASSWORD })
  await owner.uuid('CreateUserGroup', { name })
  await owner.call('CreateAccessKey', { accountUuid, userUuid: user })
  await owner.uuid('CreateTag', { name, value: name })
  await owner.uuid('CreateUserTag', { resourceType: 'VmInstanceVO', resourceUuid: vm, tag: name })
  await owner.uuid('CreateAffinityGroup', { name, policy: 'antiSoft' })
  await owner.call('SubmitLongJob', { name, jobName: 'APICreateTagMsg', jobData: JSON.stringify({ name, value: name }) })
}

async function uuidsSeenBy(client: ZStackClient): Promise<Map<string, Set<string>>> {
  const seen = new Map<string, Set<string>>()
  for (const { api, resource } of queries) {
    const { inventories } = (await client.call(api.api, {})) as { inventories: Row[] }
    const uuids = inventories.flatMap(({ uuid }) => (typeof uuid === 'string' ? [uuid] : []))
    seen.set(tableOf(resource), new Set([...(seen.get(tableOf(resource)) ?? []), ...uuids]))
  }
  return seen
}

beforeAll(async () => {
  site = await startSmallSite()
  world = await makeSmallWorld(site)
  const shared = [world.offering, world.diskOffering, world.image, world.l3]
  await site.client.call('ShareResource', { resourceUuids: shared, toPublic: true })
  const owner = await tenant('owner')
  stranger = (await tenant('stranger')).client
  await settle(owner.client, owner.uuid)
  const [mine, others] = [await uuidsSeenBy(owner.client), await uuidsSeenBy(stranger)]
  for (const [table, uuids] of mine) {
    const hidden = [...uuids].filter((uuid) => !others.get(table)?.has(uuid))
    if (hidden.length > 0) theirs.set(table, hidden)
  }
})
afterAll(() => site.stop())

/** Parameters that name what is another account's, and the same with what is not there; undefined: there is nothing to name. */
function paramsOf(one: (typeof apis)[number]): { foreign: Row; absent: Row } | undefined {
  const params = { ...sampleParams(one.api) }
  delete params['resourceUuid']
  const [foreign, absent] = [{ ...params }, { ...params }]
  let named = 0
  for (const { parameter, of, path } of namedIn(one)) {
    if (!(parameter in params) && !path && parameter !== 'resourceUuid') continue
    const resource = resourceOf(of === '*' ? 'vmInstance' : of)
    const uuid = theirs.get(resource ? tableOf(resource) : of)?.[0]
    if (uuid !== undefined) named++
    const as = (value: string) => (Array.isArray(params[parameter]) || parameter.endsWith('Uuids') ? [value] : value)
    foreign[parameter] = as(uuid ?? newUuid())
    absent[parameter] = as(newUuid())
  }
  return named > 0 ? { foreign, absent } : undefined
}

const plain = (text: string) => text.replace(/[0-9a-f]{32}/g, 'UUID')
const uuidsIn = (value: unknown) => JSON.stringify(value).match(/[0-9a-f]{32}/g) ?? []

test('there is something of many kinds to hide', () => expect(theirs.size).toBeGreaterThan(12))

test('no call tells a stranger that it is there, at once or by its job', async () => {
  const hidden = new Set([...theirs.values()].flat())
  const wrong: string[] = []
  let tried = 0
  for (const one of apis.filter((a) => a.api.session && !a.api.query && !a.api.own && rightsOf(a) !== 'admin')) {
    const params = paramsOf(one)
    if (!params) continue
    tried++
    const [foreign, absent] = [
      (await stranger.exchange(one.api.api, params.foreign)).last,
      (await stranger.exchange(one.api.api, params.absent)).last,
    ]
    const [told, sent] = [plain(foreign.text), new Set(uuidsIn(params.foreign))]
    if (foreign.status !== absent.status || told !== plain(absent.text))
      wrong.push(`${one.api.api}: ${told} / ${plain(absent.text)}`)
    if (uuidsIn(foreign.text).some((uuid) => hidden.has(uuid) && !sent.has(uuid)) || told.includes(SECRET))
      wrong.push(`${one.api.api} tells: ${foreign.text}`)
  }
  expect(wrong).toEqual([])
  expect(tried).toBeGreaterThan(60)
})

test('no query shows it to a stranger, by uuid, by condition, through a relation or as a count', async () => {
  const wrong: string[] = []
  for (const { api, resource } of queries) {
    const uuid = theirs.get(tableOf(resource))?.[0]
    const asks: Row[] = [
      { limit: 1000 },
      { replyWithCount: true },
      ...(uuid ? [{ q: [`uuid=${uuid}`], replyWithCount: true }] : []),
    ]
    for (const ask of asks) {
      const { text, body } = (await stranger.exchange(api.api, ask)).last
      if (text.includes(SECRET) || (ask['q'] && body?.['total'] !== 0)) wrong.push(`${api.api} ${JSON.stringify(ask)}: ${text}`)
    }
  }
  for (const [api, q] of [
    ['QueryZone', 'vmInstances.name'],
    ['QueryL3Network', 'vmNics.vmInstance.name'],
    ['QueryImage', 'vmInstances.name'],
    ['QueryInstanceOffering', 'vmInstances.name'],
  ] as const) {
    const { last } = await stranger.exchange(api, { q: [`${q}=${SECRET}`], count: true })
    if (last.status !== 200 || last.body?.['total'] !== 0) wrong.push(`${api} ${q}: ${last.text}`)
  }
  const zql = await stranger.exchange('ZQLQuery', { zql: `query vminstance where name='${SECRET}'` })
  expect(zql.last.text).not.toContain(theirs.get('vmInstance')![0])
  expect(wrong).toEqual([])
})

test('what is taken is told without by whom', async () => {
  const hidden = new Set([...theirs.values()].flat())
  const nic = theirs.get('vmNic')![0]
  const { ip, mac } = site.controller.engine.graph.get('vmNic', nic!) as { ip: string; mac: string }
  const vmInstanceUuid = await stranger.uuid('CreateVmInstance', vmOf('mine'))
  const asks: [api: string, params: Row, sent: string | undefined][] = [
    ['CreateVmInstance', { ...vmOf('n'), systemTags: ['hostname::taken-here'] }, undefined],
    ['AttachL3NetworkToVm', { vmInstanceUuid, l3NetworkUuid: world.l3, staticIp: ip }, undefined],
    ['AttachL3NetworkToVm', { vmInstanceUuid, l3NetworkUuid: world.l3, customMac: mac }, undefined],
    ['CreateTag', { name: 't', value: 'v', resourceUuid: theirs.get('volume')![0] }, theirs.get('volume')![0]],
  ]
  for (const [api, params, sent] of asks) {
    const { text, status } = (await stranger.exchange(api, params)).last
    expect([api, status]).toEqual([api, 503])
    expect([api, text.includes(SECRET), uuidsIn(text).filter((uuid) => hidden.has(uuid) && uuid !== sent)]).toEqual([
      api,
      false,
      [],
    ])
    expect(text).not.toMatch(/volume/i)
  }
})

test('whose resources are is told of what one sees, by query and by ZQL', async () => {
  const refs = async (client: ZStackClient, ...q: string[]) =>
    (await client.call('QueryAccountResourceRef', { q, limit: 10_000 }))['inventories'] as Row[]
  const [vm] = theirs.get('vmInstance')!
  const all = await refs(site.client)
  const [ref] = await refs(site.client, `resourceUuid=${vm}`)
  expect(ref).toMatchObject({ resourceUuid: vm, resourceType: 'VmInstanceVO', concreteResourceType: 'VmInstanceVO' })
  expect(all).toContainEqual(ref)
  const owner = ref!['accountUuid']
  const sorted = (rows: Row[]) => rows.map((row) => String(row['resourceUuid'])).sort()
  for (const account of [owner, ADMIN_ACCOUNT]) {
    const its = all.filter((row) => row['accountUuid'] === account)
    expect(its.length).toBeGreaterThan(2)
    expect(sorted(await refs(site.client, `accountUuid=${account}`))).toEqual(sorted(its))
  }
  expect(await refs(stranger, `resourceUuid=${vm}`)).toEqual([])
  expect(await refs(stranger, `accountUuid=${owner}`)).toEqual([])
  expect(await refs(stranger, `resourceUuid=${world.image}`)).toMatchObject([{ accountUuid: ADMIN_ACCOUNT }])
  const zql = (client: ZStackClient) => client.call('ZQLQuery', { zql: `query accountresourceref where resourceUuid='${vm}'` })
  expect(await zql(site.client)).toMatchObject({ results: [{ inventories: [{ accountUuid: owner }] }] })
  expect(JSON.stringify(await zql(stranger))).not.toContain(owner)
})
