import { SkerryError } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { maskIds, type ProveError, prove, type Step } from '../src/index.ts'
import { madeWorld, type ToyInput, type ToyWorld, thing, toyInventory, vmCreate } from './toy.ts'

type ToyStep = Step<ToyInput, ToyWorld>

/** The workflow with one more step before its `define`. */
const withStep = (step: ToyStep) => {
  const workflow = vmCreate()
  return { ...workflow, steps: workflow.steps.toSpliced(4, 0, step) }
}
/** The workflow with the step `define` changed. */
const withDefine = (change: Partial<ToyStep>) => {
  const workflow = vmCreate()
  return {
    ...workflow,
    steps: workflow.steps.map((step) => (step.name === 'define' ? { ...(step as ToyStep), ...change } : step)),
  }
}
const problems = async (run: Promise<unknown>) => ((await run.catch((error: unknown) => error)) as ProveError).problems

describe('prove', () => {
  it('passes a workflow that leaves nothing behind, and says what it did not show', async () => {
    const report = await prove(vmCreate(), madeWorld)
    expect(report.steps).toEqual(['reserve', 'address', 'disk', 'tap', 'define', 'announce'])
    expect(report.skipped).toEqual(['backup'])
    expect(report.trials).toBeGreaterThan(80)
  })

  it('finds an undo that forgets an effect', async () => {
    const found = await problems(prove(withDefine({ undo: () => {} }), madeWorld))
    expect(found.join()).toContain(
      'step define fails after its effect: the inventory differs from before\n    host.domains."v1": true instead of nothing',
    )
    expect(found.join()).not.toContain('step define fails before its effect')
  })

  it('finds a do that adds up when it is repeated', async () => {
    const found = await problems(
      prove(
        withStep({
          name: 'count',
          do: ({ world }) => void world.host.taps.add(`tap${world.host.taps.size}`),
          undo: ({ world }) => world.host.taps.forEach((tap) => void (tap.startsWith('tap') && world.host.taps.delete(tap))),
        }),
        madeWorld,
      ),
    )
    expect(found.some((line) => line.startsWith('step count runs twice: the inventory differs from that of a plain run'))).toBe(
      true,
    )
    expect(found.some((line) => line.includes("killed before 'count done' is recorded"))).toBe(true)
  })

  it('finds a do that refuses what it made itself', async () => {
    const found = await problems(
      prove(
        withDefine({
          do: ({ input, world }) => {
            if (world.host.domains.has(input.vm)) throw new SkerryError('duplicate-uuid')
            world.host.domains.add(input.vm)
          },
        }),
        madeWorld,
      ),
    )
    expect(found.join()).toMatch(/step define runs twice: the job must be done, and is failed: duplicate-uuid/)
  })

  it('finds an undo that does not bear that nothing is there', async () => {
    const undo: ToyStep['undo'] = ({ input, world }) => {
      if (!world.host.domains.delete(input.vm)) throw new SkerryError('not-found', 'no such domain')
    }
    const found = await problems(prove(withDefine({ undo }), madeWorld))
    expect(found.join()).toMatch(/step define fails before its effect: the job must be failed, and is stuck: job-stuck/)
    expect(found.join()).toMatch(/the undo of step define runs twice: the job must be failed, and is stuck/)
  })

  it('finds an undo of the graph that gives back twice', async () => {
    const undo: ToyStep['undo'] = () => ({ change: { ops: [{ o: 'add', t: 'host', k: 'h', field: 'free', delta: 2 }] } })
    const workflow = vmCreate()
    const steps = [{ ...(workflow.steps[0] as ToyStep), undo }, ...workflow.steps.slice(1)]
    expect((await problems(prove({ ...workflow, steps }, madeWorld))).join()).toContain('tables.host.h.free: 6 instead of 4')
  })

  it('finds a member of a parallel group that is not undone', async () => {
    const workflow = vmCreate()
    const group = {
      name: 'devices',
      parallel: [thing('disk', 'disks'), { name: 'tap', do: thing('tap', 'taps').do, noUndo: 'wrongly' }],
    }
    const found = await problems(prove({ ...workflow, steps: workflow.steps.toSpliced(2, 1, group) }, madeWorld))
    expect(found.join()).toContain('step disk fails before its effect: the inventory differs from before\n    host.taps."v1"')
  })

  it('finds what is lost with the process', async () => {
    const world = async () => {
      const made = await madeWorld()
      const memory = new Map<string, string>()
      return { ...made, world: { ...made.world, memory }, crash: async () => memory.clear() }
    }
    const workflow = withStep({
      name: 'remember',
      do: ({ world }) => void (world as ToyWorld & { memory: Map<string, string> }).memory.set('disk', 'x'),
      noUndo: 'memory only',
    })
    const steps = workflow.steps.map((step) => {
      if (step.name !== 'define') return step
      const use: ToyStep['do'] = ({ input, world }) =>
        void world.host.domains.add(`${input.vm}${(world as never as { memory: Map<string, string> }).memory.get('disk')}`)
      return { ...(step as ToyStep), do: use, undo: (({ world }) => world.host.domains.clear()) as ToyStep['undo'] }
    })
    const found = await problems(prove({ ...workflow, steps }, world))
    expect(found.join()).toContain(
      "a plain run, killed after 'remember done' is recorded: the inventory differs from that of a plain run",
    )
  })

  it('finds an output that would not survive the journal', async () => {
    const found = await problems(
      prove(withStep({ name: 'when', do: () => ({ output: { at: new Date(0) } }), noUndo: 'it only looks' }), madeWorld),
    )
    expect(found.join()).toContain('the output of step when is not plain JSON')
  })

  it('compares everything unless told what to ignore', async () => {
    let run = 0
    const stamped = async () => {
      const made = await madeWorld()
      const stamp = run++
      return { ...made, inventory: () => ({ ...(toyInventory(made.world) as object), stamp }) }
    }
    expect((await problems(prove(vmCreate(), stamped))).length).toBeGreaterThan(0)
    await prove(vmCreate(), stamped, { ignore: (inventory) => ({ ...(inventory as object), stamp: undefined }) })
  })

  it('can compare worlds whose ids are random', async () => {
    let n = 0
    const id = () => (n++).toString(16).padStart(32, 'a')
    const steps = [
      { name: 'ids', do: () => ({ output: { uuid: id() } }), noUndo: 'an id is nothing yet' },
      {
        name: 'make',
        do: ({ outputs, world }) => void world.host.disks.add(outputs['ids'].uuid),
        undo: ({ outputs, world }) => void world.host.disks.delete(outputs['ids'].uuid),
      } satisfies ToyStep,
    ]
    const workflow = { ...vmCreate(), steps, finish: undefined }
    expect((await problems(prove(workflow, madeWorld))).join()).toContain('differs from that of a plain run')
    await prove(workflow, madeWorld, { ignore: maskIds })
  })

  it('says at once when not even a plain run succeeds', async () => {
    const never = () => Promise.reject(new SkerryError('no-host', 'nobody has room'))
    expect(await problems(prove(withDefine({ do: never }), madeWorld))).toEqual([
      expect.stringMatching(/^a plain run: the job must be done, and is failed: no-host .* ← no-host \(nobody has room\)/),
    ])
  })
})
