import { SkerryError } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createRunner, memoryJournal, parallel, type Step, type Workflow } from '../src/index.ts'
import { bench, failing, job, over, put, step } from './bench.ts'

describe('a job that goes forward', () => {
  it('runs its steps in order, hands on outputs, and ends with the result of finish', async () => {
    const b = bench([step('a'), step('b', { do: ({ outputs, input }) => ({ output: [outputs['a'], input.n] }) })], {
      finish: ({ outputs }) => ({ result: outputs }),
    })
    await b.run()
    expect([b.state(), b.journal.result(job)]).toEqual(['done', { a: 'A', b: ['A', 7] }])
  })

  it('commits the change of a step with its journal entry', async () => {
    const committed: string[] = []
    const b = bench([step('a', { do: () => ({ change: put('k') }) })], { finish: () => ({ change: put('end') }) })
    b.journal = memoryJournal(async (change) => void committed.push(...change.ops.map((op) => op.k)))
    b.journal.accept(job, (b.ports.workflows as Record<string, Workflow>)['toy.run']!, { n: 1 })
    await over(b, {}).run()
    expect(committed).toEqual(['k', 'end'])
  })

  it('skips a step whose when is false, and does not undo it', async () => {
    const b = bench([step('a'), step('b', { when: ({ input }) => input.n > 7 }), failing('c')])
    await b.run()
    expect(b.log).toEqual(['a', 'c', '-c', '-a'])
  })

  it('decides a step anew while its commit meets conflicts, and gives up after 20 times', async () => {
    let refusals = 20
    const commit = async () => {
      if (refusals-- > 0) throw new SkerryError('conflict')
    }
    const deciding = step('a', {
      do: ({ world }) => {
        world.push('a')
        return { change: put('k') }
      },
    })
    const b = bench([deciding], { commit })
    await b.run()
    expect([b.state(), b.log.length]).toEqual(['done', 21])
    refusals = 21
    const c = bench([deciding], { commit })
    await c.run()
    expect([c.state(), c.error()?.code, c.log.length]).toEqual(['failed', 'conflict', 22])
  })

  it('keeps the ids of commands over repeats, and gives undo ids of its own', async () => {
    let refused = false
    const noting = step('a', {
      do: ({ world, commandId }) => {
        world.push(commandId)
        return { change: put('k') }
      },
      undo: ({ world, commandId }) => void world.push(commandId),
    })
    const commit = async () => {
      if (refused) return
      refused = true
      throw new SkerryError('conflict')
    }
    const b = bench([noting, failing('b')], { commit })
    await b.run()
    expect(b.log).toEqual([`${job}-a`, `${job}-a`, 'b', '-b', `${job}-a_undo1`])
  })

  it('passes on progress, and the time left', async () => {
    const seen: unknown[] = []
    const telling = step('a', {
      do: ({ progress, remainingMs, world }) => {
        progress({ step: 'copy', percent: 5, at: 1 })
        world.push(remainingMs())
      },
    })
    const b = bench([telling], { deadline: 4000 })
    b.ports.onProgress = (...all) => seen.push(all)
    await b.run()
    expect(seen).toEqual([[job, 'a', { step: 'copy', percent: 5, at: 1 }]])
    expect(b.log).toEqual([3000])
  })

  it('runs the members of a group at the same time, without sight of each other', async () => {
    let release = () => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const b = bench([
      step('a'),
      parallel('g', [
        step('b', {
          do: async ({ outputs }) => {
            await gate
            return { output: Object.keys(outputs) }
          },
        }),
        step('c', {
          do: ({ outputs }) => {
            release()
            return { output: Object.keys(outputs) }
          },
        }),
      ]),
    ])
    await b.run()
    expect(b.journal.load(job)?.done).toMatchObject({ b: { output: ['a'] }, c: { output: ['a'] } })
  })

  it('is not run twice at once', async () => {
    const b = bench([step('a')])
    const runner = createRunner(b.ports)
    const first = runner.run(job)
    expect(runner.active).toBe(1)
    await Promise.all([first, runner.run(job)])
    expect([b.log, runner.active]).toEqual([['a'], 0])
  })

  it('is unknown when the journal does not know it', async () => {
    await expect(createRunner(bench([]).ports).run('b'.repeat(32))).rejects.toMatchObject({ code: 'not-found' })
  })
})

describe('drain', () => {
  it('lets the step under way end, begins no other, and takes no more jobs', async () => {
    let release = () => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const b = bench([step('a', { do: () => gate }), step('b')])
    const runner = createRunner(b.ports)
    const run = runner.run(job)
    const drained = runner.drain()
    release()
    await expect(run).rejects.toMatchObject({ code: 'not-ready' })
    await drained
    expect([runner.active, b.state(), Object.keys(b.journal.load(job)?.done ?? {})]).toEqual([0, 'processing', ['a']])
    await expect(runner.run(job)).rejects.toMatchObject({ code: 'not-ready' })
    await b.run()
    expect([b.state(), b.log]).toEqual(['done', ['b']])
  })

  it('does not sit out the waits of an undo', async () => {
    const b = bench([failing('a'), step('b')])
    const stuck: Step = failing('a')
    stuck.undo = () => {
      void runner.drain()
      throw new SkerryError('agent-unreachable')
    }
    const runner = createRunner({
      ...b.ports,
      workflows: { 'toy.run': { name: 'toy.run', version: 1, input: z.any(), steps: [stuck, step('b')] } },
    })
    await expect(runner.run(job)).rejects.toMatchObject({ code: 'not-ready' })
    expect(b.state()).toBe('undoing')
  })
})
