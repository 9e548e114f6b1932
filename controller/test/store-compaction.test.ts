import { describe, expect, it } from 'vitest'
import { type FakeDisk, fakeDisk } from '../src/store/fake-disk.ts'
import { openStore, type StoreLimits } from '../src/store/store.ts'
import { BY, collect, DIR, put, tables, world } from './store-world.ts'

const DAY_MS = 86_400_000
const snapshots = (disk: FakeDisk) =>
  disk
    .files()
    .filter((file) => file.endsWith('.ndjson'))
    .sort()
const sizeOf = (disk: FakeDisk, files: readonly string[]) => files.reduce((sum, file) => sum + disk.content(file)!.length, 0)
const logAndSnapshots = (disk: FakeDisk) => disk.files().filter((file) => file.endsWith('.seg') || file.endsWith('.ndjson'))

/** A store whose timers are run by hand. */
async function timed(limits: Partial<StoreLimits>) {
  const disk = fakeDisk()
  const timers: { ms: number; run: () => void }[] = []
  const errors: unknown[] = []
  let now = 1_700_000_000_000
  const store = await openStore({
    ...{ dir: DIR, disk, tables, newId: () => 'c', clock: () => now++ },
    limits: { reserveBytes: 0, ...limits },
    report: (error) => errors.push(error),
    every: (ms, run) => {
      timers.push({ ms, run })
      return () => void timers.splice(0)
    },
  })
  return {
    ...{ store, disk, errors, timers },
    pass: (ms: number) => void (now += ms),
    /** Runs every timer once, and waits for what they began. */
    async tick() {
      for (const { run } of [...timers]) run()
      // The fake disk takes no time, only turns.
      for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve))
    },
  }
}

describe('a quiet site', () => {
  it('gets a snapshot a day while there are commits, and its history goes by days though no segment is ever full', async () => {
    const { store, disk, pass, tick, errors } = await timed({ keepMs: 5 * DAY_MS })
    for (let day = 1; day <= 20; day++) {
      await store.commit(put(day), BY)
      pass(DAY_MS)
      await tick()
    }
    expect(snapshots(disk)).toHaveLength(2)
    const { oldestSeq } = store.status()
    expect(oldestSeq).toBeGreaterThanOrEqual(12)
    expect(oldestSeq).toBeLessThanOrEqual(16)
    expect((await collect(store.read(oldestSeq))).at(-1)?.seq).toBe(20)
    expect(errors).toEqual([])
    await store.close()
    expect((await world(disk)).store.graph.hash()).toBe(store.graph.hash())
  })

  it('writes no snapshot while nothing happens, nor more for a clock that was set back than one', async () => {
    const { store, disk, pass, tick } = await timed({})
    await store.commit(put(1), BY)
    await tick()
    const first = snapshots(disk)
    for (let day = 0; day < 5; day++) {
      pass(DAY_MS)
      await tick()
    }
    expect(snapshots(disk)).toEqual(first)
    await store.commit(put(2), BY)
    pass(-300 * DAY_MS)
    await tick()
    const second = snapshots(disk)
    expect(second).toContain(`${DIR}/snapshot-000000000000002.ndjson`)
    await store.commit(put(3), BY)
    await tick()
    expect(snapshots(disk)).toEqual(second)
    await store.close()
  })
})

describe('churn', () => {
  const LIMITS = { segmentBytes: 4_000, autoSnapshot: true }
  const LIVE = 200

  /** Rows made, changed and removed, so that `LIVE` remain. */
  async function churned(limits: Partial<StoreLimits>, look: (o: Awaited<ReturnType<typeof world>>) => void) {
    const w = await world(fakeDisk(), limits)
    for (let n = 1; n <= 3_000; n++) {
      const gone = n > LIVE ? [{ o: 'del' as const, t: 'vm', k: `vm${n - LIVE}` }] : []
      await w.store.commit({ ops: [...put(n, 20).ops, ...gone] }, BY)
      if (n > 2 * LIVE) look(w)
    }
    await w.store.close()
    expect(w.errors).toEqual([])
    return w
  }

  it('without kept history leaves at most three times what is live on disk, and three segments', async () => {
    let most = 0
    const { store, disk } = await churned({ ...LIMITS, keepBytes: 0 }, ({ disk, store }) => {
      // The third one is there for the moment until the oldest goes.
      if (snapshots(disk).length > 2) return
      const { snapshotBytes, historyBytes } = store.status()
      const size = sizeOf(disk, logAndSnapshots(disk)) - historyBytes
      most = Math.max(most, (size - 3 * LIMITS.segmentBytes) / snapshotBytes)
    })
    expect(most).toBeLessThan(3)
    expect(store.status().snapshotBytes).toBeGreaterThan(5 * LIMITS.segmentBytes)
    expect((await world(disk)).store.graph.hash()).toBe(store.graph.hash())
  })

  it('with history keeps what the limit says, and tells how much of the log that is', async () => {
    const keepBytes = 200_000
    const { store } = await churned({ ...LIMITS, keepBytes }, ({ store }) => {
      const { bytes, historyBytes, snapshotBytes } = store.status()
      expect(bytes).toBeLessThan(keepBytes + snapshotBytes + 3 * LIMITS.segmentBytes)
      expect(bytes - historyBytes).toBeLessThan(snapshotBytes + 3 * LIMITS.segmentBytes)
    })
    expect(store.status().historyBytes).toBeGreaterThan(keepBytes / 2)
  })

  it('takes a snapshot only when the log has grown by a quarter of the last one: a large site writes no more than it needs', async () => {
    let taken = 0
    let last = ''
    const { store, disk } = await churned({ ...LIMITS, keepBytes: 0 }, ({ disk }) => {
      const newest = snapshots(disk).at(-1)!
      if (newest !== last) taken++
      last = newest
    })
    const written =
      2_600 *
      (sizeOf(
        disk,
        disk.files().filter((file) => file.endsWith('.seg')),
      ) /
        (3_001 - store.status().oldestSeq))
    expect(taken).toBeLessThanOrEqual(Math.ceil(written / (store.status().snapshotBytes / 4)) + 1)
    expect(taken).toBeGreaterThan(10)
  })
})

describe('a damaged snapshot', () => {
  it('does not count as one of the two that let old segments and snapshots go', async () => {
    const { store, disk } = await world(fakeDisk(), { segmentBytes: 500, keepBytes: 0 })
    for (let n = 1; n <= 12; n++) {
      await store.commit(put(n), BY)
      if (n === 4 || n === 8) await store.snapshot()
    }
    await store.close()
    disk.flip(`${DIR}/snapshot-000000000000008.ndjson`, 60)
    const second = await world(disk, { segmentBytes: 500, keepBytes: 0 })
    expect(second.store.recovery).toMatchObject({ snapshot: 4, badSnapshots: [{ code: 'log-corrupt' }] })
    await second.store.snapshot()
    expect(snapshots(disk)).toEqual([4, 12].map((n) => `${DIR}/snapshot-${String(n).padStart(15, '0')}.ndjson`))
    await second.store.close()
    disk.flip(`${DIR}/snapshot-000000000000012.ndjson`, 60)
    const third = await world(disk)
    expect(third.store.recovery.corrupt).toBeUndefined()
    expect(third.store.graph.hash()).toBe(store.graph.hash())
  })
})
