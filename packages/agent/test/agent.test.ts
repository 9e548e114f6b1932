import { discoverServices, rightsOf } from '@skerry/bus'
import {
  canonicalJson,
  digestReply,
  HEARTBEAT_MS,
  heartbeat,
  inventoryReply,
  planReply,
  status,
  statusesReply,
  subjects,
} from '@skerry/contract'
import { fakeHost } from '@skerry/host'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { AGENT, bench, doc, id, ManualTime, tomb, turns, until } from './bench.ts'

let b: Awaited<ReturnType<typeof bench>>
beforeEach(async () => {
  b = await bench()
})
afterEach(() => b.stop())

const conditions = () => b.statuses.map((s) => `${Number.parseInt(s.uuid, 16)} ${s.condition}`)

describe('sync', () => {
  test('is carried out and told: documents become things, tombstones remove them', async () => {
    await b.start()
    await b.ask('sync', { documents: [doc('thing', id(1), 1), doc('thing', id(2), 1, { size: 5 })], epoch: 1 })
    await until(() => b.statuses.length === 2)
    expect([...b.things]).toEqual([
      [id(1), 1],
      [id(2), 5],
    ])
    await b.ask('sync', { documents: [tomb('thing', id(1), 2)], epoch: 1 })
    await until(() => b.statuses.length === 3)
    expect(conditions()).toEqual(['1 Ready', '2 Ready', '1 Gone'])
    expect(b.things.has(id(1))).toBe(false)
    for (const s of b.statuses) status.parse(s)
  })

  test('that is repeated tells again what came of it, because its sender may have missed that', async () => {
    await b.start()
    await b.ask('sync', { documents: [tomb('thing', id(1), 2)], epoch: 1 })
    await until(() => b.statuses.length === 1)
    await b.ask('sync', { documents: [tomb('thing', id(1), 2)], epoch: 2 })
    await until(() => b.statuses.length === 2)
    expect(conditions()).toEqual(['1 Gone', '1 Gone'])
  })

  test('leaves the host and the ledger as they were when one of its documents is refused', async () => {
    const { ledger } = await b.start()
    await b.ask('sync', { documents: [doc('thing', id(1), 5)], epoch: 1 })
    await until(() => b.statuses.length === 1)
    const digest = ledger.digest()
    const good = doc('thing', id(2), 6)
    const bad = {
      'invalid-document': [
        { ...doc('thing', id(3), 6), hash: 'beef' },
        doc('thing', id(3), 6, { size: 'x' }),
        doc('planet', id(3), 6),
        doc('thing', id(3), 6, { size: 1, note: 'x'.repeat(256 * 1024) }),
        { ...tomb('thing', id(3), 6), uuid: 'x' },
      ],
      'agent-too-old': [{ ...doc('thing', id(3), 6), schema: 2 }],
      'stale-generation': [doc('thing', id(1), 4)],
      'generation-conflict': [doc('thing', id(1), 5, { size: 9 })],
    }
    for (const [code, documents] of Object.entries(bad)) {
      for (const document of documents)
        await expect(b.ask('sync', { documents: [good, document], epoch: 1 })).rejects.toMatchObject({ code })
    }
    await expect(b.ask('sync', { documents: [good, doc('thing', id(1), 6)], epoch: 0 })).rejects.toMatchObject({
      code: 'stale-epoch',
    })
    await expect(b.ask('sync', { documents: 'all' })).rejects.toMatchObject({ code: 'invalid-document' })
    await turns()
    expect(ledger.digest()).toBe(digest)
    expect([...b.things.keys()]).toEqual([id(1)])
  })

  test('a wiped agent reports its things as Orphaned, touches none, and a sync adopts them', async () => {
    const first = await b.start()
    const documents = [doc('thing', id(1), 1), doc('thing', id(2), 1)]
    const { digest } = (await b.ask('sync', { documents, epoch: 1 })) as { digest: string }
    await until(() => b.statuses.length === 2)
    await first.agent.stop()
    b.host.disk.remove('/var/lib/agent')
    b.statuses.length = 0
    const { ledger } = await b.start()
    await until(() => b.statuses.length === 2)
    expect(conditions()).toEqual(['1 Orphaned', '2 Orphaned'])
    expect(b.things.size).toBe(2)
    const held = digestReply.parse(await b.ask('digest', null))
    expect(held.entries).toEqual([])
    expect(await b.ask('sync', { documents, epoch: 1 })).toEqual({ digest })
    await until(() => b.statuses.length === 4)
    expect(conditions().slice(2)).toEqual(['1 Ready', '2 Ready'])
    expect(ledger.digest()).toBe(digest)
  })
})

test('what was meant for a ledger that was lost is refused by the next one, and what names its own, or none, is taken', async () => {
  const ledgerOf = () => heartbeat.parse(b.heartbeats.at(-1)).ledger!
  const first = await b.start()
  await until(() => b.heartbeats.length > 0)
  const lost = ledgerOf()
  await first.agent.stop()
  const second = await b.start()
  expect(second.ledger.id).toBe(lost)
  await b.ask('sync', { documents: [tomb('thing', id(1), 9)], epoch: 1, ledger: lost })
  await second.agent.stop()
  b.host.disk.remove('/var/lib/agent')
  const { ledger } = await b.start()
  const late = { documents: [doc('thing', id(1), 5)], epoch: 1 }
  await expect(b.ask('sync', { ...late, ledger: lost })).rejects.toMatchObject({ code: 'agent-unreachable' })
  const command = { id: 'c1', deadlineMs: 1_000, epoch: 1, mode: 'apply', input: {} }
  await expect(b.ask('poke', { ...command, ledger: lost }, 'thing', id(1))).rejects.toMatchObject({ code: 'agent-unreachable' })
  expect(ledger.digestEntries()).toEqual([])
  await until(() => ledgerOf() === ledger.id)
  await b.ask('sync', { ...late, ledger: ledger.id })
  await b.ask('sync', { documents: [doc('thing', id(2), 5)], epoch: 1 })
  expect(ledger.digestEntries()).toHaveLength(2)
})

