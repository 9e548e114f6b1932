/** What can be wrong with the log, from a real store on a bad disk: it shows, says where, and goes when it is mended. */
import { memoryBroker } from '@skerry/bus'
import type { SiteCondition } from '@skerry/contract'
import { expect, it } from 'vitest'
import { AgentBook } from '../src/agents/book.ts'
import { type Conditions, startConditions } from '../src/conditions/index.ts'
import { tables } from '../src/engine/tables.ts'
import { type FakeDisk, fakeDisk } from '../src/store/fake-disk.ts'
import { openStore, type Store } from '../src/store/store.ts'
import { BY, DIR, put, seeded } from './store-world.ts'

interface World {
  store: Store
  conditions: Conditions
  /** lets the store's and the conditions' timers run once */
  tick(): Promise<void>
  codes(): string[]
  one(): SiteCondition
}

async function open(disk: FakeDisk, limits = {}): Promise<World> {
  const timers: (() => void)[] = []
  const every = (_ms: number, run: () => void) => {
    timers.push(run)
    return () => undefined
  }
  let ids = 0
  const store = await openStore({
    ...{ dir: DIR, disk, tables, clock: () => 1_700_000_000_000, every },
    newId: () => String(++ids).padStart(32, '0'),
    limits: { reserveBytes: 0, autoSnapshot: false, ...limits },
    report: () => undefined,
  })
  const conditions = startConditions({
    ...{
      store,
      bus: memoryBroker().connect(),
      book: new AgentBook(() => 0),
      secrets: {} as never,
      nodeUuid: 'n',
      certificates: [],
    },
    ...{ now: () => 1, monotonic: () => 1, every, later: (fn) => fn() },
    report: (error) => {
      throw error
    },
  })
  return {
    ...{ store, conditions },
    async tick() {
      for (const run of timers) run()
      await new Promise((resolve) => setTimeout(resolve, 1))
      for (const run of timers) run()
    },
    codes: () => conditions.list().map((c) => c.code),
    one: () => conditions.list()[0]!,
  }
}

async function written(count: number, o: { close?: boolean; snapshots?: number } = {}): Promise<FakeDisk> {
  const disk = fakeDisk()
  const { store } = await open(disk)
  for (let n = 0; n < count; n++) await store.commit(put(n), BY)
  for (let n = 0; n < (o.snapshots ?? 0); n++) {
    await store.snapshot()
    await store.commit(put(1000 + n), BY)
  }
  if (o.close !== false) await store.close()
  return disk
}
const files = (disk: FakeDisk, pattern: RegExp) =>
  disk
    .files()
    .filter((file) => pattern.test(file))
    .sort()
const segment = (disk: FakeDisk) => files(disk, /\.seg$/)[0]!

it('a full disk shows while nobody writes, and goes when there is room', async () => {
  const disk = fakeDisk()
  const w = await open(disk, { reserveBytes: 10_000 })
  await w.tick()
  expect(w.codes()).toEqual([])
  disk.capacity = 10_500
  await w.tick()
  expect(w.codes()).toEqual(['disk-full'])
  expect(w.one()).toMatchObject({ noun: 'site', details: { path: DIR } })
  disk.capacity = 1e9
  await w.tick()
  expect(w.codes()).toEqual([])
})

it.each(['EIO', 'EROFS'])('a sync that answers %s stops the store, and that shows', async (code) => {
  const disk = fakeDisk()
  const w = await open(disk)
  disk.failSync = code
  await expect(w.store.commit(put(1), BY)).rejects.toMatchObject({ code: 'store-stopped' })
  disk.failSync = undefined
  await w.tick()
  expect(w.codes()).toEqual(['store-stopped'])
  expect(w.one().message).toContain(code)
  const again = await open(disk)
  await again.tick()
  expect(again.codes()).toEqual([])
})

it('a torn end is told with file, offset and bytes, and not after the next start', async () => {
  const disk = await written(5, { close: false })
  const file = segment(disk)
  const torn = fakeDisk(
    disk.files().map((f) => [f, f === file ? Buffer.concat([disk.content(f)!, Buffer.from('torn!')]) : disk.content(f)!]),
  )
  const w = await open(torn)
  await w.tick()
  expect(w.codes()).toEqual(['log-tail-cut'])
  expect(w.one()).toMatchObject({
    severity: 'info',
    details: { bytes: 5, file: file.slice(DIR.length + 1), offset: disk.content(file)!.length },
  })
  await w.store.close()
  const again = await open(torn)
  await again.tick()
  expect(again.codes()).toEqual([])
})

it('a flipped bit below the durable mark makes it read-only, and that shows with file and offset', async () => {
  const disk = await written(20)
  const file = segment(disk)
  disk.flip(file, Math.floor(disk.content(file)!.length / 2))
  const w = await open(disk)
  await w.tick()
  expect(w.codes()).toEqual(['log-corrupt'])
  expect(w.one()).toMatchObject({
    severity: 'critical',
    details: { file: file.slice(DIR.length + 1), offset: expect.any(Number) },
  })
  expect(w.conditions.overview().store).toMatchObject({ writable: false, reason: 'log-corrupt' })
})

it('a damaged snapshot is told by name, and not any more when it was replaced', async () => {
  const disk = await written(10, { snapshots: 2 })
  const newest = files(disk, /snap/).at(-1)!
  disk.flip(newest, Math.floor(seeded(3)() * disk.content(newest)!.length))
  const w = await open(disk)
  await w.tick()
  expect(w.codes()).toEqual(['snapshot-damaged'])
  expect(w.one().message).toContain(newest.slice(DIR.length + 1))
  for (let n = 0; n < 2; n++) {
    await w.store.commit(put(50 + n), BY)
    await w.store.snapshot()
  }
  await w.store.close()
  const again = await open(disk)
  await again.tick()
  expect(again.codes()).toEqual([])
})
