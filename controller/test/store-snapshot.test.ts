import { describe, expect, it } from 'vitest'
import { fakeDisk } from '../src/store/fake-disk.ts'
import { BY, collect, counted, DIR, put, world } from './store-world.ts'

const snapshots = (disk: { files(): string[] }) =>
  disk
    .files()
    .filter((file) => file.endsWith('.ndjson'))
    .sort()

describe('snapshots', () => {
  it('start the next opening: only later records are replayed, with the same state', async () => {
    const { store, disk } = await world()
    for (let n = 1; n <= 200; n++) void store.commit(put(n), BY)
    expect(await store.snapshot()).toMatchObject({ seq: 200 })
    await store.commit(
      {
        ops: [
          { o: 'del', t: 'vm', k: 'vm7' },
          { o: 'add', t: 'vm', k: 'vm8', field: 'n', delta: 5 },
        ],
      },
      BY,
    )
    const again = await world(disk.crash(() => 0))
    expect(again.store.recovery).toMatchObject({ snapshot: 200, replayed: 1 })
    expect(again.store.graph.hash()).toBe(store.graph.hash())
    expect([...again.store.graph.by('vm', 'hostUuid', 'h0')].sort()).toEqual([...store.graph.by('vm', 'hostUuid', 'h0')].sort())
    expect(await again.store.commit(put(201), BY)).toMatchObject({ seq: 202 })
  })

  it('are noted on the room of the reserve too: a disk that is full the moment after one is written refuses nothing', async () => {
    const RESERVE = 64 * 1024
    const { store, disk } = await world(fakeDisk(), { reserveBytes: RESERVE })
    await expect.poll(() => disk.content(`${DIR}/reserve`)?.length).toBe(RESERVE)
    await store.commit(put(1), BY)
    const rename = disk.rename.bind(disk)
    disk.rename = async (from, to) => {
      await rename(from, to)
      if (to.endsWith('.ndjson')) disk.capacity = disk.files().reduce((sum, file) => sum + disk.content(file)!.length, 0)
    }
    expect(await store.snapshot()).toMatchObject({ seq: 1 })
    expect(disk.content(`${DIR}/reserve`)!.length).toBeLessThan(RESERVE)
    expect((await world(disk.crash(() => 0))).store.recovery).toMatchObject({ snapshot: 1, replayed: 0 })
  })

  it('hold the state of one moment though commits go on while they are written', async () => {
    const disk = fakeDisk()
    const { store } = await world(disk, { sliceMs: 0 })
    await Promise.all(Array.from({ length: 1000 }, (_, n) => store.commit(put(n + 1), BY)))
    const hash = store.graph.hash()
    const writing = store.snapshot()
    let meanwhile = 0
    let done = false
    void writing.then(() => (done = true))
    while (!done) {
      const n = (meanwhile++ * 37) % 1000
      await store.commit(
        {
          ops: [
            { o: 'put', t: 'vm', k: `vm${n + 1}`, v: { changed: true } },
            { o: 'put', t: 'vm', k: `new${meanwhile}`, v: {} },
          ],
        },
        BY,
      )
    }
    expect(meanwhile).toBeGreaterThan(5)
    expect(await writing).toMatchObject({ seq: 1000 })
    const { Graph } = await import('@skerry/graph')
    const { loadSnapshot } = await import('../src/store/snapshot.ts')
    const graph = new Graph()
    await loadSnapshot(disk, DIR, 1000, graph)
    expect(graph.hash()).toBe(hash)
    await store.close()
    expect((await world(disk)).store.graph.hash()).toBe(store.graph.hash())
  })

  it('that are damaged are passed over for the one before, and named', async () => {
    const { store, disk } = await world()
    for (let n = 1; n <= 4; n++) {
      await store.commit(put(n), BY)
      if (n < 4) await store.snapshot()
    }
    expect(snapshots(disk), 'the newest two are kept').toEqual([2, 3].map((n) => `${DIR}/snapshot-00000000000000${n}.ndjson`))
    for (let at = 0; at < disk.content(snapshots(disk)[1]!)!.length; at += 7) {
      const copy = disk.crash(() => 0.3)
      copy.flip(snapshots(disk)[1]!, at, at % 8)
      const again = await world(copy)
      expect(again.store.recovery, `byte ${at}`).toMatchObject({
        snapshot: 2,
        replayed: 2,
        badSnapshots: [{ code: 'log-corrupt' }],
      })
      expect(again.store.graph.hash()).toBe(store.graph.hash())
    }
  })

  it('let old segments go once history is longer than it is to be kept, in bytes', async () => {
    const { store, disk } = await world(fakeDisk(), { segmentBytes: 500, keepBytes: 1500 })
    for (let n = 1; n <= 20; n++) {
      await store.commit(put(n), BY)
      if (n % 5 === 0) await store.snapshot()
    }
    const { oldestSeq, bytes } = store.status()
    expect(oldestSeq).toBeGreaterThan(10)
    expect(bytes).toBeLessThan(3000)
    await expect(collect(store.read(1))).rejects.toMatchObject({ code: 'history-gone' })
    expect((await collect(store.read(oldestSeq))).at(-1)?.seq).toBe(20)
    await store.close()
    expect((await world(disk)).store.graph.hash()).toBe(store.graph.hash())
  })

  it('let old segments go by age, and keep young ones', async () => {
    const tick = counted()
    let days = 0
    const clock = () => tick() + days * 86_400_000
    const { store } = await world(fakeDisk(), { segmentBytes: 300 }, clock)
    for (let n = 1; n <= 6; n++) await store.commit(put(n), BY)
    await store.snapshot()
    await store.commit(put(7), BY)
    await store.snapshot()
    expect(store.status().oldestSeq).toBe(1)
    days = 31
    await store.commit(put(8), BY)
    await store.snapshot()
    expect(store.status().oldestSeq).toBeGreaterThan(4)
  })

  it('are taken by themselves when a segment is full', async () => {
    const { store, disk, errors } = await world(fakeDisk(), { segmentBytes: 2000, autoSnapshot: true })
    for (let n = 1; n <= 30; n++) await store.commit(put(n), BY)
    await store.close()
    expect(snapshots(disk)).toHaveLength(2)
    expect(errors).toEqual([])
  })
})
