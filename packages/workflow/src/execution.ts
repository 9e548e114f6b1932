/** One job under way in this process: what its steps see, and how a decision gets into the journal. */
import type { Progress } from '@skerry/contract'
import { SkerryError } from '@skerry/contract'
import { commandIdOf } from './command-id.ts'
import type { JobRecord, Journal } from './journal.ts'
import { type EndContext, type StepContext, stepsOf, type Workflow } from './workflow.ts'

export interface Limits {
  /** How often a step is decided anew because its commit met a conflict. */
  conflicts: number
  /** How often an undo is tried again after an error of retry `later`, and the first and longest wait between. */
  undoRetries: number
  undoBackoffMs: number
  undoBackoffMaxMs: number
  /** What `remainingMs` says while undoing, which no deadline limits. */
  undoMs: number
  /** The most that `remainingMs` says otherwise. */
  stepMs: number
}

/** Undo waits 0.5, 1, 2, … 16 s: half a minute covers the restart of an agent. */
export const defaultLimits: Limits = {
  conflicts: 20,
  undoRetries: 6,
  undoBackoffMs: 500,
  undoBackoffMaxMs: 30_000,
  undoMs: 600_000,
  stepMs: 24 * 3_600_000,
}

export interface Engine {
  world: unknown
  journal: Journal
  clock: { now(): number }
  sleep(ms: number): Promise<void>
  onProgress?: (job: string, step: string, progress: Progress) => void
  /** Whether the job is to go back at its next step. */
  canceled?: (job: string) => boolean
  limits: Limits
  /** Whether no further step may begin. */
  draining(): boolean
}

export interface Execution {
  engine: Engine
  job: string
  record: JobRecord
  workflow: Workflow
  input: unknown
  /** Finished steps, including those that finished in this process. */
  outputs: Map<string, unknown>
}

/** The job cannot be carried on by this process; the journal stays as it is. Its cause says why. */
export class Halt extends Error {
  constructor(cause: unknown) {
    super('the job halts', { cause })
  }
}

/** Throws `Halt` when no further step may begin. */
export function haltIfDraining({ engine, job }: Execution): void {
  if (engine.draining())
    throw new Halt(new SkerryError('not-ready', `job ${job} halts between two steps and goes on at the next start`, { job }))
}

/** Milliseconds to the deadline of the job, ≤ 0 when it has passed. */
export function remainingMs({ engine, record }: Execution): number {
  const deadline = record.deadline ?? Number.POSITIVE_INFINITY
  return Math.floor(Math.min(deadline - engine.clock.now(), engine.limits.stepMs))
}

/** What `finish` and `fail` see. */
export function endContext(execution: Execution, undoing: boolean): EndContext {
  const { engine, job, input } = execution
  return {
    job,
    input,
    outputs: outputsOf(execution),
    world: engine.world,
    undoing,
    remainingMs: () => (undoing ? engine.limits.undoMs : remainingMs(execution)),
  }
}

/** By step name; what a step says that replaces another, under both names. */
function outputsOf({ workflow, outputs }: Execution): Record<string, unknown> {
  const stand = stepsOf(workflow).filter(({ name, standsFor }) => standsFor !== undefined && outputs.has(name))
  return Object.fromEntries([...outputs, ...stand.map(({ name, standsFor }) => [standsFor!, outputs.get(name)] as const)])
}

/** What a step sees; `undoAttempt` 0 is its `do`. */
export function stepContext(execution: Execution, step: string, undoAttempt = 0): StepContext {
  const { engine, job } = execution
  return {
    ...endContext(execution, undoAttempt > 0),
    commandId: commandIdOf(job, step, undoAttempt),
    progress: (progress) => engine.onProgress?.(job, step, progress),
  }
}

/** Decides and records, and decides anew as long as the record meets a conflict: the graph has moved meanwhile. */
export async function settle<T>(
  { engine }: Execution,
  decide: () => Promise<T>,
  write: (decision: T) => Promise<void>,
): Promise<void> {
  for (let again = 0; ; again++) {
    const decision = await decide()
    try {
      return await write(decision)
    } catch (error) {
      const code = error instanceof SkerryError ? error.code : undefined
      if (code === 'store-stopped' || code === 'stale-epoch') throw new Halt(error)
      if (code !== 'conflict' || again >= engine.limits.conflicts) throw error
    }
  }
}

/** A record without which the job can't go on: whatever prevents it halts the job. */
export async function must(write: Promise<void>): Promise<void> {
  try {
    await write
  } catch (error) {
    throw new Halt(error)
  }
}
