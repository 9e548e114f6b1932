/** What the controller does by the clock, and how its facts leave it. */
import { memoryBroker } from '@skerry/bus'
import { describe, expect, it } from 'vitest'
import { factsSince, publishFacts } from '../src/tasks/facts.ts'
import { Hooks } from '../src/tasks/hooks.ts'
import { dueForExpunge, EXPUNGE_IMAGE_MS, EXPUNGE_VM_MS, outdated } from '../src/tasks/housekeeping.ts'
import { base, id, makeWorld, site, u } from './world.ts'

const NOW = 1_700_000_000_000
const tick = () => new Promise<void>((resolve) => setTimeout(resolve, 20))

describe('housekeeping', () => {
  it('drops sessions and tokens that are over, and the oldest of too many ended jobs with their keys', async () => {
    const w = await makeWorld()
    const job = (name: string, finishedAt: number, state = 'done') => ({
      o: 'put' as const,
      t: 'job',
      k: id(name),
      v: { ...base(id(name), name), state, finishedAt },
    })
    await w.commit({
      ops: [
        { o: 'put', t: 'session', k: id('old'), v: { uuid: id('old'), expiredDate: NOW } },
        { o: 'put', t: 'session', k: id('new'), v: { uuid: id('new'), expiredDate: NOW + 1 } },
        { o: 'put', t: 'agentToken', k: 'a', v: { expiresAt: NOW - 1 } },
        ...[job('j1', 1), job('j2', 2), job('j3', 3, 'failed'), job('running', 0, 'processing')],
        { o: 'put', t: 'callKey', k: 'x:1', v: { job: id('j1'), bodyHash: 'h' } },
      ],
    })
    const gone = outdated(w.state.graph, NOW, 2).map((op) => `${op.t}/${op.k}`)
    expect(gone.sort()).toEqual(['agentToken/a', 'callKey/x:1', `job/${id('j1')}`, `session/${id('old')}`].sort())
  })

  it('expunges what was destroyed a week and deleted three days ago, and nothing younger', async () => {
    const w = await makeWorld()
    await site(w)
    await w.commit({
      ops: [
        { o: 'put', t: 'vmInstance', k: u.vm, v: { ...base(u.vm, 'vm'), state: 'Destroyed', destroyedAt: NOW } },
        { o: 'set', t: 'image', k: u.image, v: { status: 'Deleted', deletedAt: NOW } },
      ],
    })
    expect(dueForExpunge(w.state.graph, NOW + EXPUNGE_IMAGE_MS)).toEqual([])
    expect(dueForExpunge(w.state.graph, NOW + EXPUNGE_IMAGE_MS + 1)).toEqual([{ api: 'ExpungeImage', uuid: u.image }])
    expect(dueForExpunge(w.state.graph, NOW + EXPUNGE_VM_MS + 1)).toContainEqual({ api: 'ExpungeVmInstance', uuid: u.vm })
  })
})

describe('facts', () => {
  it('are published with ids from the log, those that an ended process may have missed first', async () => {
    const w = await makeWorld()
    const seen: string[] = []
    const bus = memoryBroker().connect()
    bus.subscribe('skerry.v1.evt.>', (m) => seen.push(`${m.headers['Nats-Msg-Id']} ${m.subject}`))
    const fact = (name: string) => ({
      ops: [{ o: 'put' as const, t: 'zone', k: id(name), v: base(id(name), name) }],
      facts: [{ noun: 'zone', uuid: id(name), event: 'created' }],
    })
    await w.commit(fact('missed'))
    const missed = w.state.graph.seq
    const marks: number[] = []
    const off = await publishFacts(w.state.store, bus, missed, (seq) => marks.push(seq))
    await w.commit(fact('live'))
    await tick()
    off()
    expect(seen).toEqual([
      `${missed}.0 skerry.v1.evt.zone.${id('missed')}.created`,
      `${missed + 1}.0 skerry.v1.evt.zone.${id('live')}.created`,
    ])
    expect(marks.at(-1)).toBe(missed + 1)
  })

  it('can be followed from an id on without a gap or a repeat', async () => {
    const w = await makeWorld()
    const made = async (name: string) =>
      w.commit({
        ops: [{ o: 'put', t: 'zone', k: id(name), v: base(id(name), name) }],
        facts: ['created', 'updated'].map((event) => ({ noun: 'zone', uuid: id(name), event })),
      })
    await made('one')
    const from = `${w.state.graph.seq}.0`
    const abort = new AbortController()
    const got: string[] = []
    const reading = (async () => {
      for await (const fact of factsSince(w.state.store, from, abort.signal))
        got.push(`${(fact.data['uuid'] as string) === id('one') ? 'one' : 'two'} ${fact.data['event']}`)
    })()
    await tick()
    await made('two')
    await tick()
    abort.abort()
    await reading
    expect(got).toEqual(['one updated', 'two created', 'two updated'])
    await expect(
      factsSince(w.state.store, 'nonsense', new AbortController().signal)[Symbol.asyncIterator]().next(),
    ).rejects.toMatchObject({ code: 'invalid-argument' })
  })
})

describe('webhooks', () => {
  const hookWorld = async (answers: (number | Error)[]) => {
    const w = await makeWorld()
    await w.commit({
      ops: [{ o: 'put', t: 'hook', k: id('job'), v: { uuid: id('job'), url: 'http://127.0.0.1/hook', attempts: 0 } }],
    })
    const calls: RequestInit[] = []
    const faults: unknown[] = []
    const fetch = (async (_url: string, init: RequestInit) => {
      calls.push(init)
      const answer = answers[calls.length - 1] ?? 200
      if (answer instanceof Error) throw answer
      return new Response(null, { status: answer })
    }) as unknown as typeof globalThis.fetch
    const hooks = new Hooks({
      state: w.state,
      fetch,
      sleep: async () => undefined,
      report: (e) => faults.push(e),
      render: () => ({ ok: true, body: { inventory: {} } }),
    })
    return { w, hooks, calls, faults }
  }

  it('are repeated until the other side says 2xx, then forgotten', async () => {
    const { w, hooks, calls } = await hookWorld([500, new Error('refused'), 204])
    hooks.resume()
    await tick()
    expect(calls).toHaveLength(3)
    expect(calls[2]).toMatchObject({
      method: 'POST',
      body: '{"inventory":{}}',
      headers: { 'X-Job-UUID': id('job'), 'X-Job-Success': 'true' },
    })
    expect(w.state.graph.count('hook')).toBe(0)
  })

  it('are given up, aloud, after fifteen retries', async () => {
    const { w, hooks, calls, faults } = await hookWorld(Array.from({ length: 20 }, () => 503))
    hooks.ended(id('job'))
    await tick()
    expect(calls).toHaveLength(16)
    expect(faults).toHaveLength(1)
    expect(w.state.graph.count('hook')).toBe(0)
  })
})
