/** The past of a site over HTTP and NATS: what was, what became of it, who did it by which job; events from a time on. No secrets. */
import { rightsOf } from '@skerry/bus'
import { type Row, subjects } from '@skerry/contract'
import { createClient, type ServerEvent } from '@skerry/sdk'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { sha512 } from '../harness/zstack-client.ts'

const CANARY = 'canary-of-the-past-7f3a'

let site: SmallSite
let client: ReturnType<typeof createClient>
let zone: string
let before: number
let beforeTime: string

const names = async (at?: string) =>
  (await client.query('zone', { fields: ['name'], sort: '+name', ...(at ? { at } : {}) })).inventories.map(({ name }) => name)

async function all(events: AsyncIterable<ServerEvent>): Promise<ServerEvent[]> {
  const found: ServerEvent[] = []
  for await (const event of events) found.push(event)
  return found
}

beforeAll(async () => {
  site = await startSmallSite()
  client = createClient({ baseUrl: site.url, session: site.client.session! })
  zone = (await client.call('CreateZone', { name: 'north', description: 'old' }, { wait: true })).inventory.uuid as string
  const gone = (await client.call('CreateZone', { name: 'gone' }, { wait: true })).inventory.uuid as string
  await client.call('CreateCluster', { name: 'too', zoneUuid: gone, hypervisorType: 'KVM' }, { wait: true })
  before = site.store.durableSeq
  site.advance(3_600_000)
  beforeTime = new Date(Date.now() + 1_800_000).toISOString()
  await client.call('UpdateZone', { uuid: zone, name: 'south', description: 'new' }, { wait: true })
  await client.call('DeleteZone', { uuid: gone }, { wait: true })
  await client.call('CreateZone', { name: 'added' }, { wait: true })
  const access = { hostname: '192.0.2.77', username: 'root', password: CANARY, url: '/images' }
  // Nobody is there: the secret was in the log's reach, and the job failed.
  await client.call('AddSftpBackupStorage', { name: 'far', ...access }, { wait: true }).catch(() => undefined)
  await site.settled()
})
afterAll(() => site?.stop())

it('answers queries and gets as it would have then, by sequence and by time', async () => {
  expect(await names()).toEqual(['added', 'south'])
  for (const at of [String(before), beforeTime]) {
    expect(await names(at)).toEqual(['gone', 'north'])
    expect(await client.get('zone', zone, { at })).toMatchObject({ name: 'north', description: 'old' })
    expect((await client.get('zone', 'gone', { at })).uuid).toBeDefined()
  }
  expect(await names('0')).toEqual([])
  await expect(client.get('zone', 'added', { at: beforeTime })).rejects.toMatchObject({ code: 'not-found' })
})

it('answers the same over NATS', async () => {
  const bus = site.broker.connect(rightsOf({ kind: 'operator-cli', id: 'x' }))
  const headers = { Authorization: `Bearer ${site.client.session}`, 'Skerry-At': beforeTime }
  const asked = bus.request(subjects.api('zone', zone, 'get'), null, { timeoutMs: 10_000, headers })
  expect((await asked).data).toMatchObject({ inventories: [{ name: 'north' }] })
  await bus.close()
})

it.each([
  ['still to come', '9999-01-01', 'invalid-argument'],
  ['a sequence that is still to come', '99999999', 'invalid-argument'],
  ['no time', 'yesterday', 'invalid-argument'],
])('refuses a time that is %s', async (_what, at, code) => {
  await expect(client.query('zone', { at })).rejects.toMatchObject({ code })
  await expect(client.diff({ from: at })).rejects.toMatchObject({ code })
})

it('tells what became of everything between two times', async () => {
  const { entries } = await client.diff({ from: String(before), noun: 'zone' })
  const told = entries.map(({ change, name, fields }) => [change, name, fields['name'], fields['description']])
  expect(told).toEqual([
    ['changed', 'south', { before: 'north', after: 'south' }, { before: 'old', after: 'new' }],
    ['deleted', 'gone', { before: 'gone' }, undefined],
    ['created', 'added', { after: 'added' }, undefined],
  ])
  expect((await client.diff({ from: String(before), to: String(before) })).entries).toEqual([])
  const only = await client.diff({ from: beforeTime, uuid: zone })
  expect(only).toMatchObject({ complete: true, entries: [{ uuid: zone }] })
  const first = await client.diff({ from: String(before), noun: 'zone', limit: 2 })
  expect(first).toMatchObject({ complete: false, entries: entries.slice(0, 2) })
  await expect(client.diff({ from: String(before + 1), to: String(before) })).rejects.toMatchObject({ code: 'invalid-argument' })
})

it('tells who changed a resource, by which call and job, from what to what', async () => {
  for (const { entries, complete } of [await client.historyOf('zone', 'south'), await client.historyOf('zone', zone)]) {
    expect(complete).toBe(true)
    expect(entries.map(({ api, account }) => [api, account])).toEqual([
      ['CreateZone', 'admin'],
      ...entries.slice(1).map(() => ['UpdateZone', 'admin']),
    ])
    const change = entries.flatMap(({ changes }) => changes).find(({ key, before }) => key === zone && before?.['name'])
    expect(change).toMatchObject({ fields: { name: 'south', description: 'new' }, before: { name: 'north', description: 'old' } })
    const job = entries.at(-1)!.job!
    expect((await client.job(job)).api).toBe('UpdateZone')
  }
})

