/** A declaration applied to the workflow that it names: the same steps in its order. Pure; what it may not say is told, nothing is guessed. */
import { SkerryError } from '@skerry/contract'
import type { Declaration, Entry, Problem, Skip, StepEntry } from './declaration.ts'
import { skips } from './declaration.ts'
import { isNamed, type StepEdit, sharedParts, standIn, withEdits } from './edit.ts'
import {
  type Branch,
  defineWorkflow,
  type Element,
  mapSteps,
  membersOf,
  type Step,
  type StepContext,
  type Workflow,
} from './workflow.ts'

export interface DeclarePorts {
  /** all that are known: a declaration may give their steps another place than they have by themselves */
  edits: readonly StepEdit[]
  /** false: the step is not run now; what it replaces is. */
  isOn(edit: StepEdit): boolean
  /** Names of steps that nothing is known of, without any need to say so. */
  absent(step: string): boolean
  /** a parameter of the job's call */
  param(input: unknown, name: string): unknown
  /** Names of parameters that its calls have. */
  params: readonly string[]
}

/** What a declaration moves as a whole: a step, or a sub-workflow. */
interface Unit {
  name: string
  elements: readonly Element[]
  /** of a sub-workflow */
  workflow?: string
  steps: readonly Step[]
  /** names of units that must stand before it */
  needs: readonly string[]
  /** whether its author has said what it needs: then that must be there, and run */
  explicit: boolean
  /** name of a unit that must stand behind it */
  before?: string
  /** name of the unit in whose place it stands */
  standsFor?: string
  added?: StepEdit
}

interface Placed {
  unit: Unit
  at: number
  skip: Skip | undefined
  path: Problem['path']
}

/** Throws `invalid-argument`; `details.problems` says where (`Problem[]`). */
export function declared(workflow: Workflow, declaration: Declaration, ports: DeclarePorts): Workflow {
  const edits = ports.edits.filter((edit) => edit.workflow === workflow.name)
  const units = unitsOf(workflow)
  const problems: Problem[] = []
  const added = edits.flatMap((edit) => addedUnit(edit, { units, isOn: ports.isOn(edit) }) ?? [])
  const placed = placedIn(declaration, { units: [...units, ...added], ports, problems })
  checkWhole(units, placed, problems)
  checkOrder(placed, problems)
  checkSkips(placed, ports, problems)
  if (problems.length > 0) throw refusal(workflow, problems)
  const steps = assembled(declaration, placed, ports)
  const rest = edits.filter((edit) => ports.isOn(edit) && !placed.some(({ unit }) => unit.added === edit))
  try {
    return defineWorkflow({ ...withEdits({ ...workflow, steps }, rest), declared: declaration })
  } catch (error) {
    if (!(error instanceof SkerryError)) throw error
    throw refusal(workflow, [
      { path: ['steps'], message: `${error.message}: add what is left out, or say where that step stands` },
    ])
  }
}

function refusal(workflow: Workflow, problems: readonly Problem[]): SkerryError {
  const message = `the declaration of ${workflow.name} can't be followed: ${problems.map(({ message }) => message).join('; ')}`
  return new SkerryError('invalid-argument', message, { workflow: workflow.name, problems })
}

/** The workflow's own: what stands before a unit, it needs, where its steps don't say what they do need. */
function unitsOf(workflow: Workflow): Unit[] {
  const units: Unit[] = []
  const stepToUnit = new Map<string, string>()
  for (const element of workflow.steps) {
    const before = units.map(({ name }) => name)
    for (const piece of piecesOf(element)) {
      const part = sharedParts(piece)[0]
      const last = units.at(-1)
      const steps = membersOf(piece)
      const elements = 'branch' in piece ? piece.branch : [piece]
      const name = part?.as ?? steps[0]!.name
      for (const step of steps) stepToUnit.set(step.name, name)
      if (part && last?.workflow !== undefined && last.name === name) {
        units[units.length - 1] = { ...last, elements: [...last.elements, ...elements], steps: [...last.steps, ...steps] }
        continue
      }
      const told = part ? part.needs : steps[0]!.needs
      const needs = told?.map((need) => stepToUnit.get(need) ?? need) ?? before
      units.push({ name, elements, steps, needs, explicit: told !== undefined, ...(part ? { workflow: part.workflow } : {}) })
    }
  }
  return units
}

