/** Sub-workflows: journaled under their part's name, gone through, resumed, undone and drawn like a step that is made of steps. */
import { SkerryError } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import {
  asBegun,
  createRunner,
  defineWorkflow,
  mapSteps,
  mermaidOf,
  parallel,
  prove,
  type Step,
  stepNames,
  subWorkflow,
  viewOfWorkflow,
  type Workflow,
  withEdits,
} from '../src/index.ts'
import { bench, failing, job, over, step } from './bench.ts'
import { madeWorld, type ToyInput, type ToyWorld, thing, toyInventory, vmCreate } from './toy.ts'

const wires = (): Workflow => ({
  name: 'vm.wires',
  version: 1,
  input: z.object({ vm: z.string() }),
  steps: [
    {
      name: 'choose',
      output: z.object({ tap: z.string() }),
      do: ({ input }) => ({ output: { tap: `tap of ${input.vm}` } }),
      noUndo: 'it only chooses',
    },
    parallel('both', [
      {
        name: 'tap',
        do: ({ world, outputs }) => void world.host.taps.add(outputs['choose'].tap),
        undo: ({ world, outputs, input }) => void world.host.taps.delete(outputs['choose']?.tap ?? `tap of ${input.vm}`),
      } as Step,
      thing('seal', 'domains') as Step,
    ]),
  ],
})
const rack = (): Workflow => ({
  name: 'vm.rack',
  version: 1,
  input: z.object({ name: z.string() }),
  steps: [
    thing('shelf', 'disks') as Step,
    ...subWorkflow<{ vm: string }, { vm: string }, ToyWorld>(wires(), { as: 'wires', input: ({ input }) => input }),
  ],
})

/** A VM that is wired: in the middle of the toy's own steps. */
function wired(more: { when?: () => boolean; formerly?: boolean } = {}): Workflow<ToyInput, ToyWorld> {
  const base = vmCreate()
  const part = subWorkflow<ToyInput, { vm: string }, ToyWorld>(wires(), { as: 'net', input: ({ input }) => input, ...more })
  return defineWorkflow({ ...base, steps: [...base.steps.slice(0, 2), ...part, ...base.steps.slice(2)] })
}

