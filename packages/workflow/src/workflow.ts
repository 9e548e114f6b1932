// biome-ignore-all lint/suspicious/noExplicitAny: workflows of all inputs and worlds stand in one list
// biome-ignore-all lint/suspicious/noConfusingVoidType: a step without output or change returns nothing at all
/** What a workflow is: a versioned list of named steps, each with its undo beside its do. Data and functions; nothing runs here. */
import type { Change, ErrorBody, Progress, Row } from '@skerry/contract'
import { SkerryError } from '@skerry/contract'
import type { z } from 'zod'

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
}

export interface ParallelGroup<I = any, W = any> {
  name: string
  parallel: readonly Step<I, W>[]
}

export interface Workflow<I = any, W = any> {
  /** `<noun>.<verb>` */
  name: string
  /** Raised when steps change: a job begun by another version is not guessed at. */
  version: number
  input: z.ZodType<I>
  steps: readonly (Step<I, W> | ParallelGroup<I, W>)[]
  /** Committed with the end of the job: finishing is the same commit as the effect. A failure here undoes the job. */
  finish?(ctx: EndContext<I, W>): Maybe<{ change?: Change; result?: Row }>
  /** Committed with the failure of the job, after all undo: sets back what the acceptance of the call had set. */
  fail?(ctx: EndContext<I, W>, error: ErrorBody): Maybe<{ change?: Change }>
}

/** Steps that run at the same time, each journaled by itself. When one fails, the others are awaited, then all are undone. */
export function parallel<I, W>(name: string, steps: readonly Step<I, W>[]): ParallelGroup<I, W> {
  return { name, parallel: steps }
}

/** The steps of one element of a workflow: those of a group, or the step itself. */
export function membersOf<I, W>(element: Step<I, W> | ParallelGroup<I, W>): readonly Step<I, W>[] {
  return 'parallel' in element ? element.parallel : [element]
}

/** Every step in order, groups flattened. */
export function stepsOf<I, W>(workflow: Workflow<I, W>): Step<I, W>[] {
  return workflow.steps.flatMap((element) => membersOf(element))
}

/** What a job records when it is accepted (`Journal.load().steps`), and what is compared when it is resumed. */
export function stepNames(workflow: Workflow): string[] {
  return stepsOf(workflow).map((step) => step.name)
}

const STEP_NAME = /^[a-zA-Z][a-zA-Z0-9]*(-[a-zA-Z0-9]+)*$/

/** Checks a workflow and returns it. Throws `internal` (a defect of its author) when a name repeats or an undo is missing. */
export function defineWorkflow<I, W>(workflow: Workflow<I, W>): Workflow<I, W> {
  const bad = (why: string) => new SkerryError('internal', `workflow ${workflow.name} is not well formed: ${why}`)
  if (workflow.name === '') throw bad('it has no name')
  if (!Number.isInteger(workflow.version) || workflow.version < 1) throw bad('its version must be a positive integer')
  const names = new Set<string>()
  for (const element of workflow.steps) if (membersOf(element).length === 0) throw bad(`group ${element.name} is empty`)
  for (const step of stepsOf(workflow)) {
    if (!STEP_NAME.test(step.name) || step.name.length > 64) throw bad(`'${step.name}' is no name of a step`)
    if (names.has(step.name)) throw bad(`two steps are named ${step.name}`)
    names.add(step.name)
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