/** What an element consists of: a sub-workflow is in one piece, also as a branch of a group; else a group is its members. */
function piecesOf(element: Element): (Element | Branch)[] {
  if (!('parallel' in element) || sharedParts(element).length > 0) return [element]
  return element.parallel.flatMap((member): (Element | Branch)[] =>
    'branch' in member && sharedParts(member).length === 0 ? member.branch.flatMap(piecesOf) : [member],
  )
}

const anchorOf = ({ place }: StepEdit) => ('before' in place ? place.before : 'after' in place ? place.after : place.replace)
const unitAt = (units: readonly Unit[], anchor: string) =>
  units.find(({ name, steps }) => name === anchor || steps.some((step) => isNamed(step, anchor)))

/**
 * A step of others. What is off and replaces nothing is there without any step. One that replaces a step of a sub-workflow is a step of
 * that, and goes where it goes.
 */
function addedUnit(edit: StepEdit, { units, isOn }: { units: readonly Unit[]; isOn: boolean }): Unit | undefined {
  const { step, place } = edit
  const beside = unitAt(units, anchorOf(edit))
  const steps = isOn ? [step] : []
  const own = { name: step.name, added: edit, explicit: step.needs !== undefined }
  if (!('replace' in place)) {
    const needs = 'after' in place && beside ? [beside.name] : []
    const before = 'before' in place ? beside?.name : undefined
    return { ...own, elements: steps, steps, needs, ...(before === undefined ? {} : { before }) }
  }
  if (beside === undefined || beside.workflow !== undefined) return undefined
  const [old] = beside.steps
  const stand = isOn ? standIn(old!, step) : old!
  return { ...own, explicit: beside.explicit, elements: [stand], steps: [stand], needs: beside.needs, standsFor: beside.name }
}

/** Two units of one place exclude each other. */
const placeOf = ({ name, standsFor = name }: Unit) => standsFor

interface Placing {
  units: readonly Unit[]
  ports: DeclarePorts
  problems: Problem[]
}

function placedIn({ steps }: Declaration, placing: Placing): Placed[] {
  const { units, ports, problems } = placing
  const placed: Placed[] = []
  const put = (
    wanted: string,
    of: { at: number; skip: Skip | undefined; path: Problem['path'] },
    is: (unit: Unit) => boolean,
  ) => {
    const unit = units.find(is)
    const twice = unit && placed.some((one) => placeOf(one.unit) === placeOf(unit))
    if (unit && !twice) placed.push({ unit, ...of })
    else if (twice) problems.push({ path: of.path, message: `${wanted} stands here twice: remove one of them` })
    else if (!ports.absent(wanted)) problems.push({ path: of.path, message: unknown(wanted, units) })
  }
  for (const [at, entry] of steps.entries()) {
    for (const { given, path: inner } of namedIn(entry)) {
      const path = ['steps', at, ...inner]
      if (typeof given === 'object' && 'use' in given) {
        const { use, as, skip } = given
        put(use, { at, skip, path: [...path, 'use'] }, ({ workflow, name }) => workflow === use && name === (as ?? name))
        continue
      }
      const { step, skip } = typeof given === 'string' ? { step: given, skip: undefined } : given
      const inPart = units.find(({ workflow, steps: own }) => workflow !== undefined && own.some(({ name }) => name === step))
      if (inPart)
        problems.push({
          path,
          message: `${step} is a step of a sub-workflow: write { use: ${inPart.workflow}, as: ${inPart.name} }`,
        })
      else put(step, { at, skip, path }, (unit) => unit.name === step && unit.workflow === undefined)
    }
  }
  return placed
}

