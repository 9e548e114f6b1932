/** Calls over NATS on a whole site: log in, make, follow, look, delete; the same jobs as HTTP's, and nobody else may call. */
import { type GatheringBus, rightsOf } from '@skerry/bus'
import { type Row, subjects } from '@skerry/contract'
import { createClient } from '@skerry/sdk'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { newUuid, sha512 } from '../harness/zstack-client.ts'

const TIMEOUT_MS = 20_000

let site: SmallSite
let bus: GatheringBus
let session: string

const call = async (subject: string, data: unknown = null, headers: Record<string, string> = {}) => {
  const auth: Record<string, string> = session ? { Authorization: `Bearer ${session}` } : {}
  const reply = await bus.request(subject, data, { timeoutMs: TIMEOUT_MS, headers: { ...auth, ...headers } })
  return { status: Number(reply.headers['Skerry-Status']), body: reply.data as Row }
}

beforeAll(async () => {
  site = await startSmallSite()
  bus = site.broker.connect(rightsOf({ kind: 'operator-cli', id: 'x' }))
  const login = await call(subjects.api('account', undefined, 'login'), { accountName: 'admin', password: sha512('password') })
  session = (login.body['inventory'] as Row)['uuid'] as string
})
afterAll(async () => {
  await bus?.close()
  await site?.stop()
})

it('makes a zone once, however often the same job is asked for, and tells of its end', async () => {
  const job = newUuid()
  const ended: unknown[] = []
  bus.subscribe(subjects.job(job, 'done'), (m) => void ended.push(m.data))
  await bus.flush()
  const create = subjects.api('zone', undefined, 'create')
  const replies = await Promise.all(
    [1, 2, 3].map(() => call(create, { name: 'z1' }, { 'Skerry-Job': job, 'Skerry-Wait': '10s' }).catch((e) => e as Error)),
  )
  const again = await call(create, { name: 'z1' }, { 'Skerry-Job': job, 'Skerry-Wait': '10s' })
  expect(again).toMatchObject({ status: 201, body: { inventory: { name: 'z1' } } })
  // Those that came while the first was on its way are refused or answered the same; none makes another.
  for (const reply of replies) {
    if (reply instanceof Error) expect(reply).toMatchObject({ code: expect.stringMatching(/^(duplicate-job|conflict)$/) })
    else expect(reply.body).toEqual(again.body)
  }
  const { inventories } = await createClient({ baseUrl: site.url, session }).query('zone')
  expect(inventories).toHaveLength(1)
  expect(ended).toEqual([{ uuid: job, state: 'done', api: 'CreateZone' }])
  await expect(call(create, { name: 'z2' }, { 'Skerry-Job': job })).rejects.toMatchObject({ code: 'duplicate-job' })
  const client = createClient({ baseUrl: site.url, session })
  expect((await client.job(job)).state).toBe('done')
})

it('shows what a deletion would do, and does exactly that', async () => {
  const { uuid } = await createClient({ baseUrl: site.url, session }).get('zone', 'z1')
  const remove = subjects.api('zone', uuid, 'delete')
  const { plan } = (await call(remove, null, { 'Skerry-Dry-Run': 'true' })).body as { plan: { hash: string; cascade: Row[] } }
  expect(plan.cascade).toMatchObject([{ resource: 'zone', uuid }])
  expect((await call(subjects.api('zone', uuid, 'get'))).body).toMatchObject({ inventories: [{ name: 'z1' }] })
  const done = await call(remove, null, { 'If-Plan': plan.hash, 'Skerry-Wait': '10s' })
  expect(done).toEqual({ status: 200, body: {} })
  await expect(call(subjects.api('zone', uuid, 'get'))).rejects.toMatchObject({ code: 'not-found' })
})

it('is not for agents, whatever session they show', async () => {
  const agent = site.machine.bus('kvm')
  const headers = { Authorization: `Bearer ${session}` }
  const asked = agent.request(subjects.api('zone', undefined, 'get'), null, { timeoutMs: TIMEOUT_MS, headers })
  await expect(asked).rejects.toMatchObject({ code: 'permission-denied' })
})
