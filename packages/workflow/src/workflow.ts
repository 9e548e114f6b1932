// biome-ignore-all lint/suspicious/noExplicitAny: workflows of all inputs and worlds stand in one list
// biome-ignore-all lint/suspicious/noConfusingVoidType: a step without output or change returns nothing at all
/** What a workflow is: a versioned list of named steps, each with its undo beside its do. Data and functions; nothing runs here. */
import type { Change, ErrorBody, Progress, Row } from '@skerry/contract'
import { SkerryError } from '@skerry/contract'
import type { z } from 'zod'
import type { Declaration } from './declaration.ts'
import type { Definition } from './definition.ts'

export interface StepContext<I = any, W = any> {
  readonly job: string
  readonly input: I
  /** Outputs of earlier steps by step name, as journaled. Steps of one parallel group do not see each other's. */
  readonly outputs: Readonly<Record<string, any>>
  readonly world: W
  /** The same for every repeat of this `do`, so that an agent answers a repeat with the first result. See `commandIdOf`. */
  readonly commandId: string
  readonly undoing: boolean
  /** Milliseconds left to the job, ≤ 0 when its deadline has passed; a fixed allowance while undoing. Always finite. */
  remainingMs(): number
  progress(progress: Progress): void
}

/** What `finish` and `fail` see: they only decide what is committed, so they have no command and no progress. */
export type EndContext<I = any, W = any> = Omit<StepContext<I, W>, 'commandId' | 'progress'>

type Maybe<T> = Promise<T> | T

export interface StepResult {
  /** Journaled; plain JSON. */
  output?: unknown
  /** Committed together with the journal entry, in one commit. */
  change?: Change
}

export interface Step<I = any, W = any> {
  /** Letters, digits and inner dashes. */
  name: string
  /** Default 1. Raised when a job that began before the change must not go on by it: such a job is then stuck, not guessed at. */
  version?: number
  /** May run again when it did not get as far as the journal: acts on the same ids again, decides from the graph anew. */
  do(ctx: StepContext<I, W>): Maybe<StepResult | void>
  /** Also runs for the step that failed, wherever that stopped, and may run twice: accepts "nothing there". */
  undo?(ctx: StepContext<I, W>): Maybe<{ change?: Change } | void>
  /** Why there is nothing to undo. Exactly one of `undo` and `noUndo`. */
  noUndo?: string
  /** An output that doesn't fit is a defect when made, and makes the job stuck (`upgrade-stuck`) when read back. */
  output?: z.ZodType
  /**
   * false: the step is skipped, and not undone. Asked again after a crash, so it must decide from the input, earlier outputs,
   * and only such parts of the world as nothing but the end of this step changes.
   */
  when?(ctx: StepContext<I, W>): boolean
  /** Where it came from, when not from its workflow: `plugin <name>`, `workflow <name>`. For people. */
  from?: string
  /** The step that it replaces: later steps find its output under that name too. */
  standsFor?: string
  /** The parts that it stands in, the outermost first. See `subWorkflow`. */
  parts?: readonly Part[]
  /** What is done without it, where a declaration may skip it or leave it out. Absent: it may not. */
  optional?: string
  /**
   * Steps that must have run before it: it reads their outputs, or what they have made. Absent: all that stand before it, so that a
   * declaration can't move it past any of them.
   */
  needs?: readonly string[]
  /** The name under which jobs have recorded it before it was in a part. */
  formerly?: string
}

/** A sub-workflow in the place of a step. */
export interface Part {
  as: string
  workflow: string
  /** As `Step.needs`, of the part as a whole. */
  needs?: readonly string[]
}

export interface ParallelGroup<I = any, W = any> {
  name: string
  parallel: readonly (Step<I, W> | Branch<I, W>)[]
}

/** Of a group, what runs one after another beside its other members: a sub-workflow, for example. */
export interface Branch<I = any, W = any> {
  name: string
  branch: readonly Element<I, W>[]
}

export type Element<I = any, W = any> = Step<I, W> | ParallelGroup<I, W>

export interface Workflow<I = any, W = any> {
  /** `<noun>.<verb>` */
  name: string
  /** Raised when steps change, for people to see. Whether a job may go on is decided step by step (`stepRecords`). */
  version: number
  input: z.ZodType<I>
  steps: readonly Element<I, W>[]
  /** The declaration that it was put together by. Jobs record it. */
  declared?: Declaration | Definition
  /** Committed with the end of the job: finishing is the same commit as the effect. A failure here undoes the job. */
  finish?(ctx: EndContext<I, W>): Maybe<{ change?: Change; result?: Row }>
  /** Committed with the failure of the job, after all undo: sets back what the acceptance of the call had set. */
  fail?(ctx: EndContext<I, W>, error: ErrorBody): Maybe<{ change?: Change }>
}