function unknown(wanted: string, units: readonly Unit[]): string {
  const there = units.map(({ name, workflow }) => (workflow === undefined ? name : `use: ${workflow}`))
  return `there is no ${wanted} here; there are ${there.join(', ')}`
}

/** What an entry names, each with where in the entry it stands. */
function namedIn(entry: Entry): { given: StepEntry; path: (string | number)[] }[] {
  if (typeof entry === 'string' || !('parallel' in entry)) return [{ given: entry, path: [] }]
  return entry.steps.map((given, i) => ({ given, path: ['steps', i] }))
}

const mayLack = ({ steps, added }: Unit) =>
  added ? !('replace' in added.place) : steps.every(({ optional }) => optional !== undefined)
const has = (placed: readonly Placed[], name: string) => placed.find(({ unit }) => placeOf(unit) === name)

function checkWhole(units: readonly Unit[], placed: readonly Placed[], problems: Problem[]): void {
  for (const unit of units)
    if (!mayLack(unit) && !has(placed, unit.name))
      problems.push({
        path: ['steps'],
        message: `${unit.workflow === undefined ? `step ${unit.name}` : `use: ${unit.workflow}`} is left out, and nothing can do without it: add it`,
      })
}

function checkOrder(placed: readonly Placed[], problems: Problem[]): void {
  for (const { unit, at, path } of placed) {
    for (const need of unit.needs) {
      const needed = has(placed, need)
      const { explicit } = unit
      if (needed === undefined ? explicit : explicit && needed.skip !== undefined)
        problems.push({
          path,
          message: `what ${unit.name} works with comes from step ${need}, which is not run here: run that before it`,
        })
      else if (needed && needed.at >= at)
        problems.push({
          path,
          message: `${unit.name} must stand behind ${need}, not ${needed.at === at ? 'beside' : 'before'} it`,
        })
    }
    const before = unit.before === undefined ? undefined : has(placed, unit.before)
    if (before && before.at <= at) problems.push({ path, message: `${unit.name} must stand before ${before.unit.name}` })
  }
}

function checkSkips(placed: readonly Placed[], { params }: DeclarePorts, problems: Problem[]): void {
  for (const { unit, skip, path } of placed) {
    if (skip === undefined) continue
    if (!mayLack(unit)) problems.push({ path, message: `nothing can do without ${unit.name}, so it can't be skipped` })
    for (const param of skip === true ? [] : Object.keys(skip.when))
      if (!params.includes(param))
        problems.push({ path, message: `its calls have no parameter ${param}; they have ${params.join(', ')}` })
  }
}

function assembled({ steps }: Declaration, placed: readonly Placed[], { param }: DeclarePorts): Element[] {
  return steps.flatMap((entry, at): Element[] => {
    const here = placed
      .filter((one) => one.at === at && one.unit.elements.length > 0)
      .map(({ unit: { name, elements }, skip }) => ({ name, branch: withSkip(elements, skip, param) }))
    // Of a group, those that are there.
    if (typeof entry !== 'object' || !('parallel' in entry) || here.length < 2) return here.flatMap(({ branch }) => branch)
    const members = here.map((one): Step | Branch => {
      const [first] = one.branch
      return one.branch.length === 1 && first && !('parallel' in first) ? first : one
    })
    return [{ name: entry.parallel, parallel: members }]
  })
}

function withSkip(elements: readonly Element[], skip: Skip | undefined, param: DeclarePorts['param']): readonly Element[] {
  if (skip === undefined) return elements
  return mapSteps(elements, (step: Step) => ({
    ...step,
    when: (ctx: StepContext) => !skips(skip, (name) => param(ctx.input, name)) && step.when?.(ctx) !== false,
  }))
}
