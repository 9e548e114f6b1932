/** A journal in memory, for tests and `prove()`. Its changes go through a given commit, so they can land in a real graph. */
import { isDeepStrictEqual } from 'node:util'
import { type Change, type ErrorBody, type Row, SkerryError } from '@skerry/contract'
import type { JobRecord, JobState, Journal } from './journal.ts'
import { stepRecords, type Workflow } from './workflow.ts'

export interface MemoryJournal extends Journal {
  /** Records a job as accepted and not begun. */
  accept(job: string, workflow: Workflow, input: unknown, deadline?: number): void
  /** What `finished` recorded. */
  result(job: string): Row | undefined
}

interface Entry extends JobRecord {
  done: Record<string, { output: unknown }>
  undone: string[]
  skipped: string[]
  result?: Row
}

/** `commit` applies a change or throws (`conflict`, …) and has then changed nothing. Outputs, as in a real journal, must be JSON. */
export function memoryJournal(commit: (change: Change, job: string) => Promise<void>): MemoryJournal {
  const jobs = new Map<string, Entry>()
  const entry = (job: string) => {
    const found = jobs.get(job)
    if (found === undefined) throw new SkerryError('not-found', `the journal does not know job ${job}`, { job })
    return found
  }
  const apply = async (job: string, change: Change | undefined) => {
    entry(job)
    if (change) await commit(change, job)
  }
  const end = (job: string, state: JobState, error: ErrorBody) => Object.assign(entry(job), { state, error: asJson(error) })
  return {
    accept: (job, workflow, input, deadline) => {
      const { name, version, declared } = workflow
      jobs.set(job, {
        workflow: name,
        version,
        steps: stepRecords(workflow),
        ...(declared ? { declared: asJson(declared) } : {}),
        input: asJson(input),
        state: 'processing',
        done: {},
        undone: [],
        skipped: [],
        deadline,
      })
    },
    result: (job) => jobs.get(job)?.result,
    load: (job) => structuredClone(jobs.get(job)),
    begun: async (job) => void entry(job),
    skipped: (job, steps) => void entry(job).skipped.push(...steps),
    stepDone: async (job, step, output, change) => {
      const recorded = checkedJson(step, output)
      await apply(job, change)
      entry(job).done[step] = { output: recorded }
    },
    stepUndone: async (job, step, change) => {
      await apply(job, change)
      entry(job).undone.push(step)
    },
    undoing: async (job, error) => void end(job, 'undoing', error),
    finished: async (job, result, change) => {
      const recorded = asJson(result)
      await apply(job, change)
      Object.assign(entry(job), { state: 'done', result: recorded })
    },
    failed: async (job, error, change) => {
      await apply(job, change)
      end(job, 'failed', error)
    },
    stuck: async (job, error) => void end(job, 'stuck', error),
  }
}

function asJson<T>(value: T): T {
  return value === undefined ? value : JSON.parse(JSON.stringify(value))
}

/** What reads back otherwise than it was written would make a resumed job differ from one that ran through. */
function checkedJson(step: string, output: unknown): unknown {
  const recorded = asJson(output)
  if (isDeepStrictEqual(recorded, output)) return recorded
  throw new SkerryError('internal', `the output of step ${step} is not plain JSON`, { step })
}
