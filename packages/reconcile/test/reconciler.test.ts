import { SkerryError } from '@skerry/contract'
import * as fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { converge, type Reconciler } from '../src/index.ts'
import { bench, FakeHost, id, MemoryLedger, settle } from './fake-host.ts'

let running: Reconciler[] = []
afterEach(async () => {
  for (const r of running.splice(0)) await r.stop()
  running = []
})
function started(...args: Parameters<typeof bench>) {
  const b = bench(...args)
  running.push(b.reconciler)
  return b
}

describe('a pass', () => {
  test('makes nouns in order and removes them in the opposite order, removals first', async () => {
    const { host, ledger, reconciler } = started(['pool', 'volume'])
    host.things = new Map([
      [`pool/${id(1)}`, 1],
      [`volume/${id(2)}`, 1],
    ])
    ledger.bury('pool', id(1))
    ledger.bury('volume', id(2))
    ledger.want('volume', id(4), 1)
    ledger.want('pool', id(3), 1)
    reconciler.start()
    await reconciler.pass()
    expect(host.log).toEqual(['remove volume 2', 'remove pool 1', 'make pool 3', 'make volume 4'])
  })

  test('tells a status for what changed and nothing the second time', async () => {
    const { ledger, reconciler, short } = started(['vm'])
    ledger.want('vm', id(1), 5)
    reconciler.start()
    await reconciler.pass()
    expect(short()).toEqual(['vm 1 Ready {"size":5}'])
    const digest = reconciler.statusDigest()
    await reconciler.pass()
    expect(short()).toEqual([])
    expect(reconciler.statusDigest()).toBe(digest)
    ledger.want('vm', id(1), 6, 2)
    await reconciler.pass()
    expect(short()).toEqual(['vm 1 Ready {"size":6}'])
    expect(reconciler.statusDigest()).not.toBe(digest)
  })

  test('leaves what no document names running and reports it as Orphaned', async () => {
    const { host, reconciler, short } = started(['vm'])
    host.things.set(`vm/${id(9)}`, 1)
    reconciler.start()
    await reconciler.pass()
    expect(host.log).toEqual([])
    expect(short()).toEqual(['vm 9 Orphaned {"size":1}'])
    host.things.clear()
    await reconciler.pass()
    expect(short()).toEqual(['vm 9 Gone {}'])
    expect(reconciler.statuses()).toEqual([])
  })

  test('never applies a change to what is neither wanted nor buried, even if a module plans it', async () => {
    const { host, reconciler, faults } = started(['vm'], {
      plan: (_want, have) => have.map(({ uuid }) => ({ uuid, op: 'remove' as const })),
    })
    host.things.set(`vm/${id(9)}`, 1)
    reconciler.start()
    await reconciler.pass()
    expect(host.log).toEqual([])
    expect(faults[0]?.where).toMatchObject({ noun: 'vm', doing: 'plan' })
  })

  test('reports Gone when a tombstone was carried out, and for one whose thing was never there', async () => {
    const { host, ledger, reconciler, short } = started(['vm'])
    host.things.set(`vm/${id(1)}`, 1)
    ledger.bury('vm', id(1))
    ledger.bury('vm', id(2))
    reconciler.start()
    await reconciler.pass()
    expect(short()).toEqual(['vm 1 Gone {}', 'vm 2 Gone {}'])
  })

  test('goes on with the others when one resource fails, and names the cause in its status', async () => {
    const { host, ledger, reconciler, told } = started(['vm'])
    host.failOn.set(id(1), new SkerryError('disk-full', 'cannot write /x', { path: '/x' }))
    ledger.want('vm', id(1), 1)
    ledger.want('vm', id(2), 1)
    reconciler.start()
    await reconciler.pass()
    expect(told.map((s) => [s.uuid, s.condition, s.error?.code])).toEqual([
      [id(1), 'Failed', 'disk-full'],
      [id(2), 'Ready', undefined],
    ])
  })

  test('reports Refused when the error says that a retry is of no use', async () => {
    const { host, ledger, reconciler, told } = started(['vm'])
    host.failOn.set(id(1), new SkerryError('invalid-argument', 'a system folder'))
    ledger.want('vm', id(1), 1)
    reconciler.start()
    await reconciler.pass()
    expect(told.at(-1)).toMatchObject({ condition: 'Refused', error: { code: 'invalid-argument' } })
  })

  test('does not act on a document that its schema refuses, and does not take its thing for an orphan', async () => {
    const { host, ledger, reconciler, told } = started(['vm'])
    host.things.set(`vm/${id(1)}`, 1)
    ledger.want('vm', id(1), 'big')
    reconciler.start()
    await reconciler.pass()
    expect(host.log).toEqual([])
    expect(told).toMatchObject([{ condition: 'Refused', error: { code: 'invalid-document' } }])
  })

  test('tells Working while a change takes long', async () => {
    const { host, ledger, reconciler, time, short } = started(['vm'])
    let finish = () => {}
    host.before = () => new Promise((resolve) => (finish = resolve))
    ledger.want('vm', id(1), 1)
    reconciler.start()
    await time.advance(1_500)
    expect(short()).toEqual(['vm 1 Working {}'])
    finish()
    await settle()
    expect(short()).toEqual(['vm 1 Ready {"size":1}'])
  })

  test('works on as many resources at once as the module allows', async () => {
    let now = 0
    let most = 0
    const { host, ledger, reconciler } = started(['vm'], { concurrency: 3 })
    host.before = async () => {
      most = Math.max(most, ++now)
      await settle()
      now--
    }
    for (let n = 1; n < 10; n++) ledger.want('vm', id(n), 1)
    reconciler.start()
    await reconciler.pass()
    expect(most).toBe(3)
    expect(host.things.size).toBe(9)
  })
})

