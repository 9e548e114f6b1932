import { compareGeneration } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { documentOf } from '../src/agents/documents.ts'
import { type FakeDisk, fakeDisk } from '../src/store/fake-disk.ts'
import { cutLog, cutReport, damageReport, examineLog } from '../src/store/index.ts'
import type { Store } from '../src/store/store.ts'
import { BY, collect, DIR, put, seeded, tables, world } from './store-world.ts'

const at = (disk: FakeDisk) => ({ disk, dir: DIR, tables })
const segment = (first: number) => `${DIR}/log-${String(first).padStart(15, '0')}.seg`
const contents = (disk: FakeDisk) => new Map(disk.files().map((file) => [file, disk.content(file)!]))

/** Commits in segments of about four, and the hash at each. */
async function history(commits: number, snapshotAt: readonly number[] = []): Promise<{ disk: FakeDisk; hashes: string[] }> {
  const { store, disk } = await world(fakeDisk(), { segmentBytes: 1_200 })
  const hashes = [store.graph.hash()]
  for (let n = 1; n <= commits; n++) {
    await store.commit(put(n, 20), { actor: 'admin', job: `job${n}` })
    hashes.push(store.graph.hash())
    if (snapshotAt.includes(n)) await store.snapshot()
  }
  await store.close()
  return { disk, hashes }
}

const segments = (disk: FakeDisk) =>
  disk
    .files()
    .filter((file) => file.endsWith('.seg'))
    .sort()
const firstOf = (file: string) => Number(/\d{15}/.exec(file)![0])

/** After a cut: writable, a new incarnation, the graph of `seq`, and all of it again after another start. */
async function goesOn(disk: FakeDisk, hash: string, seq: number, label: string): Promise<Store> {
  const { store } = await world(disk)
  expect(store.recovery.corrupt, label).toBeUndefined()
  expect(store.graph.seq, label).toBe(seq)
  expect(store.graph.hash(), label).toBe(hash)
  await store.commit(put(1000), BY)
  await store.close()
  const again = await world(disk.crash(() => 0.3))
  expect(again.store.recovery.corrupt, label).toBeUndefined()
  expect(again.store.graph.hash(), label).toBe(store.graph.hash())
  return again.store
}

