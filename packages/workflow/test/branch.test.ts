/** Sub-workflows beside other steps: a branch of a group goes on by itself, is resumed where it was, and is undone with the rest. */
import { SkerryError } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import {
  branch,
  type DeclarePorts,
  declared,
  defineWorkflow,
  mermaidOf,
  parallel,
  prove,
  stepNames,
  subWorkflow,
  viewOfWorkflow,
  type Workflow,
  withEdits,
} from '../src/index.ts'
import { bench, failing, job, over, step } from './bench.ts'
import { madeWorld, type ToyInput, type ToyWorld, thing, vmCreate } from './toy.ts'

const sub = (...steps: Workflow['steps']): Workflow => ({
  name: 'toy.sub',
  version: 1,
  input: z.object({ n: z.number() }),
  steps,
})
const beside = (...steps: Workflow['steps']) => branch('p', subWorkflow(sub(...steps), { as: 'p' }))
const stopped = () => Promise.reject(new SkerryError('store-stopped'))

describe('a sub-workflow in a group', () => {
  it('goes on while the others run, and sees nothing of theirs', async () => {
    const seen: unknown[] = []
    const meet = { arrived: () => {}, other: new Promise<void>(() => {}) }
    meet.other = new Promise((resolve) => void (meet.arrived = resolve))
    const looking = step('c', {
      do: ({ outputs }) => {
        seen.push(outputs)
        meet.arrived()
      },
    })
    // b ends only when the second step of the branch runs: they do run at the same time.
    const waiting = step('b', { do: () => meet.other })
    const b = bench([step('a'), parallel('both', [waiting, beside(step('x'), looking)]), step('d')])
    await b.run()
    expect([b.state(), seen]).toEqual(['done', [{ x: 'X' }]])
    expect(Object.keys(b.journal.load(job)!.done).sort()).toEqual(['a', 'b', 'd', 'p-c', 'p-x'])
  })

  it('is undone in reverse with what stands beside it; one that has not begun its next step does not', async () => {
    const b = bench([step('a'), parallel('both', [failing('b'), beside(step('x'), step('y'))])])
    await b.run()
    expect([b.state(), b.log]).toEqual(['failed', ['a', 'b', 'x', '-x', '-b', '-a']])
  })

  it('is resumed in its middle, forward and back, and what is done is not done again', async () => {
    const b = bench([step('a'), parallel('both', [step('b'), beside(step('x'), step('y'))]), failing('d')])
    await expect(
      over(b, { stepDone: (...args) => (args[1] === 'p-y' ? stopped() : b.journal.stepDone(...args)) }).run(),
    ).rejects.toMatchObject({ code: 'store-stopped' })
    expect(b.log.splice(0)).toEqual(['a', 'b', 'x', 'y'])
    await expect(
      over(b, { stepUndone: (...args) => (args[1] === 'p-x' ? stopped() : b.journal.stepUndone(...args)) }).run(),
    ).rejects.toMatchObject({ code: 'store-stopped' })
    expect(b.log.splice(0)).toEqual(['y', 'd', '-d', '-y', '-x'])
    await b.run()
    expect([b.state(), b.log]).toEqual(['failed', ['-x', '-b', '-a']])
  })

  it('takes steps of others into itself, and is skipped as a whole', async () => {
    const group = parallel('both', [
      step('b'),
      branch('p', subWorkflow(sub(step('x'), step('y')), { as: 'p', when: () => false })),
    ])
    const workflow: Workflow = { name: 'toy.run', version: 1, input: z.object({ n: z.number() }), steps: [group] }
    const edited = withEdits(workflow, [{ workflow: 'toy.run', place: { after: 'p-x' }, step: step('more') }])
    expect(stepNames(edited)).toEqual(['b', 'p-x', 'more', 'p-y'])
    const b = bench(workflow.steps)
    await b.run()
    expect([b.state(), b.log, b.journal.load(job)?.skipped]).toEqual(['done', ['b'], ['p-x', 'p-y']])
  })

  it('must hold a step', () => {
    const group = parallel('both', [step('b'), branch('p', [])])
    expect(() => defineWorkflow({ ...sub(), steps: [group] })).toThrow('group p is empty')
  })
})

