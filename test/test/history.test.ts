/** `/v1/history` over a real log: what it tells of a job and of a resource, and what it keeps to itself. */
import type { HistoryEntry, Row } from '@skerry/contract'
import { createClient } from '@skerry/sdk'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { makeSmallWorld, type SmallWorld } from '../harness/small-world.ts'

let site: SmallSite
let world: SmallWorld
let client: ReturnType<typeof createClient>

beforeAll(async () => {
  site = await startSmallSite()
  world = await makeSmallWorld(site)
  client = createClient({ baseUrl: site.url, session: site.client.session! })
})
afterAll(() => site?.stop())

const tables = (entries: { changes: HistoryEntry['changes'] }[]) =>
  new Set(entries.flatMap(({ changes }) => changes.map((c) => c.table)))

it('tells of a job from its acceptance to its end: each step once, in order, with what it wrote', async () => {
  const params = { name: 'web', imageUuid: world.image, l3NetworkUuids: [world.l3], instanceOfferingUuid: world.offering }
  const { job } = await client.call('CreateVmInstance', params)
  const ended = await client.waitJob(job.uuid)
  expect(ended.state).toBe('done')
  const { entries, complete } = await client.history({ job: job.uuid })
  expect(complete).toBe(true)
  expect(entries.map(({ seq }) => seq)).toEqual([...entries.map(({ seq }) => seq)].sort((a, b) => a - b))
  const steps = entries.flatMap(({ step }) => (step ? [step] : []))
  expect(steps.length).toBeGreaterThanOrEqual(8)
  expect(ended.steps.slice(0, steps.length)).toEqual(steps.map(({ name }) => name))
  expect(entries.some(({ documents }) => documents > 0)).toBe(true)
  expect(tables(entries)).toContain('vmInstance')
  expect(entries[0]?.changes).toContainEqual(expect.objectContaining({ table: 'job', key: job.uuid, op: 'put' }))

  const vm = await client.get('vmInstance', 'web')
  const of = await client.history({ resourceUuid: vm.uuid })
  expect(of.complete).toBe(true)
  const facts = of.entries.flatMap((entry) => entry.facts).filter(({ uuid }) => uuid === vm.uuid)
  expect(facts.map(({ event }) => event)).toContain('created')
  expect(facts.map(({ data }) => data?.['to'])).toContain('Running')
})

it('of a job among later ones is its own', async () => {
  const { job } = await client.call('CreateZone', { name: 'one' })
  await client.waitJob(job.uuid)
  await client.call('CreateZone', { name: 'two' }, { wait: true })
  const { entries } = await client.history({ job: job.uuid })
  expect(entries.length).toBeGreaterThan(0)
  expect(JSON.stringify(entries)).not.toContain('two')
  const few = await client.history({ resourceUuid: world.l3, limit: 1 })
  expect(few).toMatchObject({ entries: [expect.anything()], complete: false })
})

it('shows no hidden field, no secret, no session', async () => {
  const shown = JSON.stringify([
    await client.history({ resourceUuid: world.host }),
    await client.history({ resourceUuid: world.backupStorage }),
  ])
  for (const hidden of ['$secret', 'password', 'placementEpoch', 'session', '"input"'])
    expect(shown, hidden).not.toContain(hidden)
  const row = site.controller.state.graph.get('host', world.host) as Row
  expect(shown).not.toContain((row['password'] as { $secret: string }).$secret)
})

it('of nothing is empty', async () => {
  expect(await client.history({ resourceUuid: 'f'.repeat(32) })).toEqual({ entries: [], complete: false })
})