describe('an agent', () => {
  test('answers digest, statuses, inventory and plan as the contract says', async () => {
    await b.start()
    await b.ask('sync', { documents: [doc('thing', id(1), 1)], epoch: 1 })
    await until(() => b.statuses.length === 1)
    const digest = digestReply.parse(await b.ask('digest', null))
    expect(digest.entries).toMatchObject([{ noun: 'thing', uuid: id(1), generation: { incarnation: 1, seq: 1 } }])
    expect(statusesReply.parse(await b.ask('statuses', null)).statuses).toEqual(b.statuses)
    expect(inventoryReply.parse(await b.ask('inventory', null)).items).toMatchObject([{ kind: 'thing', id: id(1) }])
    const plan = planReply.parse(await b.ask('plan', { documents: [tomb('thing', id(1), 2)], epoch: 1 }))
    expect(plan.changes).toEqual([{ noun: 'thing', uuid: id(1), change: { uuid: id(1), op: 'remove' } }])
    expect(b.things.size).toBe(1)
    await expect(b.ask('dance', null)).rejects.toMatchObject({ code: 'not-found' })
  })

  test('works from its ledger before there is a bus, and tells what it did when the bus comes', async () => {
    const first = await b.start()
    await b.ask('sync', { documents: [doc('thing', id(1), 1)], epoch: 1 })
    await until(() => b.statuses.length === 1)
    await first.agent.stop()
    b.things.clear()
    b.statuses.length = 0
    let come = (_: ReturnType<typeof b.broker.connect>) => {}
    await b.start(new Promise((resolve) => (come = resolve)))
    await until(() => b.things.size === 1)
    expect(b.statuses).toEqual([])
    come(b.broker.connect(rightsOf({ kind: 'agent', agent: { kind: 'storage', uuid: AGENT } })))
    await until(() => b.statuses.length === 1)
    expect(conditions()).toEqual(['1 Ready'])
  })

  test('tells after a break of the bus what changed meanwhile, once and the newest only', async () => {
    const bus = b.broker.connect(rightsOf({ kind: 'agent', agent: { kind: 'storage', uuid: AGENT } }))
    const { agent } = await b.start(bus)
    await b.ask('sync', { documents: [doc('thing', id(1), 1), doc('thing', id(2), 1)], epoch: 1 })
    await until(() => b.statuses.length === 2)
    b.statuses.length = 0
    bus.disconnect()
    b.things.set(id(9), 1)
    await agent.reconciler.pass()
    b.things.set(id(9), 2)
    await agent.reconciler.pass()
    await turns()
    expect(b.statuses).toEqual([])
    const beats = b.heartbeats.length
    bus.reconnect()
    await until(() => b.statuses.length === 1 && b.heartbeats.length > beats)
    expect(b.statuses).toMatchObject([{ uuid: id(9), condition: 'Orphaned', observed: { size: 2 } }])
  })

  test('stopping and starting it touches nothing on the host', async () => {
    const first = await b.start()
    await b.ask('sync', { documents: [doc('thing', id(1), 1)], epoch: 1 })
    await until(() => b.statuses.length === 1)
    const before = canonicalJson([...b.things])
    await first.agent.stop()
    await expect(b.ask('digest', null)).rejects.toMatchObject({ code: 'agent-unreachable' })
    expect(canonicalJson([...b.things])).toBe(before)
    const second = await b.start()
    await second.agent.reconciler.pass()
    expect(canonicalJson([...b.things])).toBe(before)
  })

  test('is found as a NATS service', async () => {
    await b.start()
    await expect
      .poll(() => discoverServices(b.controller, { verb: 'INFO', timeoutMs: 50 }))
      .toMatchObject([
        { name: 'agent-storage', id: AGENT, version: '0.1.0', endpoints: [{ subject: subjects.doAll('storage', AGENT) }] },
      ])
  })
})

test('heartbeats come every five seconds, and at once when a status changed', async () => {
  const time = new ManualTime()
  const quiet = await bench({ timers: time, host: fakeHost() })
  await quiet.start()
  await time.advance(3 * HEARTBEAT_MS)
  expect(quiet.heartbeats.length).toBeGreaterThanOrEqual(3)
  expect(quiet.heartbeats.length).toBeLessThanOrEqual(5)
  const before = heartbeat.parse(quiet.heartbeats.at(-1))
  const count = quiet.heartbeats.length
  quiet.controller
    .request(
      subjects.do('storage', AGENT, 'agent', AGENT, 'sync'),
      { documents: [doc('thing', id(1), 1)], epoch: 1 },
      { timeoutMs: 30_000 },
    )
    .catch(() => undefined)
  await time.advance(100)
  expect(quiet.heartbeats.length).toBe(count + 1)
  const after = heartbeat.parse(quiet.heartbeats.at(-1))
  expect(after.statusDigest).not.toBe(before.statusDigest)
  expect(after.digest).not.toBe(before.digest)
  const stopping = quiet.stop()
  await time.advance(1_000)
  await stopping
})
