import { readFileSync } from 'node:fs'
import type { Change } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { fakeDisk } from '../src/store/fake-disk.ts'
import { BY, collect, DIR, put, world } from './store-world.ts'

const lastUnit = (t: string): Change => ({
  guards: [{ g: 'counter', t: 'host', k: 'h', field: 'free', delta: -1, min: 0 }],
  ops: [
    { o: 'add', t: 'host', k: 'h', field: 'free', delta: -1 },
    { o: 'put', t: 'vm', k: t, v: {} },
  ],
})
const host = (free: number): Change => ({ ops: [{ o: 'put', t: 'host', k: 'h', v: { free } }] })

describe('store', () => {
  it('applies a commit in memory at once and answers when it is durable', async () => {
    const { store } = await world()
    const done = store.commit(put(1), BY)
    expect(store.graph.get('vm', 'vm1')).toMatchObject({ n: 1 })
    expect(store.status().durableSeq).toBe(0)
    expect(await done).toEqual({ seq: 1, at: 1_700_000_000_000 })
    expect(store.status()).toMatchObject({ writable: true, durableSeq: 1 })
  })

  it('lets exactly one of two commits have the last unit of a counter', async () => {
    const { store } = await world()
    await store.commit(host(1), BY)
    const results = await Promise.allSettled([store.commit(lastUnit('a'), BY), store.commit(lastUnit('b'), BY)])
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected'])
    expect(results[1]).toMatchObject({ reason: { code: 'conflict', details: { guard: { g: 'counter' }, have: 0 } } })
    expect(store.graph.get('host', 'h')).toEqual({ free: 0 })
    expect(store.graph.get('vm', 'b')).toBeUndefined()
    expect(store.graph.seq).toBe(2)
  })

  it('never oversells under 200 commits at once', async () => {
    const { store } = await world()
    await store.commit(host(37), BY)
    const results = await Promise.allSettled(Array.from({ length: 200 }, (_, i) => store.commit(lastUnit(`${i}`), BY)))
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(37)
    expect(store.graph.get('host', 'h')).toEqual({ free: 0 })
  })

  it('makes commits that come together durable by one sync', async () => {
    const { store, disk } = await world()
    const before = disk.syncs
    await Promise.all(Array.from({ length: 256 }, (_, i) => store.commit(put(i), BY)))
    expect(disk.syncs - before).toBe(1)
  })

  it('names in each group the last commit that was durable before it', async () => {
    const { store, disk } = await world()
    await Promise.all([store.commit(put(1), BY), store.commit(put(2), BY)])
    await store.commit(put(3), BY)
    const text = disk.content(`${DIR}/log-000000000000001.seg`)!.toString('latin1')
    expect([...text.matchAll(/"durable":(\d+)/g)].map((match) => match[1])).toEqual(['0', '0', '2'])
  })

  it('tells listeners of commits in order, once durable and before the answer; a bad listener harms nobody', async () => {
    const { store, errors } = await world()
    const heard: string[] = []
    store.onCommit(() => {
      throw new Error('bad listener')
    })
    const stop = store.onCommit((commit, seq) =>
      heard.push(`${seq} ${commit.facts[0]?.event} ${store.status().durableSeq >= seq}`),
    )
    await Promise.all([1, 2].map((n) => store.commit(put(n), BY).then(({ seq }) => heard.push(`answered ${seq}`))))
    stop()
    await store.commit(put(3), BY)
    expect(heard).toEqual(['1 created true', '2 created true', 'answered 1', 'answered 2'])
    expect(errors).toHaveLength(3)
  })

  it('keeps what the caller does to its objects afterwards out of the graph', async () => {
    const { store } = await world()
    const change = put(1)
    const row = (change.ops[0] as { v: Record<string, unknown> }).v
    row.list = ['a']
    await store.commit(change, BY)
    row.n = 99
    ;(row.list as string[]).push('b')
    expect(store.graph.get('vm', 'vm1')).toMatchObject({ n: 1, list: ['a'] })
  })

  it('gives commits again from any seq, over segments, and only durable ones', async () => {
    const { store } = await world(fakeDisk(), { segmentBytes: 900 })
    for (let n = 1; n <= 12; n++) await store.commit(put(n, n * 40), BY)
    const last = store.commit(put(13), BY)
    const all = await collect(store.read(1))
    await last
    expect(all.map(({ seq, commit }) => [seq, commit.facts[0]!.uuid])).toEqual(
      Array.from({ length: 12 }, (_, i) => [i + 1, `vm${i + 1}`]),
    )
    expect((await collect(store.read(7))).map(({ seq }) => seq)).toEqual([7, 8, 9, 10, 11, 12, 13])
    expect(await collect(store.read(50))).toEqual([])
  })

  it('reads records longer than its window', async () => {
    const { store } = await world()
    for (let n = 1; n <= 3; n++) await store.commit(put(n, 700_000), BY)
    expect((await collect(store.read(2))).map(({ seq }) => seq)).toEqual([2, 3])
  })

  it('comes back with the same state, versions, incarnation and seq', async () => {
    const one = await world()
    await one.store.commit(host(3), BY)
    await one.store.commit(lastUnit('a'), BY)
    await one.store.raiseIncarnation()
    await one.store.commit({ ops: [{ o: 'del', t: 'vm', k: 'a' }] }, BY)
    await one.store.close()
    const two = await world(one.disk)
    expect(two.store.graph.hash()).toBe(one.store.graph.hash())
    expect(two.store.incarnation).toBe(2)
    expect(two.store.recovery).toMatchObject({ replayed: 3, tornBytes: 0 })
    expect(await two.store.commit(put(1), BY)).toMatchObject({ seq: 4 })
  })

  it('remembers a raised incarnation before anything was written under it', async () => {
    const one = await world()
    expect(await one.store.raiseIncarnation()).toBe(2)
    expect((await world(one.disk.crash(() => 0))).store.incarnation).toBe(2)
  })

  it('stops writing for good after a failed sync, and goes on reading', async () => {
    const { store, disk } = await world()
    await store.commit(put(1), BY)
    disk.failSync = 'EIO'
    await expect(store.commit(put(2), BY)).rejects.toMatchObject({ code: 'store-stopped', cause: { code: 'EIO' } })
    disk.failSync = undefined
    await expect(store.commit(put(3), BY)).rejects.toMatchObject({ code: 'store-stopped', cause: { code: 'EIO' } })
    expect(store.graph.get('vm', 'vm1')).toBeDefined()
    expect(store.status()).toMatchObject({ writable: false, durableSeq: 1, reason: { code: 'store-stopped' } })
    expect(await collect(store.read(1))).toHaveLength(1)
    await expect(store.snapshot()).rejects.toMatchObject({ code: 'store-stopped' })
    await store.close()
  })

  it('does not build on what a failed sync left in the page cache: it writes that again at the next start', async () => {
    const { store, disk } = await world()
    await store.commit(put(1), BY)
    disk.failSync = 'EIO'
    await expect(store.commit(put(2), BY)).rejects.toMatchObject({ code: 'store-stopped' })
    disk.failSync = undefined
    const second = await world(disk)
    await second.store.commit(put(second.store.graph.seq + 1), BY)
    const { seq } = second.store.graph
    const third = await world(disk.crash(() => 0))
    expect(third.store.recovery.corrupt).toBeUndefined()
    expect(third.store.graph.seq).toBe(seq)
  })

  it('refuses everything once closed', async () => {
    const { store } = await world()
    await store.close()
    await expect(store.commit(put(1), BY)).rejects.toMatchObject({ code: 'store-stopped' })
  })

  it('refuses a log of a newer contract version', async () => {
    const { store, disk } = await world()
    await store.commit(put(1), BY)
    await store.close()
    const { FrameWriter, payloadText, recordHash } = await import('../src/store/record.ts')
    const first = disk.content(`${DIR}/log-000000000000001.seg`)!
    const header = { contract: 99, incarnation: 1, seq: 2, epoch: 0, prev: recordHash(first), durable: 1 }
    const newer = Buffer.concat([first, new FrameWriter().push(payloadText(header, '{"ops":[]}'))])
    const patched = fakeDisk(disk.files().map((name) => [name, name.endsWith('1.seg') ? newer : disk.content(name)!]))
    await expect(world(patched)).rejects.toMatchObject({ code: 'log-newer', details: { contract: 99 } })
  })
})

