import { SkerryError } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createRunner, parallel, type Step } from '../src/index.ts'
import { bench, failing, job, put, step } from './bench.ts'

describe('a job that fails', () => {
  it('undoes the failed step too, then the earlier ones in reverse', async () => {
    const b = bench([step('a'), step('look', { undo: undefined, noUndo: 'it only looks' }), step('b'), failing('c'), step('d')])
    await b.run()
    expect([b.state(), b.log]).toEqual(['failed', ['a', 'look', 'b', 'c', '-c', '-b', '-a']])
  })

  it('says which job, workflow and step failed, and keeps code, details and cause', async () => {
    const b = bench([failing('a')])
    await b.run()
    expect(b.error()).toEqual({
      code: 'no-host',
      retry: 'later',
      hint: expect.any(String),
      message: `job ${job} (toy.run) failed at step a`,
      details: { refused: 3, job, workflow: 'toy.run', step: 'a' },
      cause: expect.objectContaining({ code: 'no-host', message: 'nobody has room' }),
    })
  })

  it('commits what fail decides, after all undo and with the failure', async () => {
    const b = bench([failing('a')], {
      fail: ({ world, undoing }, error) => {
        world.push(`fail ${error.code} ${undoing}`)
        return { change: put('k') }
      },
    })
    await b.run()
    expect(b.log).toEqual(['a', '-a', 'fail no-host true'])
  })

  it('fails when finish fails, or when an output does not fit its schema', async () => {
    const b = bench([step('a')], {
      finish: () => {
        throw new SkerryError('in-use')
      },
    })
    await b.run()
    expect([b.state(), b.error()?.code, b.error()?.details?.['step'], b.log]).toEqual(['failed', 'in-use', 'finish', ['a', '-a']])
    const c = bench([step('a', { output: z.number() })])
    await c.run()
    expect([c.error()?.code, c.log]).toEqual(['internal', ['a', '-a']])
  })

  it('awaits the rest of a group before it undoes all of it', async () => {
    const slow = step('slow', {
      do: async ({ world }) => {
        await new Promise((resolve) => setImmediate(resolve))
        world.push('slow')
      },
    })
    const b = bench([parallel('g', [failing('quick'), slow])])
    await b.run()
    expect(b.log).toEqual(['quick', 'slow', '-slow', '-quick'])
  })

  it('begins no step past its deadline, undoes what may have begun, and undoes without limit', async () => {
    const late = step('a', { do: () => void (b.now.ms = 9000), undo: ({ world, remainingMs }) => void world.push(remainingMs()) })
    const b = bench([late, step('b')], { deadline: 5000 })
    await b.run()
    expect([b.state(), b.error()?.code, b.log]).toEqual(['failed', 'deadline-exceeded', ['-b', 600_000]])
  })
})

describe('an undo that does not succeed', () => {
  const stubborn = (failures: number, error: SkerryError) => {
    const ids: string[] = []
    const undo: Step['undo'] = ({ commandId }) => {
      ids.push(commandId.slice(job.length))
      if (ids.length <= failures) throw error
    }
    return { ids, b: bench([step('z'), step('a', { undo }), failing('b')]) }
  }

  it('is tried again, ever later, when waiting may help', async () => {
    const { ids, b } = stubborn(3, new SkerryError('agent-unreachable'))
    await b.run()
    expect([b.state(), b.slept]).toEqual(['failed', [500, 1000, 2000]])
    expect(ids).toEqual(['-a_undo1', '-a_undo2', '-a_undo3', '-a_undo4'])
  })

  it('makes the job stuck, by name and with the first failure kept', async () => {
    const { b } = stubborn(1, new SkerryError('internal', 'a defect'))
    await b.run()
    expect([b.state(), b.slept, b.log]).toEqual(['stuck', [], ['z', 'a', 'b', '-b']])
    expect(b.error()).toMatchObject({
      code: 'job-stuck',
      details: { step: 'a', failure: { code: 'no-host' } },
      cause: { message: 'a defect' },
    })
  })

  it('goes on by retry, with fresh command ids, and fails with the first failure', async () => {
    const { ids, b } = stubborn(8, new SkerryError('agent-unreachable'))
    await b.run()
    expect([b.state(), ids.length]).toEqual(['stuck', 7])
    await b.run()
    expect([b.state(), ids.length], 'run leaves a stuck job alone').toEqual(['stuck', 7])
    await createRunner(b.ports).retry(job)
    expect([b.state(), b.error()?.code, b.error()?.details], 'no notes of the runner').toEqual([
      'failed',
      'no-host',
      { refused: 3, job, workflow: 'toy.run', step: 'b' },
    ])
    expect(ids.slice(7)).toEqual(['-a_undo8', '-a_undo9'])
    expect(b.log, 'what was undone is not undone again').toEqual(['z', 'a', 'b', '-b', '-z'])
    await expect(createRunner(b.ports).retry(job)).rejects.toMatchObject({ code: 'illegal-state' })
  })

  it('also holds for what fail decides', async () => {
    let broken = true
    const b = bench([failing('a')], {
      fail: () => {
        if (broken) throw new Error('oh')
        return {}
      },
    })
    await b.run()
    expect([b.state(), b.error()?.details?.['step']]).toEqual(['stuck', 'fail'])
    broken = false
    await createRunner(b.ports).retry(job)
    expect([b.state(), b.log]).toEqual(['failed', ['a', '-a']])
  })
})
