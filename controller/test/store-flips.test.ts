/** Seeded damage to the files of a real log: it is found and named, and what is read is always a prefix of what was written. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { realDisk } from '../src/store/disk.ts'
import { type FakeDisk, fakeDisk } from '../src/store/fake-disk.ts'
import { openStore, type Store } from '../src/store/store.ts'
import { BY, collect, counted, DIR, put, seeded, tables, world } from './store-world.ts'

const FLIPS = 1000
const OTHERS = 100
const COMMITS = 80
const SNAPSHOTS = [25, 50]
const BASE = SNAPSHOTS[1]!
/** Of the last one nobody says that it was acknowledged. */
const MARK = COMMITS - 1
const SEED = 20_240_601

let folder: string
/** Content of each file as a killed process left it. */
const files = new Map<string, Buffer>()
/** Hash of the graph at each seq. */
const hashes: string[] = []

/** The record that a byte of a segment belongs to. */
function recordAt(file: string, offset: number): { seq: number; offset: number } {
  const bytes = files.get(file)!
  let seq = Number(/\d{15}/.exec(file)![0])
  for (let at = 0; ; seq++) {
    const end = at + 8 + bytes.readUInt32LE(at)
    if (offset < end) return { seq, offset: at }
    at = end
  }
}

const segments = () => [...files.keys()].filter((file) => file.endsWith('.seg')).sort()

beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'skerry-flips-'))
  const limits = { segmentBytes: 9_000, reserveBytes: 0, autoSnapshot: false }
  const store = await openStore({ dir: folder, disk: realDisk, tables, clock: counted(), newId: () => 'c', limits })
  hashes.push(store.graph.hash())
  for (let n = 1; n <= COMMITS; n++) {
    const change =
      n % 7 === 0 ? { ops: [{ o: 'del' as const, t: 'vm', k: `vm${n - 3}` }, ...put(n).ops] } : put(n, 100 + (n % 5) * 40)
    await store.commit(change, BY)
    hashes.push(store.graph.hash())
    if (SNAPSHOTS.includes(n)) await store.snapshot()
  }
  for (const file of await fs.readdir(folder)) files.set(file, await fs.readFile(path.join(folder, file)))
  await store.close()
  expect(segments().length).toBeGreaterThan(5)
})
afterAll(() => fs.rm(folder, { recursive: true }))

/** A copy of the folder in which `damage` has changed one file. */
function copyWith(file: string, damage: (bytes: Buffer) => Buffer): FakeDisk {
  return fakeDisk([...files].map(([name, bytes]) => [`${DIR}/${name}`, name === file ? damage(Buffer.from(bytes)) : bytes]))
}

const flipped = (offset: number, bit: number) => (bytes: Buffer) => {
  bytes[offset] = bytes[offset]! ^ (1 << bit)
  return bytes
}

/** A byte of all files; every twentieth of a manifest, which is too small to be hit otherwise. */
function someByte(random: () => number, run: number): { file: string; at: number } {
  const one = run % 20 === 0 ? [`manifest.json${run % 40 === 0 ? '' : '.prev'}`] : [...files.keys()].sort()
  let at = Math.floor(random() * one.reduce((sum, name) => sum + files.get(name)!.length, 0))
  for (const file of one) {
    const { length } = files.get(file)!
    if (at < length) return { file, at }
    at -= length
  }
  throw new Error('there is no such byte')
}

/** What holds after any damage: a prefix of the history, and writing only where nothing acknowledged is missing. */
async function isPrefix(store: Store, label: string): Promise<void> {
  expect(store.graph.hash(), `${label}: the graph at ${store.graph.seq}`).toBe(hashes[store.graph.seq])
  if (store.recovery.corrupt) {
    expect(store.status(), label).toMatchObject({ writable: false, reason: { code: 'log-corrupt' } })
    await expect(store.commit(put(999), BY), label).rejects.toMatchObject({ code: 'log-corrupt' })
    expect(store.recovery.corrupt.details, label).toMatchObject({ file: expect.any(String), offset: expect.any(Number) })
  } else {
    expect(await store.commit(put(999), BY), label).toMatchObject({ seq: store.graph.seq })
  }
}

async function flippedSegment(store: Store, file: string, at: number, label: string): Promise<void> {
  const { seq, offset } = recordAt(file, at)
  if (seq > MARK) {
    expect(store.recovery, label).toMatchObject({ file, offset, tornBytes: files.get(file)!.length - offset })
    expect(store.graph.seq, label).toBe(MARK)
  } else if (seq > BASE) {
    expect(store.recovery.corrupt?.details, label).toMatchObject({ file, offset, seq })
    expect(store.graph.seq, label).toBe(seq - 1)
    expect(await collect(store.read(1)), label).toHaveLength(seq - 1)
  } else {
    // The snapshot holds what this record did: only history is damaged.
    expect(store.graph.seq, label).toBe(COMMITS)
    await expect
      .poll(() => store.status().damagedHistory, { message: label, interval: 1 })
      .toMatchObject([{ code: 'log-corrupt', details: { file, offset, seq } }])
    await expect(collect(store.read(seq)), label).rejects.toMatchObject({ code: 'log-corrupt', details: { file, offset } })
    expect(await collect(store.read(seq + 1)), label).toHaveLength(COMMITS - seq)
  }
}

