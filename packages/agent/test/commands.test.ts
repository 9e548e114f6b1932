import { SkerryError, subjects } from '@skerry/contract'
import { fakeHost } from '@skerry/host'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { CommandRunner } from '../src/commands.ts'
import { type CommandContext, defineCommand, type Ledger, openLedger } from '../src/index.ts'
import { bench, clock, id, ManualTime, openTestLedger, silent, turns } from './bench.ts'

const input = z.object({ n: z.number() })
let runs: CommandContext<{ n: number }>[] = []
let behave: (context: CommandContext<{ n: number }>) => Promise<{ n: number }>
let time: ManualTime
let host: ReturnType<typeof fakeHost>
let progress: { id: string; step: string; at: number }[] = []

beforeEach(() => {
  runs = []
  progress = []
  behave = async ({ input: { n } }) => ({ n: n * 2 })
  time = new ManualTime()
  host = fakeHost()
})
const double = defineCommand({
  noun: 'thing',
  verb: 'double',
  input,
  output: z.object({ n: z.number() }),
  run: (context) => {
    runs.push(context)
    return behave(context)
  },
})
async function runner(ledger?: Ledger) {
  return new CommandRunner({
    commands: [double],
    ledger: ledger ?? (await openTestLedger(host)),
    clock,
    timers: time,
    log: silent,
    publishProgress: (commandId, p) => void progress.push({ id: commandId, step: p.step, at: time.nowMs() }),
  })
}
const target = { noun: 'thing', uuid: id(1), verb: 'double' }
const command = (over: Record<string, unknown> = {}) => ({
  id: 'c1',
  deadlineMs: 1_000,
  epoch: 0,
  mode: 'apply',
  input: { n: 2 },
  ...over,
})