describe('recover', () => {
  it('says where the damage is and what a cut would lose, and changes nothing', async () => {
    const { disk } = await history(12)
    const file = segments(disk)[1]!
    disk.flip(file, 40)
    const before = contents(disk)
    const found = await examineLog(at(disk))
    const good = firstOf(file) - 1
    expect(found).toMatchObject({ lastGood: good, durable: 12, incarnation: 1 })
    expect(found.damage?.details).toMatchObject({ file: file.slice(DIR.length + 1), offset: 0, seq: good + 1 })
    expect(found.lost.map(({ seq }) => seq)).toEqual(Array.from({ length: 12 - good - 1 }, (_, i) => good + 2 + i))
    expect(contents(disk)).toEqual(before)
    const text = damageReport(found)
    expect(text).toContain(`${file.slice(DIR.length + 1)} at byte 0`)
    expect(text).toContain(`a cut loses ${12 - good} commits, ${good + 1} to 12`)
    expect(text).toContain(`vm vm12 created  (by admin, job job12)`)
    expect(damageReport(await examineLog(at((await history(3)).disk)))).toContain('nothing needs to be cut')
    await expect(examineLog(at(fakeDisk()))).rejects.toMatchObject({ code: 'not-found' })
  })

  it('with a cut ends the log there, keeps what was cut off, and begins a new incarnation', async () => {
    const { disk, hashes } = await history(12)
    const [, file, ...later] = segments(disk) as [string, string, ...string[]]
    const second = 8 + disk.content(file)!.readUInt32LE(0)
    disk.flip(file, second + 30)
    const before = contents(disk)
    const good = firstOf(file)
    const cut = await cutLog(at(disk), await examineLog(at(disk)))
    expect(cut).toMatchObject({ lastGood: good, incarnation: 2 })
    for (const name of [file, ...later]) expect(disk.content(`${name}.damaged`), name).toEqual(before.get(name))
    expect(cutReport(cut)).toContain('.damaged')
    const store = await goesOn(disk, hashes[good]!, good, 'cut')
    expect(store.incarnation).toBe(2)
    expect((await collect(store.read(1))).map(({ seq }) => seq)).toEqual(Array.from({ length: good + 1 }, (_, i) => i + 1))
    await expect(cutLog(at(disk), await examineLog(at(disk)))).rejects.toMatchObject({ code: 'illegal-state' })
  })

  it('makes every document newer for its agent than any that was lost', async () => {
    const { store, disk } = await world()
    const row = { uuid: 'v', agentUuid: 'a', noun: 'vm', hash: 'h', tombstone: true, job: null }
    for (let n = 1; n <= 9; n++) await store.commit({ ops: [{ o: 'put', t: 'desired', k: 'a/vm/v', v: row }] }, BY)
    const lost = documentOf(store.graph, 'a/vm/v')!.generation
    await store.close()
    disk.flip(segment(1), disk.content(segment(1))!.length >> 1)
    await cutLog(at(disk), await examineLog(at(disk)))
    const { store: after } = await world(disk)
    expect(after.graph.seq).toBeLessThan(lost.seq)
    expect(compareGeneration(documentOf(after.graph, 'a/vm/v')!.generation, lost)).toBeGreaterThan(0)
  })

  it.each<[string, readonly number[], (disk: FakeDisk) => Promise<unknown> | unknown, number]>([
    ['a segment in the middle is gone', [], (disk) => disk.unlink(segments(disk)[1]!), 0],
    ['the first segment is gone', [], (disk) => disk.unlink(segments(disk)[0]!), 0],
    ['the last segment is gone', [], (disk) => disk.unlink(segments(disk).at(-1)!), 0],
    [
      'all segments are gone, a snapshot is there',
      [8],
      (disk) => Promise.all(segments(disk).map((file) => disk.unlink(file))),
      8,
    ],
    ['the first record is damaged', [], (disk) => disk.flip(segment(1), 20), 0],
    ['the manifest and its previous copy are damaged', [], (disk) => both(disk), 12],
    ['the manifest is gone', [], (disk) => Promise.all(manifests(disk).map((file) => disk.unlink(file))), 12],
    ['the newest snapshot and a record behind the older one are damaged', [4, 10], (disk) => snapshotAndRecord(disk), 4],
    ['the last record, which the snapshot is of, is damaged', [12], (disk) => lastRecord(disk), 12],
  ])('mends a log of which %s', async (label, snapshotAt, damage, atLeast) => {
    const { disk, hashes } = await history(12, snapshotAt)
    await damage(disk)
    const found = await examineLog(at(disk))
    expect(found.damage, label).toBeDefined()
    expect(found.lastGood).toBeGreaterThanOrEqual(atLeast)
    await cutLog(at(disk), found)
    const store = await goesOn(disk, hashes[found.lastGood]!, found.lastGood, label)
    expect(store.incarnation).toBe(2)
  })

  it('can be cut off by power at any moment, and done again', async () => {
    const { disk: whole, hashes } = await history(12, [4])
    whole.flip(segments(whole)[2]!, 40)
    const good = (await examineLog(at(whole))).lastGood
    const random = seeded(5)
    for (let dieAfter = 0; ; dieAfter++) {
      const disk = whole.crash(() => 0.3)
      disk.dieAfter = dieAfter
      const died = await examineLog(at(disk))
        .then((found) => cutLog(at(disk), found))
        .then(
          () => false,
          (thrown) => {
            if (!`${thrown} ${(thrown as Error).cause}`.includes('EDEAD')) throw thrown
            return true
          },
        )
      const left = disk.crash(random)
      const found = await examineLog(at(left))
      if (found.damage) await cutLog(at(left), found)
      const store = await goesOn(left, hashes[good]!, good, `operation ${dieAfter}`)
      expect(store.incarnation, `operation ${dieAfter}`).toBeGreaterThanOrEqual(2)
      if (!died) break
    }
  })
})

const manifests = (disk: FakeDisk) => disk.files().filter((file) => file.includes('manifest.json'))
const both = (disk: FakeDisk) => manifests(disk).forEach((file) => void disk.flip(file, 70))

const lastRecord = (disk: FakeDisk) => disk.flip(segments(disk).at(-1)!, disk.content(segments(disk).at(-1)!)!.length - 10)

function snapshotAndRecord(disk: FakeDisk): void {
  disk.flip(`${DIR}/snapshot-000000000000010.ndjson`, 60)
  const behind = segments(disk).findLast((file) => firstOf(file) <= 7)!
  disk.flip(behind, disk.content(behind)!.length - 10)
}
