/** Faults for `prove()`: steps that fail or repeat, and a journal whose process dies at a chosen point. */
import { SkerryError } from '@skerry/contract'
import type { Journal } from './journal.ts'
import { mapSteps, type Step, type StepContext, type Workflow } from './workflow.ts'

type Do = Step['do']
type Undo = NonNullable<Step['undo']>

export interface StepFaults {
  do?(step: string, original: Do): Do
  undo?(step: string, original: Undo): Undo
  /** The end fails, so that every step is undone. */
  finish?: boolean
}

const planted = (where: string) => new SkerryError('internal', `prove() planted a failure ${where}`)

/** The workflow with its steps replaced as `faults` says. */
export function withFaults(workflow: Workflow, faults: StepFaults): Workflow {
  const changed = (step: Step): Step => ({
    ...step,
    do: faults.do?.(step.name, (ctx) => step.do(ctx)) ?? ((ctx) => step.do(ctx)),
    ...(step.undo
      ? { undo: faults.undo?.(step.name, (ctx) => step.undo?.(ctx)) ?? ((ctx: StepContext) => step.undo?.(ctx)) }
      : {}),
    ...(step.when ? { when: (ctx: StepContext) => step.when!(ctx) } : {}),
  })
  const finish = () => {
    throw planted('at the end')
  }
  return {
    ...workflow,
    steps: mapSteps(workflow.steps, changed),
    finish: faults.finish ? finish : (ctx) => workflow.finish?.(ctx) ?? {},
    fail: (ctx, error) => workflow.fail?.(ctx, error) ?? {},
  }
}

/** Step `at` fails before it has done anything. */
export const failsBefore = (at: string): StepFaults => ({
  do: (step, original) => async (ctx) => {
    if (step === at) throw planted(`before step ${at}`)
    return original(ctx)
  },
})

/** Step `at` has its effect and fails then; its change is not committed. */
export const failsAfter = (at: string): StepFaults => ({
  do: (step, original) => async (ctx) => {
    const result = await original(ctx)
    if (step === at) throw planted(`after step ${at}`)
    return result
  },
})

/** Step `at` runs twice, as after a crash before its journal entry: only the second run's change is committed. */
export const repeatsDo = (at: string): StepFaults => ({
  do: (step, original) => async (ctx) => {
    if (step === at) await original(ctx)
    return original(ctx)
  },
})

/** All steps are undone, and the undo of `at` runs twice. */
export const repeatsUndo = (at: string): StepFaults => ({
  finish: true,
  undo: (step, original) => async (ctx) => {
    if (step === at) await original(ctx)
    return original(ctx)
  },
})

/** The process has died: nothing is recorded from here on. */
export class Crash extends Error {
  constructor(where: string) {
    super(`prove() killed the process ${where}`)
  }
}

export interface MortalJournal extends Journal {
  /** Where the process died; undefined while it lives. */
  readonly died: string | undefined
}

/** A journal whose process dies at the `at`th point (from 0), where each record has two: just before and just after it is made. */
export function mortalJournal(journal: Journal, at: number): MortalJournal {
  let point = 0
  let died: string | undefined
  const step = (where: string) => {
    if (died === undefined && point++ === at) died = where
    if (died !== undefined) throw new Crash(died)
  }
  const record = async (what: string, write: () => Promise<void>) => {
    step(`before '${what}' is recorded`)
    await write()
    step(`after '${what}' is recorded`)
  }
  return {
    get died() {
      return died
    },
    load: (job) => journal.load(job),
    begun: (job, name) => record(`${name} begun`, () => journal.begun(job, name)),
    skipped: (job, names) => journal.skipped?.(job, names),
    stepDone: (job, name, output, change) => record(`${name} done`, () => journal.stepDone(job, name, output, change)),
    stepUndone: (job, name, change) => record(`${name} undone`, () => journal.stepUndone(job, name, change)),
    undoing: (job, error) => record('undoing', () => journal.undoing(job, error)),
    finished: (job, result, change) => record('finished', () => journal.finished(job, result, change)),
    failed: (job, error, change) => record('failed', () => journal.failed(job, error, change)),
    stuck: (job, error, name) => record('stuck', () => journal.stuck(job, error, name)),
  }
}