it('replays events from a time, a sequence or an event on, of a noun, a resource, a kind, an account, a job', async () => {
  const since = String(before)
  const events = await all(client.events({ since, noun: 'zone', live: false }))
  expect(events.map(({ subject }) => subject.split('.').at(-1))).toEqual(['updated', 'deleted', 'created'])
  const same = async (o: Parameters<typeof client.events>[0]) =>
    (await all(client.events({ ...o, live: false }))).map(({ id }) => id)
  const ids = events.map(({ id }) => id)
  expect(await same({ since: beforeTime, noun: 'zone' })).toEqual(ids)
  expect(await same({ lastEventId: ids[0]!, noun: 'zone' })).toEqual(ids.slice(1))
  expect(await same({ since, uuid: zone })).toEqual(ids.slice(0, 1))
  expect(await same({ since, noun: 'zone', event: 'created' })).toEqual(ids.slice(2))
  const { job } = events[0]!.data as { job: string }
  expect(await same({ since, job })).toContain(ids[0])
  expect(await same({ since, noun: 'zone', account: 'admin' })).toEqual(ids)
  expect(await same({ since, noun: 'zone', account: 'system' })).toEqual([])
  // Of a commit with several facts none comes twice, and none is left out.
  const every = (await same({ since: '0' })).map((id) => id!.split('.').map(Number) as [number, number])
  const [several] = every.find(([, n]) => n > 0)!
  const behind = (await same({ since: String(several) })).map((id) => Number.parseInt(id!, 10))
  expect(behind).toEqual(every.map(([seq]) => seq).filter((seq) => seq > several))
  await expect(same({ since, account: 'nobody' })).rejects.toMatchObject({ code: 'not-found' })
})

it('goes on with what comes, without a gap and without a double', async () => {
  const stop = new AbortController()
  const seen: string[] = []
  const reading = (async () => {
    for await (const { data } of client.events({ since: String(before), noun: 'zone', event: 'created', signal: stop.signal })) {
      seen.push(String((data as Row)['uuid']))
      if (seen.length === 6) stop.abort()
    }
  })().catch((error) => {
    if (!stop.signal.aborted) throw error
  })
  const made: string[] = []
  for (let n = 0; n < 5; n++)
    made.push((await client.call('CreateZone', { name: `z${n}` }, { wait: true })).inventory.uuid as string)
  await reading
  expect(seen.slice(1)).toEqual(made)
})

it('tells which user of an account it was', async () => {
  const password = sha512('ann')
  const ann = (await client.call('CreateUser', { name: 'ann', password }, { wait: true })).inventory.uuid as string
  const statements = [{ name: 'all', effect: 'Allow' as const, actions: ['UpdateZone'] }]
  const policy = (await client.call('CreatePolicy', { name: 'zones', statements }, { wait: true })).inventory.uuid as string
  await client.call('AttachPolicyToUser', { userUuid: ann, policyUuid: policy }, { wait: true })
  const { inventory } = await client.call('LogInByUser', { accountName: 'admin', userName: 'ann', password })
  const hers = createClient({ baseUrl: site.url, session: inventory.uuid as string })
  await hers.call('UpdateZone', { uuid: zone, description: 'by ann' }, { wait: true })
  const last = async () => (await client.historyOf('zone', zone)).entries.filter(({ api }) => api === 'UpdateZone').at(-1)
  expect(await last()).toMatchObject({ account: 'admin', user: 'ann' })
  expect((await client.query('job', { q: [`userUuid=${ann}`] })).inventories).toMatchObject([{ api: 'UpdateZone' }])
  // What was before is for the account itself.
  for (const look of [hers.historyOf('zone', zone), hers.diff({ from: '0' }), hers.query('zone', { at: '0' })])
    await expect(look).rejects.toMatchObject({ code: 'permission-denied' })
  await client.call('UpdateZone', { uuid: zone, description: 'new' }, { wait: true })
  expect(await last()).not.toHaveProperty('user')
  await client.call('DeleteUser', { uuid: ann }, { wait: true })
  const told = (await client.historyOf('zone', zone)).entries.map(({ user }) => user)
  expect(told).toContain(ann)
})

it('shows no hidden field in a plan', async () => {
  const { plan } = await client.call('CreateUser', { name: 'bob', password: sha512('bob') }, { dryRun: true })
  expect(JSON.stringify(plan)).toContain('bob')
  expect(JSON.stringify(plan)).not.toMatch(/passwordHash|policyUuids/)
  expect(JSON.stringify(plan)).not.toContain(sha512('bob'))
})

it('shows no secret in any of it', async () => {
  const { uuid: accountUuid } = await client.get('account', 'admin')
  const given = { accountUuid: accountUuid as string, userUuid: accountUuid as string }
  const key = (await client.call('CreateAccessKey', given, { wait: true })).inventory as Row
  const { entries } = await client.diff({ from: String(before), noun: 'access-key' })
  expect(entries).toMatchObject([{ fields: { AccessKeyID: { after: key['AccessKeyID'] } } }])
  const texts: unknown[] = [
    await client.diff({ from: '0' }),
    await client.query('backupStorage', { at: String(site.store.durableSeq) }),
    await all(client.events({ since: '0', live: false })),
  ]
  for (const { uuid } of (await client.query('job')).inventories) texts.push(await client.history({ job: String(uuid) }))
  for (const secret of [CANARY, String(key['AccessKeySecret'])]) expect(JSON.stringify(texts)).not.toContain(secret)
  expect(JSON.stringify(texts)).not.toContain(site.client.session)
  expect(JSON.stringify(texts)).toContain('south')
})