describe('a command', () => {
  test('runs once when its id is repeated after the end, also with another deadline', async () => {
    const r = await runner()
    expect(await r.handle(target, command())).toEqual({ id: 'c1', output: { n: 4 } })
    expect(await r.handle(target, command({ deadlineMs: 5 }))).toEqual({ id: 'c1', output: { n: 4 } })
    expect(runs).toHaveLength(1)
  })

  test.each(['a result', 'a failure'])('runs once, and %s is told, also when there is no room to note its end', async (how) => {
    const ledger = await openTestLedger(host)
    const { put } = ledger.receipts
    ledger.receipts.put = async (...args) => {
      if (args[0].state === 'done') throw new SkerryError('disk-full', 'there is no room', {})
      await put.apply(ledger.receipts, args)
    }
    const r = await runner(ledger)
    if (how === 'a failure') behave = async () => Promise.reject(new SkerryError('in-use', 'no', {}))
    for (let n = 0; n < 2; n++) {
      const told = r.handle(target, command())
      if (how === 'a result') expect(await told).toEqual({ id: 'c1', output: { n: 4 } })
      else await expect(told).rejects.toMatchObject({ code: 'in-use' })
    }
    expect(runs).toHaveLength(1)
  })

  test('is joined when its id is repeated while it runs', async () => {
    let finish = (_: { n: number }) => {}
    behave = () => new Promise((resolve) => (finish = resolve))
    const r = await runner()
    const both = Promise.all([r.handle(target, command()), r.handle(target, command())])
    await turns()
    finish({ n: 7 })
    expect((await both).map((reply) => reply.output)).toEqual([{ n: 7 }, { n: 7 }])
    expect(runs).toHaveLength(1)
  })

  test('gets its first result after a restart, failures too', async () => {
    behave = async () => {
      throw new SkerryError('disk-full', 'cannot write /x', { path: '/x' })
    }
    await expect((await runner()).handle(target, command())).rejects.toMatchObject({ code: 'disk-full' })
    behave = async () => ({ n: 1 })
    await expect((await runner()).handle(target, command())).rejects.toMatchObject({ code: 'disk-full', details: { path: '/x' } })
    expect(runs).toHaveLength(1)
  })

  test('that was cut off by a restart runs again when it is repeated', async () => {
    behave = () => new Promise(() => {})
    const first = await runner()
    first.handle(target, command()).catch(() => undefined)
    await turns()
    behave = async () => ({ n: 5 })
    expect(await (await runner()).handle(target, command())).toEqual({ id: 'c1', output: { n: 5 } })
    expect(runs).toHaveLength(2)
  })

  test('that the ending agent aborted runs again after the restart', async () => {
    behave = ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    const first = await runner()
    const failed = expect(first.handle(target, command())).rejects.toMatchObject({ code: 'agent-unreachable' })
    await turns()
    await first.stop()
    await failed
    behave = async () => ({ n: 5 })
    expect(await (await runner()).handle(target, command())).toEqual({ id: 'c1', output: { n: 5 } })
  })

  test('is refused when its id was used for something else', async () => {
    const r = await runner()
    await r.handle(target, command())
    await expect(r.handle(target, command({ input: { n: 3 } }))).rejects.toMatchObject({ code: 'duplicate-job' })
    await expect(r.handle({ ...target, uuid: id(2) }, command())).rejects.toMatchObject({ code: 'duplicate-job' })
  })

  test('ends at its deadline with an aborted signal', async () => {
    behave = ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    const r = await runner()
    const late = expect(r.handle(target, command())).rejects.toMatchObject({ code: 'deadline-exceeded' })
    await time.advance(999)
    expect(runs[0]?.signal.aborted).toBe(false)
    await time.advance(1)
    await late
    expect(runs[0]?.signal.aborted).toBe(true)
  })

  test('goes on for a repeat with a later deadline when the first caller gave up', async () => {
    let finish = (_: { n: number }) => {}
    behave = () => new Promise((resolve) => (finish = resolve))
    const r = await runner()
    const late = expect(r.handle(target, command())).rejects.toMatchObject({ code: 'deadline-exceeded' })
    await turns()
    const patient = r.handle(target, command({ deadlineMs: 9_000 }))
    await time.advance(1_000)
    await late
    expect(runs[0]?.signal.aborted).toBe(false)
    finish({ n: 3 })
    expect((await patient).output).toEqual({ n: 3 })
  })

  test('is forgotten 24 hours after its deadline, and not before', async () => {
    const ledger = await openTestLedger(host)
    await (await runner(ledger)).handle(target, command())
    await ledger.receipts.prune(86_400_000)
    expect(ledger.receipts.get('c1')?.state).toBe('done')
    await ledger.receipts.prune(86_402_000)
    expect(ledger.receipts.get('c1')).toBeUndefined()
    expect([...host.disk.files.keys()].filter((path) => path.includes('/receipts/'))).toEqual([])
  })

  test('is not run twice because the wall clock jumped by a year, forth or back, also not after a restart', async () => {
    await (await runner()).handle(target, command())
    const year = 365 * 86_400_000
    for (const jump of [year, -year]) {
      const ledger = await openLedger({ dir: '/var/lib/agent', files: host.files, clock: { now: () => clock.now() + jump } })
      await ledger.receipts.prune(3_600_000)
      expect(await (await runner(ledger)).handle(target, command())).toEqual({ id: 'c1', output: { n: 4 } })
      await ledger.receipts.prune(86_400_000)
      expect(ledger.receipts.get('c1')?.state).toBe('done')
      await ledger.receipts.prune(90_000_000)
      expect(ledger.receipts.get('c1')).toBeUndefined()
      await (await runner()).handle(target, command())
    }
    expect(runs).toHaveLength(3)
  })

  test('left by a former process is bounded: of those whose time is over the newest 1,000 are kept', async () => {
    const put = async (ledger: Ledger, n: number, expiresAt: number) =>
      ledger.receipts.put({ v: 1, id: `r${n}`, about: 'x', state: 'done', output: {}, error: null, expiresAt }, 1)
    const first = await openTestLedger(host)
    for (let n = 0; n < 1_010; n++) await put(first, n, clock.now() - 10_000 + n)
    await put(first, 2_000, clock.now() + 1)
    const second = await openTestLedger(host)
    expect([0, 9, 10, 1_009, 2_000].map((n) => second.receipts.get(`r${n}`) !== undefined)).toEqual([
      false,
      false,
      true,
      true,
      true,
    ])
  })

  test('with an epoch lower than known is refused, also after a restart', async () => {
    await (await runner()).handle(target, command({ epoch: 5 }))
    await expect((await runner()).handle(target, command({ id: 'c2', epoch: 4 }))).rejects.toMatchObject({ code: 'stale-epoch' })
  })

  test('in mode plan says what it would do and does nothing', async () => {
    const r = await runner()
    const { output } = await r.handle(target, command({ mode: 'plan' }))
    expect(output).toEqual({ would: { noun: 'thing', verb: 'double', uuid: id(1), input: { n: 2 } } })
    expect(runs).toEqual([])
  })

  test('with wrong input or an unknown verb is refused before it runs', async () => {
    const r = await runner()
    await expect(r.handle(target, command({ input: { n: 'x' } }))).rejects.toMatchObject({ code: 'invalid-argument' })
    await expect(r.handle(target, command({ id: '../../etc/x' }))).rejects.toMatchObject({ code: 'invalid-argument' })
    await expect(r.handle({ ...target, verb: 'explode' }, command())).rejects.toMatchObject({ code: 'not-found' })
    expect(runs).toEqual([])
  })

  test('tells progress at most twice a second, and its last step', async () => {
    behave = async (context) => {
      for (let n = 0; n < 100; n++) {
        context.progress({ step: `step ${n}` })
        await new Promise<void>((resolve) => time.set(resolve, 20))
      }
      return { n: 0 }
    }
    const r = await runner()
    const done = r.handle(target, command({ deadlineMs: 60_000 }))
    await time.advance(3_000)
    await done
    expect(progress.length).toBeGreaterThanOrEqual(4)
    expect(progress.length).toBeLessThanOrEqual(6)
    expect(progress.at(-1)?.step).toBe('step 99')
  })
})

describe('over the bus', () => {
  let b: Awaited<ReturnType<typeof bench>>
  afterEach(() => b.stop())
  test('a command is answered and its progress published', async () => {
    behave = async (context) => {
      context.progress({ step: 'half', percent: 50 })
      return { n: 1 }
    }
    b = await bench({ commands: [double] })
    const told: unknown[] = []
    b.controller.subscribe(subjects.progressOfAll, (m) => void told.push(m.data))
    await b.start()
    expect(await b.ask('double', command(), 'thing', id(1))).toEqual({ id: 'c1', output: { n: 1 } })
    expect(told).toMatchObject([{ step: 'half', percent: 50 }])
  })
})
