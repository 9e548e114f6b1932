/** Workflows with steps that others add or put in the place of theirs. Pure: the workflow itself stays as it is. */
import { SkerryError } from '@skerry/contract'
import { asFormerly } from './sub.ts'
import {
  type Branch,
  defineWorkflow,
  type Element,
  mapSteps,
  membersOf,
  type Part,
  type Step,
  stepNames,
  stepNamesIn,
  stepsOf,
  type Workflow,
} from './workflow.ts'

/** Beside which step or group of the workflow, or in whose place. */
export type StepPlace = { before: string } | { after: string } | { replace: string }

export interface StepEdit {
  workflow: string
  place: StepPlace
  step: Step
}

/**
 * The workflow with these edits, in their order. What replaces a step answers for it: its output has the same schema, and later
 * steps find it under the name that they know. Throws `invalid-argument` where the place isn't there or a step of a group is
 * to be replaced by one that isn't; `internal` where the result is not well formed (`defineWorkflow`).
 */
export function withEdits(workflow: Workflow, edits: readonly StepEdit[]): Workflow {
  const mine = edits.filter((edit) => edit.workflow === workflow.name)
  if (mine.length === 0) return workflow
  return defineWorkflow({ ...workflow, steps: mine.reduce((steps, edit) => edited(workflow, steps, edit), workflow.steps) })
}

/**
 * As a job was begun that recorded these steps: with the edits whose steps it knows, and without the others; with the names that
 * it has recorded.
 */
export function asBegun(workflow: Workflow, edits: readonly StepEdit[], recorded: readonly string[]): Workflow {
  const known = new Set(stepNamesIn(recorded))
  const mine = edits.filter(({ step }) => known.has(step.name))
  return asFormerly(withEdits(workflow, mine), known)
}

/**
 * For undoing with nobody asked but the graph: the steps that a job recorded, in its order. What isn't known here is the step of a
 * plugin, which leaves nothing in the graph.
 */
export function asRecorded(workflow: Workflow, recorded: readonly string[]): Workflow {
  const names = stepNamesIn(recorded)
  const known = new Map(stepsOf(asFormerly(workflow, new Set(names))).map((step) => [step.name, step]))
  const steps = recorded.map((record, i): Step => {
    const name = names[i]!
    const version = Number(record.slice(name.length + 1) || 1)
    return known.get(name) ?? { name, version, do: () => {}, noUndo: 'nobody knows it here' }
  })
  return { ...workflow, steps }
}

/** Is it the step that somebody means by that name: its own, or one from before? */
export const isNamed = (step: Step, name: string) => [step.name, step.standsFor, step.formerly].includes(name)

const holds = (element: Element | Branch, anchor: string): boolean =>
  element.name === anchor || membersOf(element).some((one) => isNamed(one, anchor))

function edited(workflow: Workflow, steps: readonly Element[], edit: StepEdit): readonly Element[] {
  const { place, step } = edit
  const anchor = 'before' in place ? place.before : 'after' in place ? place.after : place.replace
  const at = steps.findIndex((element) => holds(element, anchor))
  const element = steps[at]
  if (element === undefined) {
    const message = `step ${step.name} has no place in workflow ${workflow.name}: there is no step ${anchor}`
    throw new SkerryError('invalid-argument', message, { workflow: workflow.name, step: anchor, allowed: stepNames(workflow) })
  }
  const inBranch = (member: Step | Branch): member is Branch =>
    'branch' in member && member.name !== anchor && holds(member, anchor)
  if ('parallel' in element && element.parallel.some(inBranch)) {
    const members = element.parallel.map((member) =>
      inBranch(member) ? { ...member, branch: edited(workflow, member.branch, edit) } : member,
    )
    return [...steps.slice(0, at), { ...element, parallel: members }, ...steps.slice(at + 1)]
  }
  // What is put beside a step of a part stands in that part too, which stays in one piece.
  const parts = sharedParts(element)
  const added = parts.length > 0 ? { ...step, parts } : step
  if ('before' in place) return [...steps.slice(0, at), added, ...steps.slice(at)]
  if ('after' in place) return [...steps.slice(0, at + 1), added, ...steps.slice(at + 1)]
  return [
    ...steps.slice(0, at),
    ...mapSteps([element], (one) => (isNamed(one, anchor) ? standIn(one, step) : one)),
    ...steps.slice(at + 1),
  ]
}

/** The parts that all its steps stand in, the outermost first. */
export function sharedParts(element: Element | Branch): readonly Part[] {
  const [first, ...others] = membersOf(element).map(({ parts = [] }) => parts)
  const differs = first!.findIndex(({ as }, i) => others.some((parts) => parts[i]?.as !== as))
  return differs < 0 ? first! : first!.slice(0, differs)
}

/** A step in the place of another: it answers for that one's output. */
export function standIn(old: Step, by: Step): Step {
  const { output = by.output, when = by.when, parts } = old
  const taken = { ...(output ? { output } : {}), ...(when ? { when } : {}), ...(parts ? { parts } : {}) }
  return { ...by, ...taken, standsFor: old.standsFor ?? old.name }
}
