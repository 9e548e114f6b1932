/** Workflows declared in files: what a declaration may say of a workflow, and what it may not. */
import type { SkerryError } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import {
  createRunner,
  type Declaration,
  type DeclarePorts,
  declared,
  defineWorkflow,
  type Problem,
  parallel,
  prove,
  readDeclaration,
  type StepEdit,
  stepNames,
  stepRecords,
  subWorkflow,
  type Workflow,
} from '../src/index.ts'
import { step } from './bench.ts'
import { madeWorld, type ToyInput, type ToyWorld, thing, vmCreate } from './toy.ts'

/** The toy's creation with a part, a step that may be left out and one that may be moved. */
function toy(): Workflow<ToyInput, ToyWorld> {
  const base = vmCreate()
  const [reserve, address, devices, , define, announce] = base.steps as never[] as Workflow<ToyInput, ToyWorld>['steps']
  const sub: Workflow<ToyInput, ToyWorld> = {
    ...{ name: 'vm.wires', version: 1, input: base.input },
    steps: [thing('wire', 'taps'), { name: 'test', do: () => {}, noUndo: 'it only looks' }],
  }
  const wire = {
    ...thing('label', 'taps'),
    do: ({ input, world }: never) => void (world as ToyWorld).host.taps.add(`label ${(input as ToyInput).vm}`),
    undo: ({ input, world }: never) => void (world as ToyWorld).host.taps.delete(`label ${(input as ToyInput).vm}`),
    optional: 'nobody reads the label',
    needs: ['reserve'],
  }
  const part = subWorkflow(sub, { as: 'wires' }).slice(1)
  const look = { ...step('look'), do: () => ({ output: 1 }), needs: ['label'] }
  const steps = [reserve!, address!, devices!, ...part, wire as never, { ...look, undo: () => {} } as never, define!, announce!]
  return defineWorkflow<ToyInput, ToyWorld>({ ...base, steps })
}
const order = ['reserve', 'address', { parallel: 'devices', steps: ['disk', 'tap'] }, { use: 'vm.wires' }]
const whole = [...order, 'label', 'look', 'define', 'announce'] as Declaration['steps']
const seal = { ...thing('notary-seal', 'domains'), from: 'plugin notary' } as StepEdit['step']
const edits: StepEdit[] = [
  { workflow: 'vm.create', place: { after: 'reserve' }, step: seal },
  {
    ...{ workflow: 'vm.create', place: { replace: 'address' } },
    step: { name: 'ipam-address', do: () => ({ output: { ip: '10.9.9.9' } }), noUndo: 'it only asks' },
  },
]
const ports = (more: Partial<DeclarePorts> = {}): DeclarePorts => ({
  ...{ edits: [], isOn: () => true, absent: () => false, params: ['vm', 'cpus'] },
  param: (input, name) => (input as Record<string, unknown>)[name],
  ...more,
})
const of = (steps: unknown, more: Partial<DeclarePorts> = {}) =>
  declared(toy() as Workflow, { workflow: 'vm.create', steps } as Declaration, ports(more))
/** What is wrong with it, each with its place. */
function wrong(steps: unknown, more: Partial<DeclarePorts> = {}): [string, string][] {
  try {
    of(steps, more)
  } catch (error) {
    const { problems } = (error as SkerryError).details as unknown as { problems: Problem[] }
    return problems.map(({ path, message }) => [path.join('.'), message])
  }
  return []
}