/**
 * Steps that run at the same time, each journaled by itself. When one fails, the others are awaited, branches between two of their
 * steps, then all are undone.
 */
export function parallel<I, W>(name: string, members: readonly (Step<I, W> | Branch<I, W>)[]): ParallelGroup<I, W> {
  return { name, parallel: members }
}

/** A member of a group that is a sequence: `branch('network', subWorkflow(vmNetwork, { as: 'network' }))`. */
export function branch<I, W>(name: string, elements: readonly Element<I, W>[]): Branch<I, W> {
  return { name, branch: elements }
}

/** Every step of an element or branch of a workflow, in order. */
export function membersOf<I, W>(element: Element<I, W> | Branch<I, W>): readonly Step<I, W>[] {
  if ('parallel' in element) return element.parallel.flatMap((member) => membersOf(member))
  return 'branch' in element ? element.branch.flatMap((inner) => membersOf(inner)) : [element]
}

/** Every step in order, groups flattened. */
export function stepsOf<I, W>(workflow: Workflow<I, W>): Step<I, W>[] {
  return workflow.steps.flatMap((element) => membersOf(element))
}

/** The same shape with other steps; `rename`: what groups and branches are called. */
export function mapSteps<I, J, V, W>(
  elements: readonly Element<I, V>[],
  change: (step: Step<I, V>) => Step<J, W>,
  rename: (name: string) => string = (name) => name,
): Element<J, W>[] {
  return elements.map((element) => {
    if (!('parallel' in element)) return change(element)
    const members = element.parallel.map((member) =>
      'branch' in member ? { name: rename(member.name), branch: mapSteps(member.branch, change, rename) } : change(member),
    )
    return { name: rename(element.name), parallel: members }
  })
}

export function stepNames(workflow: Workflow): string[] {
  return stepsOf(workflow).map((step) => step.name)
}

/**
 * [format] What a job records when it is accepted (`Journal.load().steps`), and what is compared when it is resumed: the
 * step's name, from its second version on `name@version`.
 */
export function stepRecords(workflow: Workflow): string[] {
  return stepsOf(workflow).map(({ name, version = 1 }) => (version === 1 ? name : `${name}@${version}`))
}

/** The names of recorded steps. */
export const stepNamesIn = (records: readonly string[]): string[] => records.map((record) => record.replace(/@\d+$/, ''))

const STEP_NAME = /^[a-zA-Z][a-zA-Z0-9]*(-[a-zA-Z0-9]+)*$/

/** Name of a group or branch without any step. */
function emptyIn(elements: readonly Element[]): string | undefined {
  for (const element of elements) {
    if (!('parallel' in element)) continue
    if (element.parallel.length === 0) return element.name
    for (const member of element.parallel) {
      if (!('branch' in member)) continue
      const empty = member.branch.length === 0 ? member.name : emptyIn(member.branch)
      if (empty !== undefined) return empty
    }
  }
  return undefined
}

/** Checks a workflow and returns it. Throws `internal` (a defect of its author) when a name repeats or an undo is missing. */
export function defineWorkflow<I, W>(workflow: Workflow<I, W>): Workflow<I, W> {
  const bad = (why: string) => new SkerryError('internal', `workflow ${workflow.name} is not well formed: ${why}`)
  if (workflow.name === '') throw bad('it has no name')
  if (!Number.isInteger(workflow.version) || workflow.version < 1) throw bad('its version must be a positive integer')
  const names = new Set<string>()
  const empty = emptyIn(workflow.steps)
  if (empty !== undefined) throw bad(`group ${empty} is empty`)
  for (const step of stepsOf(workflow)) {
    if (!STEP_NAME.test(step.name) || step.name.length > 64) throw bad(`'${step.name}' is no name of a step`)
    for (const name of new Set([step.name, step.standsFor ?? step.name])) {
      if (names.has(name)) throw bad(`two steps are named ${name}`)
      names.add(name)
    }
    if (!Number.isInteger(step.version ?? 1) || (step.version ?? 1) < 1)
      throw bad(`the version of step ${step.name} must be a positive integer`)
    if ((step.undo === undefined) === (step.noUndo === undefined))
      throw bad(`step ${step.name} needs undo or noUndo, and not both`)
    if (step.noUndo?.trim() === '') throw bad(`step ${step.name} says noUndo without a reason`)
  }
  return workflow
}

/** `defineWorkflow` for workflows over one world, so that only the input has to be inferred: `const define = workflowsOver<World>()`. */
export function workflowsOver<W>(): <I>(workflow: Workflow<I, W>) => Workflow<I, W> {
  return defineWorkflow
}
