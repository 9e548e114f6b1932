/** What the controller does by the clock, and how its facts leave it. */
import { memoryBroker } from '@skerry/bus'
import { describe, expect, it } from 'vitest'
import { factsSince, publishFacts } from '../src/tasks/facts.ts'
import { KEEP_RUNS, outdated } from '../src/tasks/housekeeping.ts'
import { base, id, makeWorld } from './world.ts'

const NOW = 1_700_000_000_000
const raise = (error: unknown) => {
  throw error
}
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

  it('gives one batch of ended jobs after the other until only as many as are to be kept are left', async () => {
    const w = await makeWorld()
    const put = (n: number) => ({
      o: 'put' as const,
      t: 'job',
      k: id(`j${n}`),
      v: { ...base(id(`j${n}`), 'j'), state: 'done', finishedAt: n },
    })
    await w.commit({ ops: Array.from({ length: 2_510 }, (_, n) => put(n)) })
    const batches: number[] = []
    for (let ops = outdated(w.state.graph, NOW, 10); ops.length > 0; ops = outdated(w.state.graph, NOW, 10)) {
      batches.push(ops.length)
      await w.commit({ ops })
    }
    expect(batches).toEqual([1_000, 1_000, 500])
    expect([...w.state.graph.rows('job')].map(([uuid]) => uuid)).toEqual(
      Array.from({ length: 10 }, (_, n) => id(`j${2_500 + n}`)),
    )
  })

  it('drops the oldest runs of a scheduler job beyond those that are kept, and none that is under way', async () => {
    const w = await makeWorld()
    const run = (n: number, state: string) => ({
      ...{ o: 'put' as const, t: 'schedulerJobHistory', k: id(`run ${n}`) },
      v: { ...base(id(`run ${n}`), 'run'), createDate: n, schedulerJobUuid: id('sj'), state },
    })
    const runs = Array.from({ length: KEEP_RUNS + 2 }, (_, n) => run(KEEP_RUNS + 2 - n, 'Succeeded'))
    await w.commit({ ops: [{ o: 'put', t: 'schedulerJob', k: id('sj'), v: base(id('sj'), 'sj') }, ...runs, run(0, 'Running')] })
    expect(outdated(w.state.graph, NOW).map(({ k }) => k)).toEqual([1, 2, 3].map((n) => id(`run ${n}`)))
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
    const off = await publishFacts(w.state.store, bus, { from: missed, published: (seq) => marks.push(seq), report: raise })
    await w.commit(fact('live'))
    await tick()
    off()
    expect(seen).toEqual([
      `${missed}.0 skerry.v1.evt.zone.${id('missed')}.created`,
      `${missed + 1}.0 skerry.v1.evt.zone.${id('live')}.created`,
    ])
    expect(marks.at(-1)).toBe(missed + 1)
  })

  it('that came up while the bus was away are published when it is back, and only then count as published', async () => {
    const w = await makeWorld()
    const seen: string[] = []
    const broker = memoryBroker()
    const [bus, reader] = [broker.connect(), broker.connect()]
    reader.subscribe('skerry.v1.evt.>', (m) => seen.push(m.headers['Nats-Msg-Id']!))
    const made = (name: string) =>
      w.commit({
        ops: [{ o: 'put', t: 'zone', k: id(name), v: base(id(name), name) }],
        facts: [{ noun: 'zone', uuid: id(name), event: 'created' }],
      })
    const marks: number[] = []
    bus.disconnect()
    const off = await publishFacts(w.state.store, bus, { from: 0, published: (seq) => marks.push(seq), report: raise })
    await made('before the first connection')
    const first = w.state.graph.seq
    bus.reconnect()
    await tick()
    expect(seen).toEqual([`${first}.0`])
    bus.disconnect()
    await made('in an outage')
    await made('in the same outage')
    await tick()
    expect(marks.at(-1)).toBe(first)
    bus.reconnect()
    await made('as it ended')
    await tick()
    off()
    expect([...new Set(seen)]).toEqual([0, 1, 2, 3].map((n) => `${first + n}.0`))
    expect(marks.at(-1)).toBe(first + 3)
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
