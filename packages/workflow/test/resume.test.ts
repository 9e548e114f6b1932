import { SkerryError } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createRunner, parallel, type Workflow } from '../src/index.ts'
import { type Bench, bench, failing, job, over, step } from './bench.ts'

describe('a journal that refuses', () => {
  const stopped = () => Promise.reject(new SkerryError('store-stopped'))

  it.each(['stepDone', 'finished', 'undoing', 'stepUndone', 'failed'] as const)(
    'leaves the job as it is when the store stopped at %s, and it goes on later',
    async (method) => {
      const b = bench(method === 'stepDone' || method === 'finished' ? [step('a')] : [step('a'), failing('b')])
      const before = ['stepDone', 'finished', 'undoing'].includes(method) ? 'processing' : 'undoing'
      await expect(over(b, { [method]: stopped }).run()).rejects.toMatchObject({ code: 'store-stopped' })
      expect(b.state()).toBe(before)
      if (method === 'finished') expect(b.log, 'it is not undone').toEqual(['a'])
      await b.run()
      expect(b.state()).toBe(b.log.includes('b') ? 'failed' : 'done')
    },
  )

  it('leaves the job to its new owner', async () => {
    const b = bench([step('a')])
    await expect(over(b, { stepDone: () => Promise.reject(new SkerryError('stale-epoch')) }).run()).rejects.toMatchObject({
      code: 'stale-epoch',
    })
    expect([b.state(), b.log]).toEqual(['processing', ['a']])
  })

  it('fails the step for any other reason', async () => {
    const b = bench([step('a')])
    await over(b, { stepDone: () => Promise.reject(new SkerryError('address-in-use')) }).run()
    expect([b.state(), b.error()?.code, b.log]).toEqual(['failed', 'address-in-use', ['a', '-a']])
  })
})

describe('a job that is resumed', () => {
  it('repeats nothing that is journaled', async () => {
    const b = bench([step('a'), step('b')])
    await b.journal.stepDone(job, 'a', 'A')
    await b.run()
    expect(b.log).toEqual(['b'])
  })

  it('does not come back to a step that was skipped before a later one was done', async () => {
    const b = bench([step('a', { when: () => true }), step('b'), step('c')])
    await b.journal.stepDone(job, 'b', 'B')
    await b.run()
    expect(b.log).toEqual(['c'])
  })

  it('runs only the open members of a group', async () => {
    const b = bench([parallel('g', [step('a'), step('b')]), step('c')])
    await b.journal.stepDone(job, 'b', 'B')
    await b.run()
    expect(b.log).toEqual(['a', 'c'])
  })

  it('goes on undoing, the step that was under way included', async () => {
    const b = bench([step('a'), step('b'), failing('c')])
    let undone = 0
    const dies = over(b, {
      stepUndone: (...args) =>
        undone++ === 1 ? Promise.reject(new SkerryError('store-stopped')) : b.journal.stepUndone(...args),
    })
    await expect(dies.run()).rejects.toMatchObject({ code: 'store-stopped' })
    expect([b.log.splice(0), b.state()]).toEqual([['a', 'b', 'c', '-c', '-b'], 'undoing'])
    await b.run()
    expect([b.log, b.state(), b.error()?.code]).toEqual([['-b', '-a'], 'failed', 'no-host'])
  })

  it.each<[string, (b: Bench) => Partial<Workflow> | undefined, string]>([
    ['a step of another version', () => ({ steps: [step('a'), step('b', { version: 2 })] }), 'b'],
    ['a renamed step', () => ({ steps: [step('a'), step('c')] }), 'b'],
    ['a missing step', () => ({ steps: [step('a')] }), 'b'],
    ['a step in its way', () => ({ steps: [step('new'), step('a'), step('b')] }), 'new'],
    ['an output that does not parse', () => ({ steps: [step('a', { output: z.number() }), step('b')] }), 'a'],
    ['an input that does not parse', () => ({ input: z.object({ m: z.string() }) }), 'b'],
    ['no workflow', () => undefined, 'b'],
  ])('is stuck by %s, never skipped, and can be undone by the version that began it', async (_, change, at) => {
    const b = bench([step('a'), step('b')])
    const original = (b.ports.workflows as Record<string, Workflow>)['toy.run']!
    await b.journal.stepDone(job, 'a', 'A')
    const changed = change(b)
    const upgraded = { ...b.ports, workflows: new Map(changed ? [['toy.run', { ...original, ...changed }]] : []) }
    await createRunner(upgraded).run(job)
    expect([b.state(), b.error()?.code, b.error()?.details?.['step'], b.log]).toEqual(['stuck', 'upgrade-stuck', at, []])
    await createRunner(upgraded).retry(job)
    expect([b.state(), b.log]).toEqual(['stuck', []])
    await createRunner(b.ports).retry(job)
    expect([b.state(), b.error()?.code, b.log]).toEqual(['failed', 'upgrade-stuck', ['-b', '-a']])
  })

  it('goes on under a new version of its workflow whose steps are the same', async () => {
    const b = bench([step('a'), step('b', { version: 3 }), step('c')])
    const original = (b.ports.workflows as Record<string, Workflow>)['toy.run']!
    expect(b.journal.load(job)?.steps).toEqual(['a', 'b@3', 'c'])
    await b.journal.stepDone(job, 'a', 'A')
    await createRunner({ ...b.ports, workflows: { 'toy.run': { ...original, version: 2 } } }).run(job)
    expect([b.state(), b.log]).toEqual(['done', ['b', 'c']])
  })

  it('keeps the first failure when an upgrade comes between it and the end of its undo', async () => {
    const b = bench([step('a'), failing('b')])
    await expect(over(b, { stepUndone: () => Promise.reject(new SkerryError('store-stopped')) }).run()).rejects.toThrow()
    await createRunner({ ...b.ports, workflows: {} }).run(job)
    expect([b.state(), b.error()?.code]).toEqual(['stuck', 'upgrade-stuck'])
    await createRunner(b.ports).retry(job)
    expect([b.state(), b.error()?.code, b.log]).toEqual(['failed', 'no-host', ['a', 'b', '-b', '-b', '-a']])
  })
})