async function flippedSnapshot(store: Store, file: string, at: number, label: string): Promise<void> {
  expect(store.graph.seq, label).toBe(COMMITS)
  expect(store.recovery.corrupt, label).toBeUndefined()
  // A checksum means the same in capitals, and the blank behind it nothing.
  const line = files.get(file)!.subarray(files.get(file)!.lastIndexOf(10, at - 1) + 1)
  const inside = at - (files.get(file)!.length - line.length)
  if (inside <= 8) return
  if (file.includes(String(BASE))) {
    expect(store.recovery.badSnapshots[0]?.details, label).toMatchObject({ file, offset: expect.any(Number) })
    expect(store.recovery.badSnapshots[0]!.details['offset'], label).toBeLessThanOrEqual(at)
    expect(store.recovery.snapshot, label).toBe(SNAPSHOTS[0])
  } else
    await expect.poll(() => store.status().damagedHistory[0]?.details, { message: label, interval: 1 }).toMatchObject({ file })
}

// Each takes seconds; far longer where a dozen other suites run.
vi.setConfig({ testTimeout: 240_000 })

describe(`damage to a log of several segments (seed ${SEED})`, () => {
  it(`by one bit, ${FLIPS} times: named below the mark, cut above it, passed over in snapshots and manifest`, async () => {
    const random = seeded(SEED)
    const seen = new Map<string, number>()
    for (let run = 0; run < FLIPS; run++) {
      const { file, at } = someByte(random, run)
      const label = `run ${run}: ${file} byte ${at}`
      const { store } = await world(copyWith(file, flipped(at, Math.floor(random() * 8))))
      const kind = file.startsWith('log-') ? 'log' : file.startsWith('snapshot-') ? 'snapshot' : file
      seen.set(kind, (seen.get(kind) ?? 0) + 1)
      if (kind === 'log') await flippedSegment(store, file, at, label)
      else if (kind === 'snapshot') await flippedSnapshot(store, file, at, label)
      else expect(store.recovery.previousManifest ?? false, label).toBe(file === 'manifest.json')
      await isPrefix(store, label)
      await store.close()
    }
    for (const kind of ['log', 'snapshot', 'manifest.json', 'manifest.json.prev'])
      expect(seen.get(kind), kind).toBeGreaterThan(20)
  })

  it(`by cutting a file short, and by a page of zeros, ${OTHERS} times each`, async () => {
    const random = seeded(SEED + 1)
    const last = segments().at(-1)!
    for (let run = 0; run < 2 * OTHERS; run++) {
      const names = [...files.keys()].filter((name) => files.get(name)!.length > 0)
      const file = names[Math.floor(random() * names.length)]!
      const { length } = files.get(file)!
      const at = Math.floor(random() * length)
      const page = Math.floor(at / 4096) * 4096
      const short = run % 2 === 0
      const label = `run ${run}: ${file} ${short ? `cut at ${at}` : `zeros at ${page}`}`
      const disk = copyWith(file, (bytes) =>
        short ? bytes.subarray(0, at) : bytes.fill(0, page, Math.min(page + 4096, bytes.length)),
      )
      const { store } = await world(disk)
      const { recovery, graph } = store
      // The end of the last file was vouched for by nobody: it may go, and what of it is left is cut and reported.
      if (file === last && !recovery.corrupt) expect(recovery.tornBytes > 0 || recordStarts(file).includes(at), label).toBe(true)
      else if (!recovery.corrupt) expect(graph.seq, label).toBe(COMMITS)
      else expect(recovery.corrupt.details['file'], label).toBe(file)
      await isPrefix(store, label)
      await store.close()
    }
  })

  it('on the machine’s own disk as on the fake one', async () => {
    const random = seeded(SEED + 2)
    for (let run = 0; run < 20; run++) {
      const file = segments()[Math.floor(random() * segments().length)]!
      const at = Math.floor(random() * files.get(file)!.length)
      const dir = await fs.mkdtemp(path.join(folder, 'copy-'))
      for (const [name, bytes] of files)
        await fs.writeFile(path.join(dir, name), name === file ? flipped(at, run % 8)(Buffer.from(bytes)) : bytes)
      const limits = { reserveBytes: 0, autoSnapshot: false }
      const store = await openStore({
        dir,
        disk: realDisk,
        tables,
        clock: counted(),
        newId: () => 'c',
        limits,
        report: () => undefined,
      })
      await flippedSegment(store, file, at, `run ${run}: ${file} byte ${at}`)
      await isPrefix(store, `run ${run}`)
      await store.close()
    }
  })
})

function recordStarts(file: string): number[] {
  const bytes = files.get(file)!
  const starts = [0]
  for (let at = 0; at < bytes.length; starts.push(at)) at += 8 + bytes.readUInt32LE(at)
  return starts
}
