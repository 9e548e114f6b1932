/** Looks into the past of a store: every state of the history that is kept, as it was; and nothing of what is not. */
import type { Op } from '@skerry/contract'
import { Graph } from '@skerry/graph'
import { describe, expect, it } from 'vitest'
import { listPasts, spread } from '../src/store/past.ts'
import { BY, collect, DIR, put, seeded, tables, world } from './store-world.ts'

const START = 1_700_000_000_000

/** Ten minutes a commit. */
function slow() {
  let now = START
  return () => (now += 600_000)
}

/** Random puts, sets and deletions; gives the state hash after each commit, by seq. */
async function history(w: Awaited<ReturnType<typeof world>>, random: () => number, count: number) {
  const hashes = [new Graph(tables).hash()]
  for (let n = 1; n <= count; n++) {
    const k = `vm${Math.floor(random() * 12)}`
    const there = w.store.graph.get('vm', k) !== undefined
    const op: Op =
      there && random() < 0.4
        ? { o: 'del', t: 'vm', k }
        : there && random() < 0.7
          ? { o: 'set', t: 'vm', k, v: { n } }
          : { o: 'put', t: 'vm', k, v: { uuid: k, hostUuid: 'h', n, x: 'x'.repeat(Math.floor(random() * 200)) } }
    await w.store.commit({ ops: [op] }, BY)
    hashes.push(w.store.graph.hash())
  }
  return hashes
}

describe('the past of a store', () => {
  it('is every state since the first commit while the whole log is there, also after a restart', async () => {
    const w = await world(undefined, {}, slow())
    const hashes = await history(w, seeded(1), 60)
    for (let seq = 60; seq >= 0; seq -= 7) expect((await w.store.graphAt(seq)).hash(), `${seq}`).toBe(hashes[seq])
    const hash = w.store.graph.hash()
    await w.store.close()
    const { store } = await world(w.disk)
    for (const seq of [0, 1, 33, 60]) expect((await store.graphAt(seq)).hash()).toBe(hashes[seq])
    expect(store.graph.hash(), 'the present is untouched').toBe(hash)
    await store.close()
  })

  it('is found by time', async () => {
    const w = await world(undefined, {}, slow())
    await history(w, seeded(2), 20)
    const commits = await collect(w.store.read(1))
    for (const { seq, commit } of commits) {
      expect(await w.store.seqAt(commit.at)).toBe(seq)
      expect(await w.store.seqAt(commit.at - 1)).toBe(seq - 1)
    }
    expect(await w.store.seqAt(START - 1)).toBe(0)
    await w.store.close()
  })

  it('tells what changed between two commits: made, changed, gone; and nothing of what came and went', async () => {
    const { store } = await world()
    for (const n of [1, 2, 3]) await store.commit(put(n), BY)
    await store.commit({ ops: [{ o: 'set', t: 'vm', k: 'vm1', v: { n: 7 } }] }, BY)
    await store.commit({ ops: [{ o: 'del', t: 'vm', k: 'vm2' }] }, BY)
    await store.commit(put(4), BY)
    await store.commit(put(5), BY)
    await store.commit({ ops: [{ o: 'del', t: 'vm', k: 'vm5' }] }, BY)
    const changes = await store.changedBetween(3, 8)
    expect(changes.map(({ key, before, after }) => [key, before?.['n'], after?.['n']])).toEqual([
      ['vm1', 1, 7],
      ['vm2', 2, undefined],
      ['vm4', undefined, 4],
    ])
    expect(await store.changedBetween(8, 8)).toEqual([])
    await store.close()
  })

  it('reaches over most of the history that is kept once older history has gone, and ends with an error of its own', async () => {
    const w = await world(undefined, { keepBytes: 4 * 1024 * 1024, segmentBytes: 64 * 1024 }, slow())
    const random = seeded(3)
    const hashes = [new Graph(tables).hash()]
    for (let round = 0; round < 40; round++) {
      for (let n = 0; n < 12; n++) {
        await w.store.commit(put(Math.floor(random() * 10), 8_000), BY)
        hashes.push(w.store.graph.hash())
      }
      await w.store.snapshot()
    }
    const { oldestSeq, durableSeq } = w.store.status()
    expect(oldestSeq).toBeGreaterThan(1)
    const pasts = await listPasts(w.disk, DIR)
    expect(pasts.length).toBeGreaterThan(0)
    expect(pasts.length).toBeLessThanOrEqual(4)
    const reach = pasts[0]!
    expect(durableSeq - reach).toBeGreaterThan((durableSeq - oldestSeq) / 2)
    for (let seq = reach; seq <= durableSeq; seq += 17) expect((await w.store.graphAt(seq)).hash()).toBe(hashes[seq])
    await expect(w.store.graphAt(oldestSeq - 2)).rejects.toMatchObject({ code: 'history-gone' })
    await expect(w.store.seqAt(START)).rejects.toMatchObject({ code: 'history-gone' })
    await w.store.close()
    const again = await world(w.disk)
    expect((await again.store.graphAt(reach)).hash()).toBe(hashes[reach])
    await again.store.close()
  })

  it('goes by an older snapshot where one is damaged', async () => {
    const w = await world(undefined, {}, slow())
    const hashes = await history(w, seeded(4), 10)
    for (let n = 0; n < 4; n++) {
      await w.store.snapshot()
      hashes.push(...(await history(w, seeded(5 + n), 5)).slice(1))
    }
    const [oldest] = await listPasts(w.disk, DIR)
    w.disk.flip(`${DIR}/past-${String(oldest).padStart(15, '0')}.rows`, 80)
    expect((await w.store.graphAt(oldest! + 2)).hash()).toBe(hashes[oldest! + 2])
    await w.store.close()
  })
})

describe('what is kept for the past', () => {
  it('is spread over the history, with the oldest that is of use', () => {
    const every = Array.from({ length: 100 }, (_, i) => (i + 1) * 10)
    expect([...spread(every, { first: 205, newest: 1000 }, 4)]).toEqual([210, 480, 750])
    expect([...spread(every, { first: 1, newest: 1000 }, 0)]).toEqual([])
    expect([...spread([], { first: 1, newest: 1000 }, 4)]).toEqual([])
  })
})
