/** Workflows as they are drawn, and with steps that others add. */
import { describe, expect, it } from 'vitest'
import {
  asBegun,
  createRunner,
  mermaidOf,
  prove,
  type Step,
  type StepEdit,
  stepNames,
  stepRecords,
  viewOfWorkflow,
  withEdits,
} from '../src/index.ts'
import { madeWorld, type ToyInput, type ToyWorld, thing, vmCreate } from './toy.ts'

const seal: Step<ToyInput, ToyWorld> = { ...thing('notary-seal', 'taps'), from: 'plugin notary' }
const log: Step = {
  name: 'log-it',
  do: () => ({ output: { at: 1 } }),
  noUndo: 'a line of a log stays',
  version: 2,
  from: 'plugin log',
}
const address: Step = {
  name: 'ipam-address',
  do: () => ({ output: { ip: '10.9.9.9' } }),
  noUndo: 'it only asks',
  from: 'plugin ipam',
}

const edit = (place: StepEdit['place'], step: Step): StepEdit => ({ workflow: 'vm.create', place, step })
const edits = [edit({ after: 'define' }, seal), edit({ before: 'reserve' }, log), edit({ replace: 'address' }, address)]

/** Each of its own kind, so that the seal isn't mistaken for the tap of the VM. */
const sealed: StepEdit = edit(
  { after: 'define' },
  {
    name: 'notary-seal',
    do: ({ input, world }) => void world.host.domains.add(`sealed ${input.vm}`),
    undo: ({ input, world }) => void world.host.domains.delete(`sealed ${input.vm}`),
  },
)

describe('a workflow with added steps', () => {
  it('has them where they were put, and what replaces a step answers for it', async () => {
    const workflow = withEdits(vmCreate(), edits)
    expect(stepRecords(workflow)).toEqual([
      ...['log-it@2', 'reserve', 'ipam-address', 'disk', 'tap', 'backup', 'define', 'notary-seal', 'announce'],
    ])
    const made = await madeWorld()
    made.journal.accept('j', workflow, made.input)
    const ports = { world: made.world, journal: made.journal, clock: { now: () => 0 }, sleep: async () => {} }
    await createRunner({ ...ports, workflows: () => workflow }).run('j')
    expect(made.journal.load('j')?.state).toBe('done')
    // The end of the workflow reads the output of `address`.
    expect(made.world.graph.get('vm', 'v1')?.['ip']).toBe('10.9.9.9')
  })

  it('checks what stands in for a step by that step’s own schema', async () => {
    const wrong = edit({ replace: 'address' }, { ...address, do: () => ({ output: { ip: 7 } }) })
    const workflow = withEdits(vmCreate(), [wrong])
    const made = await madeWorld()
    made.journal.accept('j', workflow, made.input)
    const ports = { world: made.world, journal: made.journal, clock: { now: () => 0 }, sleep: async () => {} }
    await createRunner({ ...ports, workflows: () => workflow }).run('j')
    expect(made.journal.load('j')).toMatchObject({ state: 'failed', error: { details: { step: 'ipam-address' } } })
  })

  it('leaves nothing behind where the step leaves nothing, and is found out where it does', async () => {
    const report = await prove(withEdits(vmCreate(), [sealed]), madeWorld)
    expect(report.steps).toContain('notary-seal')
    const { undo: _, ...rest } = sealed.step
    const careless = { ...sealed, step: { ...rest, noUndo: 'who would look' } }
    await expect(prove(withEdits(vmCreate(), [careless]), madeWorld)).rejects.toThrow('sealed v1')
  })

  it('refuses a place that is not there, and a name that is taken', () => {
    expect(() => withEdits(vmCreate(), [edit({ after: 'dfine' }, seal)])).toThrow('there is no step dfine')
    expect(() => withEdits(vmCreate(), [edit({ after: 'define' }, { ...seal, name: 'tap' })])).toThrow('two steps are named tap')
  })

  it('keeps to the steps that a job began with, and makes it stuck without them', async () => {
    const begun = stepRecords(withEdits(vmCreate(), [sealed]))
    expect(stepNames(asBegun(vmCreate(), edits, stepRecords(vmCreate())))).toEqual(stepNames(vmCreate()))
    expect(stepRecords(asBegun(vmCreate(), [sealed, edits[1]!], begun))).toEqual(begun)
    const made = await madeWorld()
    made.journal.accept('j', withEdits(vmCreate(), [sealed]), made.input)
    const ports = { world: made.world, journal: made.journal, clock: { now: () => 0 }, sleep: async () => {} }
    await createRunner({ ...ports, workflows: ({ steps }) => asBegun(vmCreate(), [], steps) }).run('j')
    expect(made.journal.load('j')).toMatchObject({
      state: 'stuck',
      error: { code: 'upgrade-stuck', details: { step: 'notary-seal' } },
    })
    // With the plugin back it is undone by `retry`.
    await createRunner({ ...ports, workflows: ({ steps }) => asBegun(vmCreate(), [sealed], steps) }).retry('j')
    expect(made.journal.load('j')?.state).toBe('failed')
  })
})

describe('a drawn workflow', () => {
  it('shows order, groups, what is undone, what may be left out and where it came from', () => {
    const view = viewOfWorkflow(withEdits(vmCreate(), [edits[0]!]))
    expect(view.steps.find(({ name }) => name === 'backup')).toEqual({
      ...{ name: 'backup', version: 1, undo: true, noUndo: null, conditional: true, group: null, from: null, within: [] },
    })
    expect(mermaidOf(view)).toBe(`flowchart TD
  start(["vm.create"])
  s1("reserve<br/>(undone on failure)")
  s2("address<br/>(undone on failure)")
  subgraph g3 ["devices, at the same time"]
  s3("disk<br/>(undone on failure)")
  s4("tap<br/>(undone on failure)")
  end
  s5("backup<br/>(if needed, undone on failure)")
  s6("define<br/>(undone on failure)")
  s7("notary-seal<br/>(undone on failure, plugin notary)"):::added
  s8["announce"]
  done(["done"])
  start --> s1
  s1 --> s2
  s2 --> s3 & s4
  s3 & s4 --> s5
  s5 --> s6
  s6 --> s7
  s7 --> s8
  s8 --> done
  classDef added stroke-dasharray: 5 5
`)
  })
})
