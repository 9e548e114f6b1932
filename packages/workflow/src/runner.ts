// biome-ignore-all lint/suspicious/noExplicitAny: workflows of all inputs and worlds stand in one list
/**
 * Runs jobs from wherever their journal says. It holds nothing that matters: killed at any point, a new runner over the same
 * journal brings the job to the same end.
 */
import { type ErrorBody, type Progress, SkerryError } from '@skerry/contract'
import { goBack } from './backward.ts'
import { defaultLimits, type Engine, type Execution, Halt, type Limits, must } from './execution.ts'
import { failureAt, failureOf, notesOf, upgradeStuckAt, withNotes } from './failure.ts'
import { goForward, underWay } from './forward.ts'
import type { JobRecord, Journal } from './journal.ts'
import { resume } from './resume.ts'
import type { Workflow } from './workflow.ts'

export interface RunnerPorts<W = any> {
  /** By the name that a job recorded; or what finds the workflow as the job was begun, and throws why it can't be. */
  workflows:
    | ReadonlyMap<string, Workflow<any, W>>
    | Readonly<Record<string, Workflow<any, W>>>
    | ((job: JobRecord) => Workflow<any, W> | undefined)
  world: W
  journal: Journal
  /** Epoch milliseconds, as the deadlines of jobs. */
  clock: { now(): number }
  /** Resolves after so many milliseconds. */
  sleep(ms: number): Promise<void>
  onProgress?: (job: string, step: string, progress: Progress) => void
  /** Is the job to go back at its next step? Once true, it stays so. */
  canceled?: (job: string) => boolean
  limits?: Partial<Limits>
}

export interface Runner {
  /**
   * Carries a job on: fresh, forward, or its undo. Resolves when it is done, failed or stuck, at once when it was already;
   * a job that is running is not begun twice. Rejects when this process can't go on with it (`store-stopped`, `stale-epoch`,
   * drained: `not-ready`): nothing is lost, the job goes on from its journal at the next start or at its new owner.
   */
  run(job: string): Promise<void>
  /** Undoes a stuck job further. Settles as `run`; rejects with `illegal-state` when the job is not stuck. */
  retry(job: string): Promise<void>
  readonly active: number
  /** From now on no step begins; resolves when those under way have ended and been journaled. */
  drain(): Promise<void>
  /** Resolves when no job is running. */
  idle(): Promise<void>
}

/** A runner over the given journal. Workflows are looked up by the name that the job recorded. */
export function createRunner<W>(ports: RunnerPorts<W>): Runner {
  const running = new Map<string, Promise<void>>()
  let draining = false
  const { workflows } = ports
  const find: Find = (job) => {
    if (typeof workflows === 'function') return workflows(job)
    const { workflow: name } = job
    return workflows instanceof Map ? workflows.get(name) : Object.entries(workflows).find(([key]) => key === name)?.[1]
  }
  const engine: Engine = { ...ports, limits: { ...defaultLimits, ...ports.limits }, draining: () => draining }
  const enter = (job: string, retrying: boolean): Promise<void> => {
    const there = running.get(job)
    if (there) return there
    const run = carryOn(engine, find, { job, retrying }).finally(() => running.delete(job))
    running.set(job, run)
    return run
  }
  const idle = async () => {
    while (running.size > 0) await Promise.allSettled(running.values())
  }
  return {
    run: (job) => enter(job, false),
    retry: (job) => enter(job, true),
    get active() {
      return running.size
    },
    drain: () => {
      draining = true
      return idle()
    },
    idle,
  }
}

type Find = (job: JobRecord) => Workflow | undefined

async function carryOn(engine: Engine, find: Find, { job, retrying }: { job: string; retrying: boolean }): Promise<void> {
  const record = engine.journal.load(job)
  if (record === undefined) throw new SkerryError('not-found', `cannot run job ${job}: the journal does not know it`, { job })
  if (retrying && record.state !== 'stuck')
    throw new SkerryError('illegal-state', `cannot retry job ${job}: it is ${record.state}, not stuck`, {
      job,
      state: record.state,
    })
  if (!retrying && record.state !== 'processing' && record.state !== 'undoing') return
  try {
    await carryOnFrom(engine, found(find, record), { job, record })
  } catch (error) {
    throw error instanceof Halt ? error.cause : error
  }
}

/** The workflow, or why there is none that the job could go on by. */
function found(find: Find, record: JobRecord): Workflow | string {
  try {
    return find(record) ?? `there is no workflow ${record.workflow} any more`
  } catch (error) {
    if (!(error instanceof SkerryError)) throw error
    return error.message
  }
}

async function carryOnFrom(
  engine: Engine,
  workflow: Workflow | string,
  { job, record }: { job: string; record: JobRecord },
): Promise<void> {
  const execution = resume(engine, job, record, workflow)
  if ('why' in execution) {
    const { step, why } = execution
    const failure = record.state !== 'processing' && record.error ? failureOf(record.state, record.error) : undefined
    return must(engine.journal.stuck(job, upgradeStuckAt({ job, workflow: record.workflow, step }, why, failure), step))
  }
  if (record.state === 'undoing') return goBack(execution, recordedFailure(execution))
  if (record.state === 'stuck') return turnBack(execution, recordedFailure(execution))
  const failed = await goForward(execution)
  if (failed === undefined) return
  const failure = failureAt({ job, workflow: execution.workflow.name, step: failed.step }, failed.error)
  return turnBack(execution, withNotes(failure, { underWay: failed.underWay, attempts: 0 }))
}

async function turnBack(execution: Execution, failure: ErrorBody): Promise<void> {
  await must(execution.engine.journal.undoing(execution.job, failure))
  await goBack(execution, failure)
}

/** The failure that the journal holds. One without notes stems from an upgrade met on the way forward, so what was under way is inferred. */
function recordedFailure(execution: Execution): ErrorBody {
  const { record, job } = execution
  if (record.error === undefined)
    throw new SkerryError('internal', `job ${job} is ${record.state} without an error in its journal`, { job })
  const failure = failureOf(record.state, record.error)
  return notesOf(failure) ? failure : withNotes(failure, { underWay: underWay(execution), attempts: 0 })
}
