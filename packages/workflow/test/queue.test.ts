import { SkerryError } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { createQueues, type QueueFault } from '../src/index.ts'

/** Queues on a clock that stands still until told. */
function bench(onFault?: (fault: QueueFault) => void) {
  const faults: QueueFault[] = []
  const waiting = new Set<{ fn: () => void; atMs: number }>()
  let now = 0
  const timers = {
    set: (fn: () => void, ms: number) => {
      const timer = { fn, atMs: now + ms }
      waiting.add(timer)
      return timer
    },
    clear: (timer: unknown) => void waiting.delete(timer as never),
    nowMs: () => now,
  }
  const pass = (ms: number) => {
    now += ms
    for (const timer of waiting) if (timer.atMs <= now && waiting.delete(timer)) timer.fn()
  }
  const queues = createQueues({ timers, maxPending: 3, onFault: onFault ?? ((fault) => void faults.push(fault)) })
  return { queues, faults, pass, timersLeft: () => waiting.size }
}

/** A task that ends when told. */
function task() {
  let end!: (value?: string) => void
  const gate = new Promise<string | undefined>((resolve) => {
    end = resolve
  })
  const start = () => {
    self.started = true
    return gate
  }
  const self = { started: false, end, fn: start }
  return self
}
const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('queues', () => {
  it('run the tasks of one key in turn and those of others beside them', async () => {
    const { queues } = bench()
    const [a, b, c] = [task(), task(), task()]
    const done = [
      queues.run('vm', a.fn, { label: 'a' }),
      queues.run('vm', b.fn, { label: 'b' }),
      queues.run('other', c.fn, { label: 'c' }),
    ]
    await turn()
    expect([a.started, b.started, c.started]).toEqual([true, false, true])
    a.end('first')
    await turn()
    expect(b.started).toBe(true)
    b.end('second')
    c.end('third')
    expect(await Promise.all(done)).toEqual(['first', 'second', 'third'])
    expect(queues.snapshot(), 'nothing stays behind').toEqual([])
  })

  it('run as many at once as every one of them bears', async () => {
    const { queues } = bench()
    const all = [task(), task(), task(), task()]
    const levels = [2, 2, 1, 3]
    const done = all.map(({ fn }, i) => queues.run('h', fn, { label: `${i}`, level: levels[i] }))
    await turn()
    expect(all.map((t) => t.started)).toEqual([true, true, false, false])
    all[0]!.end()
    await turn()
    expect(
      all.map((t) => t.started),
      'the third wants to be alone, and nobody overtakes it',
    ).toEqual([true, true, false, false])
    all[1]!.end()
    await turn()
    expect(all.map((t) => t.started)).toEqual([true, true, true, false])
    for (const t of all) t.end()
    await Promise.all(done)
  })

  it('go on after a task that throws, at once or later', async () => {
    const { queues, faults } = bench()
    const boom = new Error('boom')
    const bad = [
      queues.run('k', () => Promise.reject(boom), { label: 'later' }),
      queues.run(
        'k',
        () => {
          throw boom
        },
        { label: 'at once' },
      ),
    ]
    const good = queues.run('k', () => 1, { label: 'good' })
    expect(await Promise.allSettled(bad)).toEqual([
      { status: 'rejected', reason: boom },
      { status: 'rejected', reason: boom },
    ])
    expect(await good).toBe(1)
    expect(faults.map(({ key, label, kind }) => [key, label, kind])).toEqual([
      ['k', 'later', 'threw'],
      ['k', 'at once', 'threw'],
    ])
  })

  it('go on after a fault handler that throws', async () => {
    const { queues } = bench(() => {
      throw new Error('handler')
    })
    const bad = queues.run('k', () => Promise.reject(new Error('boom')), { label: 'bad' })
    const good = queues.run('k', () => 1, { label: 'good' })
    await expect(bad).rejects.toMatchObject({ code: 'internal', cause: { message: 'handler' } })
    expect(await good).toBe(1)
  })

  it('refuse what is more than may wait, and say so', async () => {
    const { queues, faults } = bench()
    const first = task()
    const runs = [
      queues.run('k', first.fn, { label: 'first' }),
      ...['a', 'b', 'c'].map((label) => queues.run('k', () => label, { label })),
    ]
    await expect(queues.run('k', () => 0, { label: 'd' })).rejects.toMatchObject({ code: 'too-many-requests' })
    expect(faults.map(({ label, kind }) => [label, kind])).toEqual([['d', 'flooded']])
    first.end('f')
    expect(await Promise.all(runs)).toEqual(['f', 'a', 'b', 'c'])
  })

  it('reject a task unstarted when its deadline passes, even behind one that never returns', async () => {
    const { queues, pass, timersLeft } = bench()
    const never = task()
    void queues.run('k', never.fn, { label: 'never' })
    const late = task()
    const run = queues.run('k', late.fn, { label: 'late', deadlineMs: 100 })
    const refused = expect(run).rejects.toSatisfy((e) => e instanceof SkerryError && e.code === 'deadline-exceeded')
    await turn()
    pass(99)
    expect(queues.snapshot()).toEqual([
      { key: 'k', running: [{ label: 'never', forMs: 99 }], pending: [{ label: 'late', forMs: 99 }] },
    ])
    pass(1)
    await refused
    never.end()
    await turn()
    expect([late.started, timersLeft(), queues.snapshot()]).toEqual([false, 0, []])
    await expect(queues.run('k', late.fn, { label: 'dead', deadlineMs: 0 })).rejects.toMatchObject({ code: 'deadline-exceeded' })
    expect([late.started, queues.snapshot()]).toEqual([false, []])
  })

  it('let those behind an expired task start when there is room for them', async () => {
    const { queues, pass } = bench()
    const [wide, alone, behind] = [task(), task(), task()]
    void queues.run('k', wide.fn, { label: 'wide', level: 2 })
    const refused = expect(queues.run('k', alone.fn, { label: 'alone', deadlineMs: 10 })).rejects.toMatchObject({
      code: 'deadline-exceeded',
    })
    void queues.run('k', behind.fn, { label: 'behind', level: 2 })
    pass(10)
    await refused
    await turn()
    expect(behind.started).toBe(true)
  })

  it('report a task that runs past its deadline, and let it end', async () => {
    const { queues, faults, pass, timersLeft } = bench()
    const slow = task()
    const run = queues.run('k', slow.fn, { label: 'slow', deadlineMs: 10 })
    await turn()
    pass(10)
    expect(faults.map(({ label, kind }) => [label, kind])).toEqual([['slow', 'overdue']])
    slow.end('well')
    expect([await run, timersLeft()]).toEqual(['well', 0])
  })

  it('forget the deadline of a task that ended in time', async () => {
    const { queues, faults, pass, timersLeft } = bench()
    expect(await queues.run('k', () => 'quick', { label: 'quick', deadlineMs: 10 })).toBe('quick')
    expect(timersLeft()).toBe(0)
    pass(10)
    expect([timersLeft(), faults]).toEqual([0, []])
  })

  it('join a task that waits under the same word, not one that runs', async () => {
    const { queues } = bench()
    let runs = 0
    const first = task()
    const sync = () => ++runs
    const running = queues.run('k', first.fn, { label: 'sync', dedup: 'sync' })
    await turn()
    const joined = [
      queues.run('k', sync, { label: 'sync', dedup: 'sync' }),
      queues.run('k', sync, { label: 'sync', dedup: 'sync' }),
    ]
    const other = queues.run('k', sync, { label: 'other', dedup: 'other' })
    first.end('ran')
    expect([await running, await Promise.all(joined), await other]).toEqual(['ran', [1, 1], 2])
  })
})
