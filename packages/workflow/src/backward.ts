/** The way back: undoes what was done or under way, in reverse, one at a time, and then lets the job fail. */
import { type ErrorBody, toErrorBody } from '@skerry/contract'
import { type Execution, endContext, Halt, haltIfDraining, must, settle, stepContext } from './execution.ts'
import { notesOf, stuckAt, withNotes, withoutNotes } from './failure.ts'
import { type Step, stepsOf } from './workflow.ts'

/** Undoes the job, from where the journal says, and records it as failed or stuck. `failure` carries the notes. Throws only `Halt`. */
export async function goBack(execution: Execution, failure: ErrorBody): Promise<void> {
  const { engine, job, workflow } = execution
  for (const step of toUndo(execution, failure)) {
    haltIfDraining(execution)
    if (!(await insist(execution, failure, { step: step.name, act: (attempt) => undoStep(execution, step, attempt) }))) return
  }
  const failed = withoutNotes(failure)
  const act = () =>
    settle(
      execution,
      async () => (await workflow.fail?.(endContext(execution, true), failed)) ?? {},
      ({ change }) => engine.journal.failed(job, failed, change),
    )
  await insist(execution, failure, { step: 'fail', act })
}

function toUndo({ workflow, record, outputs }: Execution, failure: ErrorBody): Step[] {
  const begun = new Set([...outputs.keys(), ...(notesOf(failure)?.underWay ?? [])])
  const undone = new Set(record.undone)
  return stepsOf(workflow)
    .filter((step) => step.undo !== undefined && begun.has(step.name) && !undone.has(step.name))
    .reverse()
}

async function undoStep(execution: Execution, step: Step, attempt: number): Promise<void> {
  const { engine, job } = execution
  await settle(
    execution,
    async () => (await step.undo?.(stepContext(execution, step.name, attempt))) ?? {},
    ({ change }) => engine.journal.stepUndone(job, step.name, change),
  )
}

interface Effort {
  step: string
  act(attempt: number): Promise<void>
}

/** Tries until it succeeds; records the job as stuck, and answers false, when waiting can't help or has not helped. */
async function insist(execution: Execution, failure: ErrorBody, { step, act }: Effort): Promise<boolean> {
  const { engine, job, workflow } = execution
  const { undoRetries, undoBackoffMs, undoBackoffMaxMs } = engine.limits
  const notes = notesOf(failure) ?? { underWay: [], attempts: 0 }
  for (let tries = 1; ; tries++) {
    try {
      await act(notes.attempts + tries)
      return true
    } catch (error) {
      if (error instanceof Halt) throw error
      if (toErrorBody(error).retry !== 'later' || tries > undoRetries) {
        const kept = withNotes(failure, { ...notes, attempts: notes.attempts + tries })
        await must(engine.journal.stuck(job, stuckAt({ job, workflow: workflow.name, step }, error, kept), step))
        return false
      }
    }
    await engine.sleep(Math.min(undoBackoffMs * 2 ** (tries - 1), undoBackoffMaxMs))
    haltIfDraining(execution)
  }
}