const rack = (): Workflow<ToyInput, ToyWorld> => ({
  name: 'vm.rack',
  version: 1,
  input: vmCreate().input,
  steps: [thing('shelf', 'disks'), parallel('both', [thing('cable', 'taps'), thing('label', 'domains')])],
})
/** The rack in one group with another step, twice over. */
function racked(): Workflow<ToyInput, ToyWorld> {
  const base = vmCreate()
  const inner = {
    ...rack(),
    name: 'vm.racks',
    steps: [parallel('lanes', [thing('door', 'taps'), branch('rack', subWorkflow(rack(), { as: 'rack' }))])],
  }
  const group = parallel('all', [thing('sign', 'domains'), branch('racks', subWorkflow(inner, { as: 'racks' }))])
  return defineWorkflow<ToyInput, ToyWorld>({ ...base, steps: [...base.steps.slice(0, 2), group, ...base.steps.slice(2)] })
}

it('is proven: failed, repeated, undone twice and killed at every point, also a group in a branch of a group', async () => {
  const report = await prove(racked(), madeWorld)
  expect(report.steps).toEqual(
    expect.arrayContaining(['sign', 'racks-door', 'racks-rack-shelf', 'racks-rack-cable', 'racks-rack-label']),
  )
  const leaky = { ...rack(), steps: [{ ...thing('shelf', 'disks'), undo: () => {} }, thing('cable', 'taps')] }
  const group = parallel('all', [thing('sign', 'domains'), branch('rack', subWorkflow(leaky, { as: 'rack' }))])
  await expect(prove({ ...vmCreate(), steps: [group], finish: () => ({}) }, madeWorld)).rejects.toThrow('shelf')
})

const ports: DeclarePorts = { edits: [], isOn: () => true, absent: () => false, param: () => undefined, params: [] }

describe('a file', () => {
  const written = (needs?: string[]): Workflow => ({
    ...sub(
      step('a'),
      ...subWorkflow(sub(step('x'), step('y')), { as: 'p', ...(needs ? { needs } : {}) }),
      step('b', { needs: ['a'] } as never),
    ),
    name: 'toy.run',
  })
  const file = { workflow: 'toy.run', steps: ['a', { parallel: 'both', steps: ['b', { use: 'toy.sub' }] }] }

  it('puts a part beside a step where the part says what it needs', async () => {
    const workflow = declared(written(['a']), file, ports)
    expect(stepNames(workflow)).toEqual(['a', 'b', 'p-x', 'p-y'])
    const b = bench(workflow.steps)
    await b.run()
    expect([b.state(), b.log]).toEqual(['done', ['a', 'b', 'x', 'y']])
    // The part as it is declared may be declared anew.
    expect(stepNames(declared(workflow, { workflow: 'toy.run', steps: ['a', { use: 'toy.sub' }, 'b'] }, ports))).toEqual(
      stepNames(written()),
    )
  })

  it('may not where it doesn’t, and names what stands there', () => {
    const twice = { ...file, steps: ['a', { parallel: 'both', steps: [{ use: 'toy.sub' }, { use: 'toy.sub' }] }, 'b'] }
    expect(() => declared(written(['b']), file, ports)).toThrow('p must stand behind b, not beside it')
    expect(() => declared(written(), twice, ports)).toThrow('toy.sub stands here twice')
  })
})

it('is drawn as a box in the box of its group, with an order of its own', () => {
  const group = parallel('both', [step('b'), beside(step('x'), step('y'))])
  expect(mermaidOf(viewOfWorkflow({ ...sub(step('a'), group, step('d')), name: 'toy' }))).toBe(`flowchart TD
  start(["toy"])
  s1("a<br/>(undone on failure)")
  subgraph g2 ["both, at the same time"]
  s2("b<br/>(undone on failure)")
  subgraph w2b2s1_1 ["p: toy.sub"]
  s3("p-x<br/>(undone on failure)")
  s4("p-y<br/>(undone on failure)")
  end
  end
  s5("d<br/>(undone on failure)")
  done(["done"])
  start --> s1
  s1 --> s2 & s3
  s3 --> s4
  s2 & s4 --> s5
  s5 --> done
`)
})