describe('the loop', () => {
  test('tries a failed resource again after 1, 2, 4 … at most 60 seconds, and at once for another document', async () => {
    const { host, ledger, reconciler, time, told } = started(['vm'])
    host.failOn.set(id(1), new SkerryError('host-command-failed', 'no'))
    ledger.want('vm', id(1), 1)
    reconciler.start()
    await settle()
    expect(host.log).toHaveLength(1)
    reconciler.signal()
    await settle()
    expect(host.log).toHaveLength(1)
    expect(told.at(-1)).toMatchObject({ condition: 'Failed' })
    await time.advance(1_000)
    expect(host.log).toHaveLength(2)
    await time.advance(1_900)
    expect(host.log).toHaveLength(2)
    await time.advance(100)
    expect(host.log).toHaveLength(3)
    ledger.want('vm', id(1), 2, 2)
    await reconciler.pass()
    expect(host.log).toHaveLength(4)
    await time.advance(3_600_000)
    expect(host.log.length).toBeGreaterThan(60)
    expect(host.log.length).toBeLessThan(75)
    host.failOn.clear()
    await time.advance(60_000)
    expect(told.at(-1)).toMatchObject({ condition: 'Ready', error: null })
  })

  test('sees by its timer that the host drifted', async () => {
    const { host, ledger, reconciler, time } = started(['vm'])
    ledger.want('vm', id(1), 1)
    reconciler.start()
    await settle()
    host.things.clear()
    await time.advance(30_000)
    expect(host.things.size).toBe(1)
  })

  test('looks after as long as it is told before each wait', async () => {
    const { host, ledger, reconciler, time, interval } = started(['vm'])
    ledger.want('vm', id(1), 1)
    interval.ms = 200_000
    reconciler.start()
    await settle()
    host.things.clear()
    interval.ms = 10_000
    await time.advance(199_000)
    expect(host.things.size).toBe(0)
    await time.advance(1_000)
    expect(host.things.size).toBe(1)
    host.things.clear()
    await time.advance(10_000)
    expect(host.things.size).toBe(1)
  })

  test('runs one pass at a time and one more for signals that came meanwhile', async () => {
    let passes = 0
    const { reconciler } = started(['vm'], {
      observe: async () => {
        passes++
        await settle()
        return []
      },
    })
    reconciler.start()
    for (let n = 0; n < 5; n++) reconciler.signal()
    await settle()
    for (let n = 0; n < 5; n++) reconciler.signal()
    for (let n = 0; n < 5; n++) await settle()
    expect(passes).toBe(2)
  })

  test('keeps what it told of unchanged documents while the host cannot be observed, and fails what is new', async () => {
    const { host, ledger, reconciler, time, told, short, faults } = started(['vm'])
    ledger.want('vm', id(1), 1)
    reconciler.start()
    await reconciler.pass()
    short()
    host.blind = new SkerryError('hypervisor-failed', 'libvirtd is gone')
    ledger.want('vm', id(2), 1)
    await reconciler.pass()
    expect(told).toMatchObject([{ uuid: id(2), condition: 'Failed', error: { code: 'hypervisor-failed' } }])
    expect(faults).toHaveLength(1)
    host.blind = undefined
    await time.advance(1_000)
    expect(reconciler.statuses().map((s) => s.condition)).toEqual(['Ready', 'Ready'])
  })

  test('a change that does not show yet is not repeated in a hot loop', async () => {
    const { ledger, host, reconciler, time, told } = started(['vm'], { observe: async () => [] })
    ledger.want('vm', id(1), 1)
    reconciler.start()
    await time.advance(900)
    expect(host.log).toHaveLength(1)
    expect(told.at(-1)?.condition).toBe('Working')
    await time.advance(200)
    expect(host.log).toHaveLength(2)
  })

  test('a change that took its time, and has moved on to another step, does not wait out its delay', async () => {
    // A guest that was asked to shut down: the order shows in nothing at first; then it is off, and that is to be written down.
    let off = false
    const { ledger, host, reconciler, time, told } = started(['vm'], {
      plan: (want) =>
        host.log.some((l) => l.startsWith('make'))
          ? []
          : want.map((w) => ({ uuid: w.uuid, op: off ? ('make' as const) : ('resize' as const), size: 1 })),
    })
    ledger.want('vm', id(1), 1)
    reconciler.start()
    await time.advance(10_000)
    const asked = host.log.length
    off = true
    reconciler.signal()
    await time.advance(1)
    expect(host.log.slice(asked)).toEqual(['make vm 1'])
    expect(told.at(-1)?.condition).toBe('Ready')
  })

  test('stops after the change that is being applied', async () => {
    const { host, ledger, reconciler } = started(['vm'])
    let finish = () => {}
    host.before = () => new Promise((resolve) => (finish = resolve))
    ledger.want('vm', id(1), 1)
    ledger.want('vm', id(2), 1)
    reconciler.start()
    await settle()
    const stopped = reconciler.stop()
    finish()
    await stopped
    expect(host.log).toEqual(['make vm 1'])
  })

  test('does not tell a move that the module calls steady, but tells when small moves add up', async () => {
    const { host, ledger, reconciler, short } = started(['vm'], {
      plan: () => [],
      steady: (a, b) => Math.abs(Number(a.size) - Number(b.size)) < 10,
      report: (_w, have) => ({ condition: 'Ready', observed: { size: have?.size } }),
    })
    ledger.want('vm', id(1), 100)
    reconciler.start()
    for (const size of [100, 106, 112]) {
      host.things.set(`vm/${id(1)}`, size)
      await reconciler.pass()
    }
    expect(short()).toEqual(['vm 1 Ready {"size":100}', 'vm 1 Ready {"size":112}'])
  })

  test('a dry run says what documents would change and changes nothing', async () => {
    const { host, ledger, reconciler } = started(['vm'])
    host.things.set(`vm/${id(1)}`, 1)
    ledger.want('vm', id(1), 1)
    const generation = { incarnation: 1, seq: 5 }
    const changes = await reconciler.dryRun([
      { noun: 'vm', uuid: id(1), generation, job: null, tombstone: true },
      { noun: 'vm', uuid: id(2), generation, job: null, schema: 1, hash: '', spec: { size: 3 } },
    ])
    expect(changes.map((c) => c.change)).toEqual([
      { uuid: id(1), op: 'remove' },
      { uuid: id(2), op: 'make', size: 3 },
    ])
    expect(host.log).toEqual([])
    expect(await reconciler.dryRun([])).toEqual([])
  })
})

test('law: after apply, the plan is empty, whatever is wanted and there', async () => {
  const things = fc.dictionary(fc.integer({ min: 1, max: 6 }).map(id), fc.integer({ min: 1, max: 3 }))
  await fc.assert(
    fc.asyncProperty(things, things, fc.array(fc.integer({ min: 1, max: 6 })), async (want, have, buried) => {
      const host = new FakeHost()
      const ledger = new MemoryLedger()
      for (const [uuid, size] of Object.entries(have)) host.things.set(`vm/${uuid}`, size)
      for (const [uuid, size] of Object.entries(want)) ledger.want('vm', uuid, size)
      for (const n of buried) ledger.bury('vm', id(n))
      const { second } = await converge(host.module('vm'), ledger, { bootId: 'b', nowMs: 0 })
      expect(second).toEqual([])
    }),
    { numRuns: 200 },
  )
})
