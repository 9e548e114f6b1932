/** The journal of workflows: the log itself. A step's end and its effect are one commit. */
import { type Change, type ErrorBody, type Op, type Row, SkerryError } from '@skerry/contract'
import type { JobRecord, JobState, Journal } from '@skerry/workflow'
import { withoutHosts } from '../place/told.ts'
import type { State } from './state.ts'

export interface JournalPorts {
  state: State
  now(): number
  begun(job: string, step: string): void
}

const stepKey = (job: string, step: string) => `${job}/${step}`

export class LogJournal implements Journal {
  readonly #p: JournalPorts
  /** by job: passed over since its last commit */
  readonly #skipped = new Map<string, string[]>()

  constructor(ports: JournalPorts) {
    this.#p = ports
  }

  load(job: string): JobRecord | undefined {
    const { graph } = this.#p.state
    const row = graph.get('job', job)
    if (!row) return undefined
    const done: Record<string, { output: unknown }> = {}
    const undone: string[] = []
    for (const key of graph.by('jobStep', 'jobUuid', job)) {
      const step = graph.get('jobStep', key)!
      const wasUndone = step['state'] === 'undone'
      if (wasUndone) undone.push(step['step'] as string)
      // The step that failed is undone too, and it has no output that anybody could read.
      if (!wasUndone || step['output'] !== null) done[step['step'] as string] = { output: step['output'] }
    }
    return {
      workflow: row['workflow'] as string,
      version: row['version'] as number,
      steps: row['steps'] as string[],
      ...(row['declared'] ? { declared: row['declared'] } : {}),
      input: row['input'],
      state: row['state'] as JobState,
      done,
      undone,
      ...(row['error'] ? { error: row['error'] as ErrorBody } : {}),
      deadline: (row['deadline'] as number | null) ?? null,
    }
  }

  /** A commit of its own would cost more than it tells. */
  skipped(job: string, steps: readonly string[]): void {
    this.#skipped.set(job, [...(this.#skipped.get(job) ?? []), ...steps])
  }

  /** Only for display, so it need not be durable. */
  async begun(job: string, step: string): Promise<void> {
    this.#p.begun(job, step)
  }

  stepDone(job: string, step: string, output: unknown, change?: Change): Promise<void> {
    const ops: Op[] = [
      {
        o: 'put',
        t: 'jobStep',
        k: stepKey(job, step),
        v: { uuid: stepKey(job, step), jobUuid: job, step, state: 'done', output: output ?? null },
      },
      { o: 'set', t: 'job', k: job, v: { step } },
    ]
    return this.#commit(job, ops, change)
  }

  stepUndone(job: string, step: string, change?: Change): Promise<void> {
    const key = stepKey(job, step)
    const old = this.#p.state.graph.get('jobStep', key)
    const op: Op = {
      o: 'put',
      t: 'jobStep',
      k: key,
      v: { uuid: key, jobUuid: job, step, state: 'undone', output: old?.['output'] ?? null },
    }
    return this.#commit(job, [op], change, true)
  }

  undoing(job: string, error: ErrorBody): Promise<void> {
    return this.#commit(
      job,
      [{ o: 'set', t: 'job', k: job, v: { state: 'undoing', error: this.#told(job, error) } }],
      undefined,
      true,
    )
  }

  /** Also on a full disk: all its work is done, and a deletion makes room. */
  async finished(job: string, result: Row, change?: Change): Promise<void> {
    const now = this.#p.now()
    await this.#commit(
      job,
      [{ o: 'set', t: 'job', k: job, v: { state: 'done', result, finishedAt: now, lastOpDate: now } }, ...this.#forgetSteps(job)],
      change,
      true,
    )
  }

  async failed(job: string, error: ErrorBody, change?: Change): Promise<void> {
    const now = this.#p.now()
    await this.#commit(
      job,
      [
        { o: 'set', t: 'job', k: job, v: { state: 'failed', error: this.#told(job, error), finishedAt: now, lastOpDate: now } },
        ...this.#forgetSteps(job),
        ...this.#tagsOfNothing(job),
      ],
      change,
      true,
    )
  }

  /** A creation that failed before its row was there has left the tags that were accepted with it. */
  #tagsOfNothing(job: string): Op[] {
    const { graph } = this.#p.state
    const { resourceUuid, resourceType } = graph.get('job', job) as { resourceUuid: string; resourceType: string | null }
    if (!resourceType || graph.get(resourceType, resourceUuid)) return []
    return [...graph.by('tag', 'resourceUuid', resourceUuid)].map((k) => ({ o: 'del', t: 'tag', k }))
  }

  async stuck(job: string, error: ErrorBody, step: string): Promise<void> {
    const facts = [{ noun: 'job', uuid: job, event: 'stuck', data: { step, code: error.code } }]
    await this.#commit(
      job,
      [{ o: 'set', t: 'job', k: job, v: { state: 'stuck', step, error: this.#told(job, error) } }],
      { ops: [], facts },
      true,
    )
  }

  /** A job can be asked for by whoever knows its id, so it says from the beginning only what its account may know. */
  #told(job: string, error: ErrorBody): Row {
    const { graph } = this.#p.state
    const account = graph.get('account', graph.get('job', job)?.['accountUuid'] as string)
    return (account?.['type'] === 'Normal' ? withoutHosts(error) : error) as unknown as Row
  }

  #forgetSteps(job: string): Op[] {
    return [...this.#p.state.graph.by('jobStep', 'jobUuid', job)].map((k) => ({ o: 'del', t: 'jobStep', k }))
  }

  async #commit(job: string, ops: Op[], change: Change | undefined, urgent = false): Promise<void> {
    const row = this.#p.state.graph.get('job', job)
    if (!row) throw new SkerryError('internal', `job ${job} is not in the log`, { job })
    const skipped = this.#skipped.get(job)
    await this.#p.state.commit(
      {
        guards: change?.guards ?? [],
        ops: [...(change?.ops ?? []), ...(skipped ? withSkipped(row, skipped, ops) : ops)],
        facts: change?.facts ?? [],
      },
      { actor: row['accountUuid'] as string, job, urgent },
    )
    if (skipped === this.#skipped.get(job)) this.#skipped.delete(job)
  }
}

/** The write of the job's own row says too which steps were passed over. */
function withSkipped(row: Readonly<Row>, skipped: readonly string[], ops: readonly Op[]): Op[] {
  const all = [...new Set([...((row['skipped'] as string[] | undefined) ?? []), ...skipped])]
  return ops.map((op) => (op.t === 'job' && op.o === 'set' ? { ...op, v: { ...op.v, skipped: all } } : op))
}