describe('a full disk', () => {
  const RESERVE = 20_000

  it('refuses ordinary commits, lets urgent ones use the reserve, and recovers when there is room again', async () => {
    const { store, disk } = await world(fakeDisk(), { reserveBytes: RESERVE })
    await store.commit(put(1), BY)
    await expect.poll(() => disk.content(`${DIR}/reserve`)?.length).toBe(RESERVE)
    // Somebody else fills the disk to the last byte.
    const used = await disk.free(DIR).then(() => disk.files().reduce((sum, file) => sum + disk.content(file)!.length, 0))
    disk.capacity = used + 10
    await store.commit(put(2), BY)
    const left = disk.content(`${DIR}/reserve`)!.length
    expect(left, 'the commit under way was written on the room of a slice of the reserve').toBeLessThan(RESERVE)
    expect(left, 'and of no more than one').toBeGreaterThan(RESERVE * 0.9)
    await expect(store.commit(put(3), BY)).rejects.toMatchObject({ code: 'disk-full' })
    expect(store.status()).toMatchObject({ writable: false, reason: { code: 'disk-full' } })
    await store.commit(put(4), { ...BY, urgent: true })
    expect(store.graph.get('vm', 'vm3')).toBeUndefined()

    disk.capacity = used + 10 * RESERVE
    await expect(store.commit(put(5), BY), 'the refusal measures anew').rejects.toMatchObject({ code: 'disk-full' })
    await expect.poll(() => store.status().writable).toBe(true)
    await store.commit(put(6), BY)
    expect(disk.content(`${DIR}/reserve`)).toHaveLength(RESERVE)
    await store.close()
    expect((await world(disk)).store.graph.hash()).toBe(store.graph.hash())
  })

  it('refuses ordinary commits already while there is less room than the reserve', async () => {
    const { store, disk } = await world(fakeDisk(), { reserveBytes: RESERVE })
    await expect.poll(() => disk.content(`${DIR}/reserve`)?.length).toBe(RESERVE)
    await store.commit(put(1, 300_000), BY)
    const used = disk.files().reduce((sum, file) => sum + disk.content(file)!.length, 0)
    disk.capacity = used + store.status().bytes + RESERVE / 2
    await store.commit(put(2, 300_000), BY)
    await expect.poll(() => store.status().reason?.code).toBe('disk-full')
    await expect(store.commit(put(3), BY)).rejects.toMatchObject({ code: 'disk-full' })
    await store.commit(put(4), { ...BY, urgent: true })
    expect(disk.content(`${DIR}/reserve`), 'not yet needed').toHaveLength(RESERVE)
  })

  it('gives the reserve up slice by slice, however often somebody else takes what it gave', async () => {
    const { store, disk } = await world(fakeDisk(), { reserveBytes: RESERVE })
    await expect.poll(() => disk.content(`${DIR}/reserve`)?.length).toBe(RESERVE)
    const used = () => disk.files().reduce((sum, file) => sum + disk.content(file)!.length, 0)
    for (let n = 1; n <= 10; n++) {
      disk.capacity = used()
      await store.commit(put(n), { ...BY, urgent: true })
    }
    await expect(store.commit(put(11), BY)).rejects.toMatchObject({ code: 'disk-full' })
    disk.capacity = used() + 10 * RESERVE
    await expect.poll(() => store.commit(put(12), BY).then(Boolean, () => false)).toBe(true)
    expect((await world(disk.crash(() => 0))).store.graph.hash()).toBe(store.graph.hash())
  })

  it('without any reserve left waits for room, refuses others meanwhile, and goes on by itself', async () => {
    const { store, disk, errors } = await world()
    await store.commit(put(1), BY)
    const had = disk.capacity
    disk.capacity = 0
    let written = false
    const waiting = store.commit(put(2), BY).then(() => (written = true))
    await expect.poll(() => store.status().reason?.code).toBe('disk-full')
    await expect(store.commit(put(3), BY)).rejects.toMatchObject({ code: 'disk-full' })
    expect(written).toBe(false)
    expect(store.durableSeq).toBe(1)
    disk.capacity = had
    await waiting
    await expect.poll(() => store.commit(put(4), BY).then(Boolean, () => false)).toBe(true)
    expect((await world(disk.crash(() => 0))).store.graph.hash()).toBe(store.graph.hash())
    expect(errors, 'told once').toMatchObject([{ code: 'disk-full' }])
  })

  it('does not keep a store from being closed: what waited is refused', async () => {
    const { store, disk } = await world()
    await store.commit(put(1), BY)
    disk.capacity = 0
    const waiting = expect(store.commit(put(2), BY)).rejects.toMatchObject({ code: 'store-stopped', cause: { code: 'ENOSPC' } })
    await expect.poll(() => store.status().reason?.code).toBe('disk-full')
    await store.close()
    await waiting
    disk.capacity = 1e9
    const again = await world(disk)
    expect(again.store.graph.get('vm', 'vm1')).toBeDefined()
    expect(again.store.recovery.corrupt).toBeUndefined()
  })

  it('lets a snapshot use half of the reserve, which then frees old segments and the disk', async () => {
    const limits = { reserveBytes: RESERVE, segmentBytes: 2_000, keepBytes: 0 }
    const { store, disk } = await world(fakeDisk(), limits)
    await expect.poll(() => disk.content(`${DIR}/reserve`)?.length).toBe(RESERVE)
    for (let n = 1; n <= 40; n++) await store.commit(put(n % 10, 100), BY)
    await store.snapshot()
    disk.capacity = disk.files().reduce((sum, file) => sum + disk.content(file)!.length, 0)
    const before = store.status().bytes
    // The first replaces what the second snapshot of these needs no more.
    await store.commit(put(1, 100), { ...BY, urgent: true })
    await store.snapshot()
    expect(store.status().bytes).toBeLessThan(before)
    expect(disk.content(`${DIR}/reserve`)!.length).toBeGreaterThanOrEqual(RESERVE / 2)
    expect(disk.files().filter((file) => file.endsWith('.tmp'))).toEqual([])
    // The graph is larger than what may be used: nothing is left behind by the try.
    disk.capacity = disk.files().reduce((sum, file) => sum + disk.content(file)!.length, 0)
    for (let n = 100; n < 104; n++) await store.commit(put(n, 800), { ...BY, urgent: true })
    disk.capacity = disk.files().reduce((sum, file) => sum + disk.content(file)!.length, 0)
    await expect(store.snapshot()).rejects.toMatchObject({ code: 'disk-full' })
    expect(disk.files().filter((file) => file.endsWith('.tmp'))).toEqual([])
  })
})

describe('the golden log of version 1', () => {
  it('still replays to the state it had when it was written', async () => {
    const folder = new URL('./golden/log-v1/', import.meta.url)
    const names = ['manifest.json', 'log-000000000000001.seg', 'log-000000000000007.seg', 'snapshot-000000000000005.ndjson']
    const disk = fakeDisk(names.map((name) => [`${DIR}/${name}`, readFileSync(new URL(name, folder))]))
    const expected = JSON.parse(readFileSync(new URL('state.json', folder), 'utf8')) as Record<string, unknown>
    const { store } = await world(disk)
    expect(store.recovery).toMatchObject({ replayed: 7, snapshot: 5, tornBytes: 0 })
    expect({ hash: store.graph.hash(), seq: store.graph.seq, incarnation: store.incarnation }).toEqual(expected)

    const without = await world(
      fakeDisk(names.slice(0, 3).map((name) => [`${DIR}/${name}`, readFileSync(new URL(name, folder))])),
    )
    expect(without.store.recovery.replayed).toBe(12)
    expect(without.store.graph.hash()).toBe(expected.hash)
  })
})