describe('a sub-workflow', () => {
  it('is journaled under the name of its part, sees its own outputs only, and its steps see what it is given', async () => {
    expect(stepNames(wired())).toEqual([
      ...['reserve', 'address', 'net-choose', 'net-tap', 'net-seal', 'disk', 'tap', 'backup', 'define', 'announce'],
    ])
    const seen: unknown[] = []
    const sub: Workflow = {
      ...{ name: 'toy.sub', version: 1, input: z.object({ m: z.number() }) },
      steps: [step('a'), step('b', { do: ({ input, outputs }) => void seen.push(input, outputs) })],
    }
    const b = bench([step('a'), ...subWorkflow(sub, { as: 'p', input: ({ outputs }) => ({ m: outputs['a'].length }) })])
    await b.run()
    expect([b.state(), seen]).toEqual(['done', [{ m: 1 }, { a: 'A' }]])
    expect(Object.keys(b.journal.load(job)!.done)).toEqual(['a', 'p-a', 'p-b'])
  })

  it('is undone through it, in reverse', async () => {
    const sub: Workflow = { name: 'toy.sub', version: 1, input: z.object({ n: z.number() }), steps: [step('b'), step('c')] }
    const b = bench([step('a'), ...subWorkflow(sub, { as: 'p' }), failing('d')])
    await b.run()
    expect([b.state(), b.log]).toEqual(['failed', ['a', 'b', 'c', 'd', '-d', '-c', '-b', '-a']])
  })

  it('is resumed in its middle, forward and back', async () => {
    const sub: Workflow = { name: 'toy.sub', version: 1, input: z.object({ n: z.number() }), steps: [step('b'), step('c')] }
    const stopped = () => Promise.reject(new SkerryError('store-stopped'))
    const b = bench([step('a'), ...subWorkflow(sub, { as: 'p' }), failing('d')])
    const dies = over(b, { stepDone: (...args) => (args[1] === 'p-c' ? stopped() : b.journal.stepDone(...args)) })
    await expect(dies.run()).rejects.toMatchObject({ code: 'store-stopped' })
    const diesBack = over(b, { stepUndone: (...args) => (args[1] === 'p-b' ? stopped() : b.journal.stepUndone(...args)) })
    await expect(diesBack.run()).rejects.toMatchObject({ code: 'store-stopped' })
    expect([b.state(), b.log.splice(0)]).toEqual(['undoing', ['a', 'b', 'c', 'c', 'd', '-d', '-c', '-b']])
    await b.run()
    expect([b.state(), b.log]).toEqual(['failed', ['-b', '-a']])
  })

  it('is proven with its steps: failed, repeated, undone and killed at every point, also in another one', async () => {
    const report = await prove(wired(), madeWorld)
    expect(report.steps).toEqual(expect.arrayContaining(['net-choose', 'net-tap', 'net-seal']))
    const nested = { ...vmCreate(), steps: subWorkflow(rack() as never, { as: 'rack' }), finish: () => ({}) }
    const inner = await prove(defineWorkflow(nested) as Workflow<ToyInput, ToyWorld>, madeWorld)
    expect(inner.steps).toEqual(['rack-shelf', 'rack-wires-choose', 'rack-wires-tap', 'rack-wires-seal'])
  })

  it('is found out where one of its steps leaves something', async () => {
    const bad = wired()
    const steps = bad.steps.map((element) =>
      'parallel' in element && element.name === 'net-both'
        ? mapSteps([element], ({ undo: _, ...rest }) => ({ ...rest, noUndo: 'who would look' }))[0]!
        : element,
    )
    await expect(prove({ ...bad, steps }, madeWorld)).rejects.toThrow('tap of v1')
  })

  it('is skipped as a whole', async () => {
    const made = await madeWorld()
    const workflow = wired({ when: () => false })
    made.journal.accept('j', workflow, made.input)
    const ports = { world: made.world, journal: made.journal, clock: { now: () => 0 }, sleep: async () => {} }
    await createRunner({ ...ports, workflows: () => workflow }).run('j')
    expect(made.journal.load('j')).toMatchObject({
      state: 'done',
      skipped: ['net-choose', 'net-tap', 'net-seal', 'backup'],
    })
    expect(JSON.stringify(toyInventory(made.world))).not.toContain('tap of')
  })

  it('carries on jobs that recorded its steps before they were in it, and is known to others by those names', async () => {
    const flat = defineWorkflow({ ...vmCreate(), steps: [...wires().steps, ...vmCreate().steps.slice(0, 2)], finish: () => ({}) })
    const part = subWorkflow<ToyInput, { vm: string }, ToyWorld>(wires(), {
      ...{ as: 'net', formerly: true },
      input: ({ input }) => input,
    })
    const now = defineWorkflow({ ...flat, steps: [...part, ...vmCreate().steps.slice(0, 2)] })
    const made = await madeWorld()
    made.journal.accept('j', flat, made.input)
    await made.journal.stepDone('j', 'choose', { tap: 'an old tap' })
    const ports = { world: made.world, journal: made.journal, clock: { now: () => 0 }, sleep: async () => {} }
    await createRunner({ ...ports, workflows: ({ steps }) => asBegun(now, [], steps) }).run('j')
    expect(made.journal.load('j')?.state).toBe('done')
    expect([...made.world.host.taps]).toEqual(['an old tap'])
    const edit = { workflow: 'vm.create', place: { after: 'choose' }, step: { ...step('x'), from: 'plugin x' } }
    expect(stepNames(withEdits(now, [edit])).slice(0, 2)).toEqual(['net-choose', 'x'])
  })

  it('refuses what ends jobs of its own, and what it is given that does not fit', async () => {
    expect(() => subWorkflow(vmCreate(), { as: 'p' })).toThrow('it has an end of its own')
    const b = bench([...subWorkflow(wires(), { as: 'p', input: () => ({ vm: 7 }) as never })])
    await b.run()
    expect([b.state(), b.error()?.code, b.error()?.details?.['step']]).toEqual(['failed', 'internal', 'p-choose'])
  })
})

it('draws a sub-workflow as a box of its own, with what others put into it', () => {
  const edit = { workflow: 'toy', place: { after: 'net-choose' }, step: { ...step('x'), from: 'plugin x' } }
  const view = viewOfWorkflow(withEdits({ ...vmCreate(), name: 'toy', steps: [...wired().steps.slice(1, 4)] }, [edit]))
  expect(mermaidOf(view)).toBe(`flowchart TD
  start(["toy"])
  s1("address<br/>(undone on failure)")
  subgraph w2_1 ["net: vm.wires"]
  s2["net-choose"]
  s3("x<br/>(undone on failure, plugin x)"):::added
  subgraph g4 ["net-both, at the same time"]
  s4("net-tap<br/>(undone on failure)")
  s5("net-seal<br/>(undone on failure)")
  end
  end
  done(["done"])
  start --> s1
  s1 --> s2
  s2 --> s3
  s3 --> s4 & s5
  s4 & s5 --> done
  classDef added stroke-dasharray: 5 5
`)
})
