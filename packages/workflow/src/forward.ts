/** The way forward: runs what the journal doesn't hold yet. Does not undo: it says what failed and what was under way. */
import { SkerryError } from '@skerry/contract'
import { type Execution, endContext, Halt, haltIfDraining, remainingMs, settle, stepContext } from './execution.ts'
import { membersOf, type ParallelGroup, type Step } from './workflow.ts'

export interface Failed {
  step: string
  error: unknown
  /** Steps that may have had an effect without being journaled. */
  underWay: string[]
}

/** Runs the job to its end. Returns what failed, or undefined when the job is done. Throws only `Halt`. */
export async function goForward(execution: Execution): Promise<Failed | undefined> {
  for (const element of remaining(execution)) {
    haltIfDraining(execution)
    const failed = await runElement(execution, element)
    if (failed) return failed
  }
  haltIfDraining(execution)
  if (canceled(execution)) return { step: 'finish', error: new SkerryError('job-canceled'), underWay: [] }
  return finish(execution)
}

const canceled = ({ engine, job }: Execution): boolean => engine.canceled?.(job) ?? false

/** From the last journaled element on: what lies before it and has no entry was skipped, and stays so. */
export function remaining({ workflow, outputs }: Execution): (Step | ParallelGroup)[] {
  const last = workflow.steps.findLastIndex((element) => membersOf(element).some((step) => outputs.has(step.name)))
  return workflow.steps.slice(Math.max(last, 0))
}

/** Members of an element that are to run: not journaled, and not skipped. */
export function dueMembers(execution: Execution, element: Step | ParallelGroup): Step[] {
  return membersOf(element).filter(
    (step) => !execution.outputs.has(step.name) && step.when?.(stepContext(execution, step.name)) !== false,
  )
}

async function runElement(execution: Execution, element: Step | ParallelGroup): Promise<Failed | undefined> {
  let due: Step[]
  try {
    due = dueMembers(execution, element)
  } catch (error) {
    const open = membersOf(element).filter((step) => !execution.outputs.has(step.name))
    return { step: element.name, error, underWay: open.map((step) => step.name) }
  }
  const skipped = membersOf(element).filter((step) => !due.includes(step) && !execution.outputs.has(step.name))
  if (skipped.length > 0)
    execution.engine.journal.skipped?.(
      execution.job,
      skipped.map((step) => step.name),
    )
  const [first] = due
  if (first === undefined) return undefined
  // After a crash the step may have begun before its deadline passed, so it counts as under way.
  const underWay = due.map((step) => step.name)
  if (canceled(execution)) return { step: first.name, error: new SkerryError('job-canceled'), underWay }
  if (remainingMs(execution) <= 0) return { step: first.name, error: new SkerryError('deadline-exceeded'), underWay }
  const contexts = due.map((step) => stepContext(execution, step.name))
  const outcomes = await Promise.allSettled(due.map((step, i) => runStep(execution, step, contexts[i]!)))
  const failures = outcomes.flatMap((o, i) =>
    o.status === 'rejected' ? [{ step: due[i]!.name, error: o.reason as unknown }] : [],
  )
  const halt = failures.find(({ error }) => error instanceof Halt)
  if (halt) throw halt.error
  return failures[0] && { ...failures[0], underWay: failures.map(({ step }) => step) }
}

async function runStep(execution: Execution, step: Step, context: ReturnType<typeof stepContext>): Promise<void> {
  const { engine, job, outputs } = execution
  await engine.journal.begun(job, step.name)
  await settle(
    execution,
    async () => {
      const result = (await step.do(context)) ?? {}
      return { ...result, output: checkedOutput(step, result.output) }
    },
    async ({ output, change }) => {
      await engine.journal.stepDone(job, step.name, output, change)
      outputs.set(step.name, output)
    },
  )
}

function checkedOutput(step: Step, output: unknown): unknown {
  if (step.output === undefined) return output
  const parsed = step.output.safeParse(output)
  if (parsed.success) return parsed.data
  throw new SkerryError('internal', `the output of step ${step.name} does not fit its schema`, {}, { cause: parsed.error })
}

async function finish(execution: Execution): Promise<Failed | undefined> {
  const { engine, job, workflow } = execution
  try {
    await settle(
      execution,
      async () => (await workflow.finish?.(endContext(execution, false))) ?? {},
      ({ result, change }) => engine.journal.finished(job, result ?? {}, change),
    )
    return undefined
  } catch (error) {
    if (error instanceof Halt) throw error
    return { step: 'finish', error, underWay: [] }
  }
}