describe('a declaration', () => {
  it('of all steps as they are written is the workflow as it is written', () => {
    expect(stepRecords(of(whole))).toEqual(stepRecords(toy()))
    expect(of(whole).steps.map(({ name }) => name)).toEqual(toy().steps.map(({ name }) => name))
  })

  it('moves what says what it needs, beside others too, and leaves out what may lack', () => {
    const moved = of([
      'reserve',
      'label',
      'address',
      'disk',
      'tap',
      { use: 'vm.wires', as: 'wires' },
      'look',
      'define',
      'announce',
    ])
    expect(stepNames(moved)).toEqual(['reserve', 'label', 'address', 'disk', 'tap', 'wires-test', 'look', 'define', 'announce'])
    const [, group] = of([
      'reserve',
      { parallel: 'both', steps: ['label', 'address'] },
      ...whole.slice(2, 4),
      ...whole.slice(5),
    ]).steps
    expect(group).toMatchObject({ name: 'both', parallel: [{ name: 'label' }, { name: 'address' }] })
  })

  it('is proven as any workflow, with its skips and steps of others', async () => {
    const steps = ['reserve', { parallel: 'p', steps: ['notary-seal', 'ipam-address'] }, ...whole.slice(2)]
    // The seal is of its own kind, so that it isn't mistaken for the domain.
    const own = { ...edits[0]!.step, do: ({ world }: never) => void (world as ToyWorld).host.disks.add('seal') }
    const undone = { ...own, undo: ({ world }: never) => void (world as ToyWorld).host.disks.delete('seal') } as StepEdit['step']
    const report = await prove(of(steps, { edits: [{ ...edits[0]!, step: undone }, edits[1]!] }), madeWorld)
    expect(report.steps).toEqual(expect.arrayContaining(['notary-seal', 'ipam-address', 'wires-test', 'label']))
  })

  it('skips a step always, or where the call says so, and shows that it did', async () => {
    const skipped = async (skip: unknown) => {
      const made = await madeWorld()
      const steps = [...order, 'label', { step: 'notary-seal', skip }, ...whole.slice(5)]
      const workflow = of(steps, { edits: [{ workflow: 'vm.create', place: { after: 'reserve' }, step: seal }] })
      made.journal.accept('j', workflow, made.input)
      const run = { world: made.world, journal: made.journal, clock: { now: () => 0 }, sleep: async () => {} }
      await createRunner({ ...run, workflows: () => workflow }).run('j')
      expect(made.journal.load('j')).toMatchObject({ state: 'done' })
      return made.journal.load('j')?.skipped
    }
    expect(await skipped(true)).toEqual(['notary-seal'])
    expect(await skipped({ when: { vm: 'v*', cpus: [1, 2] } })).toEqual(['notary-seal'])
    expect(await skipped({ when: { vm: 'w*' } })).toEqual([])
    expect(await skipped({ when: { vm: 'v1', cpus: 3 } })).toEqual([])
  })

  it('says where steps of others stand; those that it does not name keep their own place', () => {
    const steps = ['reserve', 'ipam-address', ...whole.slice(2)]
    expect(stepNames(of(steps, { edits })).slice(0, 3)).toEqual(['reserve', 'notary-seal', 'ipam-address'])
    expect(stepNames(of(whole, { edits })).slice(0, 3)).toEqual(['reserve', 'notary-seal', 'ipam-address'])
    expect(stepNames(of([...whole, 'notary-seal'], { edits })).at(-1)).toBe('notary-seal')
  })

  it('takes what others put into a sub-workflow along with it, or beside it where they may stand elsewhere', () => {
    const by = (place: StepEdit['place']): StepEdit => ({ workflow: 'vm.create', place, step: seal })
    const replaced = of(whole, { edits: [by({ replace: 'wires-test' })] })
    expect(stepNames(replaced)).toEqual(stepNames(toy()).map((name) => (name === 'wires-test' ? 'notary-seal' : name)))
    const beside = [...whole.slice(0, 4), 'notary-seal', ...whole.slice(4)]
    expect(stepNames(of(beside, { edits: [by({ after: 'wires-test' })] }))[5]).toBe('notary-seal')
    expect(wrong(beside, { edits: [by({ before: 'wires-test' })] })).toEqual([['steps.4', 'notary-seal must stand before wires']])
    expect(wrong(['notary-seal', ...whole], { edits: [by({ after: 'wires-test' })] })[0]?.[1]).toContain(
      'must stand behind wires',
    )
  })

  it('does without steps of others that are off, and has back what they replace', () => {
    const steps = ['reserve', 'ipam-address', ...whole.slice(2), 'notary-seal']
    expect(stepNames(of(steps, { edits, isOn: () => false }))).toEqual(stepNames(toy()))
    expect(stepNames(of([...whole, 'gone-step'], { absent: (name) => name === 'gone-step' }))).toEqual(stepNames(toy()))
  })

  it.each<[string, unknown, string, string]>([
    ['a step that is not there', ['reserv', ...whole], 'steps.0', 'there is no reserv here; there are reserve, address,'],
    ['a sub-workflow that is not there', [...whole, { use: 'vm.nets' }], 'steps.8.use', 'there is no vm.nets here'],
    ['a step twice', [...whole, 'label'], 'steps.8', 'label stands here twice'],
    ['a needed step left out', whole.filter((one) => one !== 'define'), 'steps', 'step define is left out'],
    ['a sub-workflow left out', whole.filter((_, i) => i !== 3), 'steps', 'use: vm.wires is left out'],
    [
      'an input that nobody makes',
      whole.filter((one) => one !== 'label'),
      'steps.4',
      'what look works with comes from step label',
    ],
    [
      'an input that is skipped',
      whole.map((s) => (s === 'label' ? { step: s, skip: true } : s)),
      'steps.5',
      'comes from step label',
    ],
    [
      'a step before what it needs',
      ['address', 'reserve', ...whole.slice(2)],
      'steps.0',
      'address must stand behind reserve, not before',
    ],
    [
      'a step beside it',
      [{ parallel: 'p', steps: ['reserve', 'address'] }, ...whole.slice(2)],
      'steps.0.steps.1',
      'not beside it',
    ],
    [
      'a skip of what nothing can do without',
      [{ step: 'reserve', skip: true }, ...whole.slice(1)],
      'steps.0',
      "can't be skipped",
    ],
    [
      'a condition on nothing',
      whole.map((s) => (s === 'label' ? { step: s, skip: { when: { name: 'x' } } } : s)),
      'steps.4',
      'no parameter name; they have vm, cpus',
    ],
    ['a step of a part', [...whole, 'wires-test'], 'steps.8', 'write { use: vm.wires, as: wires }'],
  ])('is refused with %s', (_, steps, path, message) => {
    expect(wrong(steps)).toContainEqual([path, expect.stringContaining(message)])
  })

  it('is refused where steps of others stand wrong', () => {
    expect(wrong(['notary-seal', ...whole], { edits })).toContainEqual([
      'steps.0',
      'notary-seal must stand behind reserve, not before it',
    ])
    const before: StepEdit = { workflow: 'vm.create', place: { before: 'define' }, step: seal }
    expect(wrong([...whole, 'notary-seal'], { edits: [before] })).toEqual([['steps.8', 'notary-seal must stand before define']])
    expect(wrong(['reserve', 'ipam-address', ...whole.slice(1)], { edits })[0]?.[1]).toContain('address stands here twice')
    const lost: StepEdit = { workflow: 'vm.create', place: { after: 'label' }, step: seal }
    const without = whole.filter((one) => one !== 'label' && one !== 'look')
    expect(
      wrong(without, { edits: [lost] })
        .flat()
        .join(),
    ).toContain('step look is left out')
  })

  it('tells of its form what is wrong and where', () => {
    const bad = (given: unknown) => {
      const read = readDeclaration(given)
      return 'problems' in read ? read.problems.map(({ path, message }) => `${path.join('.')}: ${message}`) : []
    }
    expect(bad({ workflow: 'vm.create', steps: whole })).toEqual([])
    expect(bad({ workflow: 'vm.create', steps: ['a', { step: 'b', skip: 'yes' }] })[0]).toContain(
      'steps.1.skip: must be true, or',
    )
    expect(bad({ workflow: 'vm.create', steps: ['a', 7] })).toEqual([
      expect.stringContaining('steps.1: must be the name of a step'),
    ])
    expect(bad({ workflow: 'vm.create', stepz: [] })).toHaveLength(2)
    expect(bad(null)).toHaveLength(1)
  })
})

it('groups of a workflow may be taken apart', () => {
  const workflow = defineWorkflow({ ...toy(), steps: [parallel('g', [step('a'), step('b')]) as never], finish: () => ({}) })
  const taken = declared(workflow as Workflow, { workflow: 'vm.create', steps: ['b', 'a'] }, ports())
  expect(taken.steps.map(({ name }) => name)).toEqual(['b', 'a'])
})
