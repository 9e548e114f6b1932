/** The way forward: runs what the journal doesn't hold yet. Does not undo: it says what failed and what was under way. */
import { SkerryError } from '@skerry/contract'
import { type Execution, endContext, Halt, haltIfDraining, remainingMs, settle, stepContext } from './execution.ts'
import { type Branch, type Element, membersOf, type ParallelGroup, type Step } from './workflow.ts'

export interface Failed {
  step: string
  error: unknown
  /** Steps that may have had an effect without being journaled. */
  underWay: string[]
}

/** Runs the job to its end. Returns what failed, or undefined when the job is done. Throws only `Halt`. */
export async function goForward(execution: Execution): Promise<Failed | undefined> {
  const failed = await runSequence(execution, execution.workflow.steps)
  if (failed) return failed
  haltIfDraining(execution)
  if (canceled(execution)) return { step: 'finish', error: new SkerryError('job-canceled'), underWay: [] }
  return finish(execution)
}

const canceled = ({ engine, job }: Execution): boolean => engine.canceled?.(job) ?? false

/** From the last journaled element on: what lies before it and has no entry was skipped, and stays so. */
function remaining({ outputs }: Execution, elements: readonly Element[]): readonly Element[] {
  const last = elements.findLastIndex((element) => membersOf(element).some((step) => outputs.has(step.name)))
  return elements.slice(Math.max(last, 0))
}

/** Whether the step is to run: not journaled, and not skipped. */
const isDue = (execution: Execution, step: Step): boolean =>
  !execution.outputs.has(step.name) && step.when?.(stepContext(execution, step.name)) !== false

/** Names of the steps that a job may have begun without an end of theirs in the journal: of each branch the next one. */
export function underWay(execution: Execution, elements: readonly Element[] = execution.workflow.steps): string[] {
  for (const element of remaining(execution, elements)) {
    const open = ('parallel' in element ? element.parallel : [element]).flatMap((member) => {
      if ('branch' in member) return underWay(scopeOf(execution, element as ParallelGroup, member), member.branch)
      return isDue(execution, member) ? [member.name] : []
    })
    if (open.length > 0) return open
  }
  return []
}

async function runSequence(
  execution: Execution,
  elements: readonly Element[],
  stopped: () => boolean = () => false,
): Promise<Failed | undefined> {
  for (const element of remaining(execution, elements)) {
    haltIfDraining(execution)
    if (stopped()) return undefined
    const failed = 'parallel' in element ? await runGroup(execution, element, stopped) : await runOne(execution, element)
    if (failed) return failed
  }
  return undefined
}

/** What a member of a group sees: not what the others have done. */
function scopeOf(execution: Execution, group: ParallelGroup, member: Step | Branch): Execution {
  const others = new Set(group.parallel.flatMap((one) => (one === member ? [] : membersOf(one).map(({ name }) => name))))
  return { ...execution, outputs: new Map([...execution.outputs].filter(([name]) => !others.has(name))) }
}

async function runGroup(execution: Execution, group: ParallelGroup, stopped: () => boolean): Promise<Failed | undefined> {
  let broken = false
  const scopes = group.parallel.map((member) => scopeOf(execution, group, member))
  const outcomes = await Promise.allSettled(
    group.parallel.map(async (member, i) => {
      try {
        const failed =
          'branch' in member
            ? await runSequence(scopes[i]!, member.branch, () => broken || stopped())
            : await runOne(scopes[i]!, member)
        broken ||= failed !== undefined
        return failed
      } catch (error) {
        broken = true
        throw error
      }
    }),
  )
  for (const { outputs } of scopes) for (const [name, output] of outputs) execution.outputs.set(name, output)
  const failures: Failed[] = []
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') throw outcome.reason
    if (outcome.value) failures.push(outcome.value)
  }
  return failures[0] && { ...failures[0], underWay: failures.flatMap((failure) => failure.underWay) }
}

async function runOne(execution: Execution, step: Step): Promise<Failed | undefined> {
  const failed = (error: unknown): Failed => ({ step: step.name, error, underWay: [step.name] })
  if (execution.outputs.has(step.name)) return undefined
  try {
    if (!isDue(execution, step)) {
      execution.engine.journal.skipped?.(execution.job, [step.name])
      return undefined
    }
    // After a crash the step may have begun before its deadline passed, so it counts as under way.
    if (canceled(execution)) return failed(new SkerryError('job-canceled'))
    if (remainingMs(execution) <= 0) return failed(new SkerryError('deadline-exceeded'))
    await runStep(execution, step, stepContext(execution, step.name))
    return undefined
  } catch (error) {
    if (error instanceof Halt) throw error
    return failed(error)
  }
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
