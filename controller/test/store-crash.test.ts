import { describe, expect, it } from 'vitest'
import { fakeDisk } from '../src/store/fake-disk.ts'
import { BY, put, seeded, type World, world } from './store-world.ts'

const LIMITS = { segmentBytes: 1500, keepBytes: 2500 }

/** What a run did until the machine died: which commits were answered, and which were begun. */
interface Run {
  acknowledged: number[]
  begun: number
  incarnation: number
}

/** Groups of commits of random sizes, snapshots and a raised incarnation between them. */
async function work({ store }: World, random: () => number, run: Run): Promise<void> {
  for (let round = 0; round < 8; round++) {
    const group = Array.from({ length: 1 + Math.floor(random() * 5) }, () => {
      const n = ++run.begun
      return store.commit(put(n, Math.floor(random() * 120)), BY).then(({ seq }) => void run.acknowledged.push(seq))
    })
    const side = random()
    if (side < 0.2) group.push(store.snapshot().then(() => undefined))
    else if (side < 0.3) group.push(store.raiseIncarnation().then((incarnation) => void (run.incarnation = incarnation)))
    const failed = (await Promise.allSettled(group)).find((result) => result.status === 'rejected')
    if (failed) throw failed.reason
  }
  await store.close()
}

/** Runs on a disk that dies at operation `dieAfter`, and opens what is left of it. */
async function crashAt(seed: number, dieAfter: number): Promise<{ run: Run; died: boolean; after: World }> {
  const random = seeded(seed)
  const disk = fakeDisk()
  disk.dieAfter = dieAfter
  const run: Run = { acknowledged: [], begun: 0, incarnation: 1 }
  let died = false
  try {
    await work(await world(disk, LIMITS), random, run)
  } catch (thrown) {
    const chain = JSON.stringify([String(thrown), String((thrown as Error).cause)])
    if (!chain.includes('EDEAD')) throw thrown
    died = true
  }
  return { run, died, after: await world(disk.crash(random), LIMITS) }
}

function holds({ run, after }: { run: Run; after: World }, label: string): void {
  const { store } = after
  expect(store.recovery.corrupt, `${label}: ${JSON.stringify(store.recovery.corrupt?.details)}`).toBeUndefined()
  expect(store.recovery.badSnapshots, `${label}: a snapshot has its name only when it is whole`).toEqual([])
  const last = run.acknowledged.reduce((max, seq) => Math.max(max, seq), 0)
  expect(store.graph.seq, `${label}: acknowledged commits are there`).toBeGreaterThanOrEqual(last)
  expect(store.graph.seq, `${label}: nothing is there that nobody began`).toBeLessThanOrEqual(run.begun)
  expect(store.incarnation, label).toBeGreaterThanOrEqual(run.incarnation)
  // A prefix, whole: each commit up to the last one has its effect, none after it.
  for (let n = 1; n <= run.begun; n++)
    expect(store.graph.get('vm', `vm${n}`)?.n, `${label}: commit ${n}`).toBe(n <= store.graph.seq ? n : undefined)
}

describe('power loss', () => {
  it('at every operation on the disk loses no acknowledged commit and leaves no half of one', async () => {
    let crashes = 0
    for (let seed = 1; seed <= 6; seed++) {
      for (let at = 0; ; at++) {
        const result = await crashAt(seed * 1000 + at, at)
        holds(result, `seed ${seed * 1000 + at}, operation ${at}`)
        if (!result.died) break
        crashes++
      }
    }
    expect(crashes).toBeGreaterThan(200)
  }, 60_000)

  it('again and again during recovery and the work after it loses nothing either', async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = seeded(seed)
      let disk = fakeDisk()
      let floor = 0
      for (let life = 0; life < 6; life++) {
        disk.dieAfter = disk.operations + Math.floor(random() * 30)
        try {
          const { store } = await world(disk, LIMITS)
          expect(store.recovery.corrupt, `seed ${seed}, life ${life}`).toBeUndefined()
          expect(store.graph.seq, `seed ${seed}, life ${life}`).toBeGreaterThanOrEqual(floor)
          for (;;) {
            const group = Array.from({ length: 1 + Math.floor(random() * 4) }, (_, i) =>
              store.commit(put(store.graph.seq + 1 + i * 0), BY),
            )
            for (const result of await Promise.allSettled(group))
              if (result.status === 'fulfilled') floor = Math.max(floor, result.value.seq)
            if (!store.status().writable) break
            if (random() < 0.2) await store.snapshot()
          }
        } catch (thrown) {
          if (!`${thrown} ${(thrown as Error).cause}`.includes('EDEAD')) throw thrown
        }
        disk = disk.crash(random)
      }
      const { store } = await world(disk, LIMITS)
      expect(store.graph.seq).toBeGreaterThanOrEqual(floor)
      for (let n = 1; n <= store.graph.seq; n++) expect(store.graph.get('vm', `vm${n}`)?.n).toBe(n)
    }
  }, 60_000)
})
