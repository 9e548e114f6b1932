import { describe, expect, it } from 'vitest'
import { type FakeDisk, fakeDisk } from '../src/store/fake-disk.ts'
import { BY, collect, DIR, put, seeded, world } from './store-world.ts'

const FIRST = `${DIR}/log-000000000000001.seg`

/** Ten commits, each in a group of its own, then power loss: the manifest knows nothing of them. */
async function tenCommits(): Promise<FakeDisk> {
  const { store, disk } = await world()
  for (let n = 1; n <= 10; n++) await store.commit(put(n), BY)
  return disk.crash(() => 0.3)
}

/** Offsets at which the records of a segment begin, and its length. */
function offsets(disk: FakeDisk, file = FIRST): number[] {
  const bytes = disk.content(file)!
  const out = [0]
  for (let at = 0; at < bytes.length; out.push(at)) at += 8 + bytes.readUInt32LE(at)
  return out
}

describe('damage to the log', () => {
  it('anywhere below the durable mark is refused by file and offset, and the store is read-only', async () => {
    const random = seeded(7)
    const pristine = await tenCommits()
    const starts = offsets(pristine)
    for (let run = 0; run < 150; run++) {
      const disk = pristine.crash(() => 0.3)
      const at = Math.floor(random() * starts[9]!)
      disk.flip(FIRST, at, Math.floor(random() * 8))
      const hit = starts.findLastIndex((start) => start <= at)
      const { store } = await world(disk)
      expect(store.recovery.corrupt, `byte ${at}`).toMatchObject({
        code: 'log-corrupt',
        details: { file: 'log-000000000000001.seg', offset: starts[hit], seq: hit + 1 },
      })
      expect(store.status()).toMatchObject({ writable: false, reason: { code: 'log-corrupt' } })
      expect(store.graph.seq).toBe(hit)
      await expect(store.commit(put(99), BY)).rejects.toMatchObject({ code: 'log-corrupt' })
      expect(await collect(store.read(1))).toHaveLength(hit)
      await store.close()
      expect(disk.content(FIRST), 'nothing is cut').toHaveLength(starts[10]!)
    }
  })

  it('above the mark is a torn end: cut, reported, and written over', async () => {
    const random = seeded(8)
    const pristine = await tenCommits()
    const starts = offsets(pristine)
    for (let run = 0; run < 50; run++) {
      const disk = pristine.crash(() => 0.3)
      disk.flip(FIRST, starts[9]! + Math.floor(random() * (starts[10]! - starts[9]!)), Math.floor(random() * 8))
      const { store } = await world(disk)
      expect(store.recovery).toMatchObject({
        replayed: 9,
        tornBytes: starts[10]! - starts[9]!,
        file: 'log-000000000000001.seg',
        offset: starts[9],
      })
      expect(await store.commit(put(10), BY)).toMatchObject({ seq: 10 })
      expect((await world(disk.crash(() => 0))).store.graph.seq).toBe(10)
    }
  })

  it('in the last record is refused too after a clean close, because the manifest knows it', async () => {
    const { store, disk } = await world()
    for (let n = 1; n <= 3; n++) await store.commit(put(n), BY)
    await store.close()
    const [, , third] = offsets(disk)
    disk.flip(FIRST, third! + 20)
    expect((await world(disk)).store.recovery.corrupt).toMatchObject({ details: { offset: third, seq: 3, durable: 3 } })
  })

  it('is noticed when the end of the log, or a segment in the middle, is missing', async () => {
    const { store, disk } = await world(fakeDisk(), { segmentBytes: 600 })
    for (let n = 1; n <= 10; n++) await store.commit(put(n), BY)
    await store.close()
    const segments = disk
      .files()
      .filter((file) => file.endsWith('.seg'))
      .sort()
    expect(segments.length).toBeGreaterThan(3)
    for (const gone of [segments[0]!, segments[1]!, segments.at(-1)!]) {
      const copy = disk.crash(() => 0.3)
      await copy.unlink(gone)
      expect((await world(copy)).store.recovery.corrupt?.code, gone).toBe('log-corrupt')
    }
  })

  it('finds a segment of another history by the hash chain', async () => {
    const histories = await Promise.all(
      [0, 1].map(async (padding) => {
        const { store, disk } = await world(fakeDisk(), { segmentBytes: 100 })
        for (let n = 1; n <= 3; n++) await store.commit(put(n, padding), BY)
        await store.close()
        return disk
      }),
    )
    const mixed = fakeDisk(
      histories[0]!.files().map((file) => [file, (file.endsWith('2.seg') ? histories[1]! : histories[0]!).content(file)!]),
    )
    expect((await world(mixed)).store.recovery.corrupt).toMatchObject({
      details: { file: 'log-000000000000002.seg', offset: 0, seq: 2 },
    })
  })

  it('in history is not stepped over where the log behind it is of another history', async () => {
    const histories = await Promise.all(
      [0, 1].map(async (padding) => {
        const { store, disk } = await world()
        for (let n = 1; n <= 6; n++) {
          await store.commit(put(n, padding), BY)
          if (n === 3) await store.snapshot()
        }
        await store.close()
        return disk
      }),
    )
    const [one, other] = histories as [FakeDisk, FakeDisk]
    const files = one.files().map((file): [string, Buffer] => [file, (file === FIRST ? other : one).content(file)!])
    for (const damaged of [0, 2]) {
      const mixed = fakeDisk(files)
      mixed.flip(FIRST, offsets(mixed)[damaged]! + 20)
      const { store } = await world(mixed)
      expect(store.recovery.corrupt, `record ${damaged + 1}`).toMatchObject({ details: { file: 'log-000000000000001.seg' } })
      expect(store.graph.seq).toBe(3)
    }
  })

  it('of the manifest is survived by its previous copy; without both the store is read-only', async () => {
    const { store, disk } = await world()
    await store.raiseIncarnation()
    await store.commit(put(1), BY)
    await store.close()
    disk.flip(`${DIR}/manifest.json`, 70)
    const second = await world(disk)
    expect(second.store.recovery.corrupt).toBeUndefined()
    expect(second.store.incarnation).toBe(2)
    expect(second.store.recovery.previousManifest).toBe(true)
    // The next manifest does not push the damaged one over the good copy.
    await second.store.snapshot()
    disk.flip(`${DIR}/manifest.json`, 70)
    expect((await world(disk.crash(() => 0.3))).store.recovery.corrupt).toBeUndefined()
    disk.flip(`${DIR}/manifest.json.prev`, 70)
    const third = await world(disk)
    expect(third.store.recovery.corrupt).toMatchObject({ code: 'log-corrupt', details: { file: `${DIR}/manifest.json` } })
    expect(third.store.graph.get('vm', 'vm1'), 'still readable').toBeDefined()
    for (const file of disk.files().filter((name) => name.includes('manifest'))) await disk.unlink(file)
    expect((await world(disk)).store.recovery.corrupt?.details).toMatchObject({ file: 'manifest.json' })
  })
})
