/** The journal as a port: what is known of a job, and how the runner adds to it. The controller's is the log itself. */
import type { Change, ErrorBody, Row } from '@skerry/contract'

export type JobState = 'processing' | 'undoing' | 'done' | 'failed' | 'stuck'

export interface JobRecord {
  workflow: string
  version: number
  /** `stepRecords(workflow)` when the job was accepted. */
  steps: readonly string[]
  /** `Workflow.declared` when the job was accepted. */
  declared?: unknown
  input: unknown
  state: JobState
  /** Finished steps; those undone since may be in here or not. */
  done: Readonly<Record<string, { output: unknown }>>
  undone: readonly string[]
  /** Steps that were passed over, for people to see. */
  skipped?: readonly string[]
  /** As last handed to `undoing`, `failed` or `stuck`, with all its details: the runner keeps there what it needs to resume. */
  error?: ErrorBody
  /** Epoch ms by the runner's clock; none: the job may take as long as it wants. */
  deadline?: number | null
}

/**
 * Each method but `begun` and `skipped` is durable when it resolves and has then changed everything it names, or throws and has changed
 * nothing. `conflict` means: decide anew. `store-stopped` and `stale-epoch` mean that this process can no longer record
 * anything of the job: it is left as it is, for the next start or the new owner.
 */
export interface Journal {
  /** Everything known of a job. */
  load(job: string): JobRecord | undefined
  /** For the display of progress; need not be durable. */
  begun(job: string, step: string): Promise<void>
  /** These are passed over. Recorded along with what comes next; told again after a crash before that. */
  skipped?(job: string, steps: readonly string[]): void
  stepDone(job: string, step: string, output: unknown, change?: Change): Promise<void>
  stepUndone(job: string, step: string, change?: Change): Promise<void>
  undoing(job: string, error: ErrorBody): Promise<void>
  finished(job: string, result: Row, change?: Change): Promise<void>
  failed(job: string, error: ErrorBody, change?: Change): Promise<void>
  stuck(job: string, error: ErrorBody, step: string): Promise<void>
}
