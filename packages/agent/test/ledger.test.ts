import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SkerryError } from '@skerry/contract'
import { fakeHost, files } from '@skerry/host'
import { describe, expect, test } from 'vitest'
import { openLedger } from '../src/index.ts'
import { clock, doc, gen, id, openTestLedger, tomb } from './bench.ts'

const DESIRED = '/var/lib/agent/desired/vm'
const damage = (host: ReturnType<typeof fakeHost>, path: string) => host.disk.put(path, new TextEncoder().encode('{"v":1,'))

describe('a ledger', () => {
  test('holds after reopening what was accepted: documents, tombstones with what they bury, facts, epochs', async () => {
    const host = fakeHost()
    const ledger = await openTestLedger(host)
    await ledger.accept([doc('vm', id(1), 1), doc('vm', id(2), 1), doc('pool', id(3), 1)], 4)
    await ledger.accept([tomb('vm', id(2), 2)], 4)
    await ledger.setFacts('vm', id(1), { poweredOff: true, at: 7 })
    await ledger.setFacts('vm', id(1), { at: undefined })
    await ledger.fence('image', id(9), 6)
    const again = await openTestLedger(host)
    expect(again.digest()).toBe(ledger.digest())
    expect([...again.entries('vm')]).toEqual([...ledger.entries('vm')])
    expect([...again.entries('vm')].find((e) => e.uuid === id(2))).toMatchObject({ tombstone: true, spec: { size: 1 } })
    expect(again.facts('vm', id(1))).toEqual({ poweredOff: true })
    await expect(again.accept([doc('vm', id(1), 5)], 3)).rejects.toMatchObject({ code: 'stale-epoch' })
    await expect(again.fence('image', id(9), 5)).rejects.toMatchObject({ code: 'stale-epoch' })
    await expect(again.fence('vm', id(1), 3)).rejects.toMatchObject({ code: 'stale-epoch' })
  })

  test('refuses an older generation, and the same one with other content, in either order of incarnations', async () => {
    const ledger = await openTestLedger()
    await ledger.accept([doc('vm', id(1), 5)], 0)
    await expect(ledger.accept([doc('vm', id(1), 4)], 0)).rejects.toMatchObject({ code: 'stale-generation' })
    await expect(ledger.accept([doc('vm', id(1), 5, { size: 2 })], 0)).rejects.toMatchObject({ code: 'generation-conflict' })
    await expect(ledger.accept([tomb('vm', id(1), 5)], 0)).rejects.toMatchObject({ code: 'generation-conflict' })
    await ledger.accept([doc('vm', id(1), 5)], 0)
    await ledger.accept([{ ...doc('vm', id(1), 1, { size: 9 }), generation: gen(1, 2) }], 0)
    await expect(ledger.accept([doc('vm', id(1), 99)], 0)).rejects.toMatchObject({ code: 'stale-generation' })
    expect(ledger.entry('vm', id(1))?.document?.spec).toEqual({ size: 9 })
  })

  test('takes several documents together or not at all', async () => {
    const host = fakeHost()
    const ledger = await openTestLedger(host)
    await ledger.accept([doc('vm', id(1), 5)], 0)
    const before = ledger.digest()
    await expect(ledger.accept([doc('vm', id(2), 6), doc('vm', id(1), 4)], 0)).rejects.toBeInstanceOf(SkerryError)
    await expect(ledger.accept([doc('vm', id(3), 6), doc('vm', id(3), 7)], 0)).rejects.toMatchObject({ code: 'invalid-document' })
    expect(ledger.digest()).toBe(before)
    expect((await openTestLedger(host)).digest()).toBe(before)
  })

  test('a power cut after the batch and before its files leaves all of them', async () => {
    const host = fakeHost()
    const ledger = await openTestLedger(host)
    await ledger.accept([doc('vm', id(1), 1)], 0)
    const batches = '/var/lib/agent/batches/1.json'
    let batch: Uint8Array | undefined
    host.faults.before = (op) => {
      if (op === 'files.remove') batch ??= host.disk.files.get(batches)?.data
    }
    await ledger.accept([doc('vm', id(1), 2, { size: 2 }), doc('vm', id(2), 2)], 0)
    expect(batch).toBeDefined()
    const cut = fakeHost()
    const first = await openTestLedger(cut)
    await first.accept([doc('vm', id(1), 1)], 0)
    cut.disk.put(batches, batch as Uint8Array)
    const again = await openTestLedger(cut)
    expect(again.digest()).toBe(ledger.digest())
    expect(cut.disk.files.has(batches)).toBe(false)
    expect((await openTestLedger(cut)).digest()).toBe(ledger.digest())
  })

  test('a full disk refuses a sync and changes nothing; afterwards it is taken', async () => {
    const host = fakeHost()
    const ledger = await openTestLedger(host)
    await ledger.accept([doc('vm', id(1), 1)], 0)
    const before = ledger.digest()
    for (const set of [[doc('vm', id(1), 2)], [doc('vm', id(1), 2), doc('vm', id(2), 2)]]) {
      const total = host.disk.totalBytes
      host.disk.totalBytes = host.disk.usedBytes()
      await expect(ledger.accept(set, 0)).rejects.toMatchObject({ code: 'disk-full' })
      expect(ledger.digest()).toBe(before)
      expect((await openTestLedger(host)).digest()).toBe(before)
      host.disk.totalBytes = total
    }
    await ledger.accept([doc('vm', id(1), 2), doc('vm', id(2), 2)], 0)
    expect(ledger.digestEntries()).toHaveLength(2)
  })

  test('has an id that stays, and another one when it was wiped; a full disk keeps none, and is no reason not to start', async () => {
    const host = fakeHost()
    const { id: first } = await openTestLedger(host)
    expect(first).toMatch(/^[0-9a-f]{32}$/)
    expect((await openTestLedger(host)).id).toBe(first)
    host.disk.remove('/var/lib/agent')
    const { id: next } = await openTestLedger(host)
    expect(next).not.toBe(first)
    // Who only looks is told none, and leaves none.
    const looked = fakeHost()
    expect((await openLedger({ dir: '/var/lib/agent', files: looked.files, clock })).id).toBeUndefined()
    expect([...looked.disk.files.keys()]).toEqual([])
    looked.disk.totalBytes = looked.disk.usedBytes()
    expect((await openTestLedger(looked)).id).toMatch(/^[0-9a-f]{32}$/)
    expect([...looked.disk.files.keys()]).toEqual([])
  })

  test('uses the previous copy when the newest is damaged, and says so', async () => {
    const host = fakeHost()
    const ledger = await openTestLedger(host)
    await ledger.accept([doc('vm', id(1), 1)], 0)
    await ledger.accept([doc('vm', id(1), 2)], 0)
    damage(host, `${DESIRED}/${id(1)}.json`)
    const again = await openTestLedger(host)
    expect(again.damaged).toEqual([{ path: `${DESIRED}/${id(1)}.json`, what: 'newest' }])
    expect(again.entry('vm', id(1))?.document?.generation).toEqual(gen(1))
    await again.accept([doc('vm', id(1), 2)], 0)
    expect((await openTestLedger(host)).entry('vm', id(1))?.document?.generation).toEqual(gen(2))
  })

  test('notices a flipped bit that is still JSON', async () => {
    const host = fakeHost()
    const ledger = await openTestLedger(host)
    await ledger.accept([doc('vm', id(1), 1)], 0)
    const file = host.disk.files.get(`${DESIRED}/${id(1)}.json`)
    const text = new TextDecoder().decode(file?.data).replace('"size":1', '"size":3')
    host.disk.put(`${DESIRED}/${id(1)}.json`, new TextEncoder().encode(text))
    expect((await openTestLedger(host)).damaged).toHaveLength(1)
  })

  test('counts a resource as unknown when both copies are damaged; a sync rebuilds it', async () => {
    const host = fakeHost()
    const ledger = await openTestLedger(host)
    await ledger.accept([doc('vm', id(1), 1)], 0)
    await ledger.accept([doc('vm', id(1), 2)], 0)
    const digest = ledger.digest()
    damage(host, `${DESIRED}/${id(1)}.json`)
    damage(host, `${DESIRED}/${id(1)}.json.prev`)
    const again = await openTestLedger(host)
    expect(again.damaged).toEqual([{ path: `${DESIRED}/${id(1)}.json`, what: 'both' }])
    expect([...again.entries('vm')]).toEqual([])
    await again.accept([doc('vm', id(1), 2)], 0)
    expect(again.digest()).toBe(digest)
    expect((await openTestLedger(host)).damaged).toEqual([])
  })

  test('forgets a tombstone seven days after it was carried out, and not before', async () => {
    const host = fakeHost()
    const ledger = await openTestLedger(host)
    await ledger.accept([tomb('vm', id(1), 1)], 0)
    await ledger.accept([tomb('vm', id(2), 1)], 0)
    await ledger.gone('vm', id(1))
    const later = (ms: number) => openLedger({ dir: '/var/lib/agent', files: host.files, clock: { now: () => clock.now() + ms } })
    expect([...(await later(6 * 86_400_000)).entries('vm')]).toHaveLength(2)
    expect([...(await later(8 * 86_400_000)).entries('vm')].map((e) => e.uuid)).toEqual([id(2)])
  })

  test('digest depends on content only, not on order or on tombstones', async () => {
    const [a, b] = [await openTestLedger(), await openTestLedger()]
    await a.accept([doc('vm', id(1), 1), doc('vm', id(2), 1)], 0)
    await b.accept([doc('vm', id(2), 1)], 7)
    await b.accept([doc('vm', id(1), 1), tomb('vm', id(3), 2)], 7)
    expect(a.digest()).toBe(b.digest())
    await b.accept([doc('vm', id(1), 3)], 7)
    expect(a.digest()).not.toBe(b.digest())
  })

  test('forgets what is gone in its time, also while it stays open', async () => {
    const time = { ms: 1_000_000 }
    const host = fakeHost()
    const ledger = await openLedger({ dir: '/l', files: host.files, clock: { now: () => time.ms }, goneKeptMs: 5_000 })
    await ledger.accept([tomb('vm', id(1), 1), tomb('vm', id(2), 1), doc('vm', id(3), 1)], 0)
    await ledger.gone('vm', id(1))
    time.ms += 4_999
    await ledger.prune()
    expect(ledger.entry('vm', id(1))).toBeDefined()
    time.ms += 1
    await ledger.prune()
    expect([1, 2, 3].map((n) => ledger.entry('vm', id(n)) !== undefined)).toEqual([false, true, true])
    expect([...host.disk.files.keys()].filter((path) => path.includes(id(1)))).toEqual([])
  })

  test('works on a real file system, with 0600 files and no leftovers', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'skerry-ledger-'))
    try {
      const open = () => openLedger({ dir, files: files(), clock })
      const ledger = await open()
      await ledger.accept([doc('vm', id(1), 1), doc('vm', id(2), 1)], 0)
      await ledger.accept([doc('vm', id(1), 2)], 0)
      await writeFile(join(dir, 'desired/vm/.tmp-left-by-a-crash'), 'x')
      expect((await open()).digest()).toBe(ledger.digest())
      expect((await readdir(join(dir, 'desired/vm'))).sort()).toEqual([`${id(1)}.json`, `${id(1)}.json.prev`, `${id(2)}.json`])
      expect(await readdir(join(dir, 'batches'))).toEqual([])
      const text = await readFile(join(dir, `desired/vm/${id(1)}.json`), 'utf8')
      await writeFile(join(dir, `desired/vm/${id(1)}.json`), text.slice(0, 50))
      expect((await open()).entry('vm', id(1))?.document?.generation).toEqual(gen(1))
    } finally {
      await rm(dir, { recursive: true })
    }
  })
})
