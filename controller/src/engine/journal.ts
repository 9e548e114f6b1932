/** The journal of workflows: the log itself. A step's end and its effect are one commit. */
import { type Change, type ErrorBody, type Op, type Row, SkerryError } from '@skerry/contract'
import type { JobRecord, JobState, Journal } from '@skerry/workflow'
import type { State } from './state.ts'

export interface JournalPorts {
  state: State
  now(): number
  begun(job: string, step: string): void
}

const stepKey = (job: string, step: string) => `${job}/${step}`

export class LogJournal implements Journal {
  readonly #p: JournalPorts

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
      done[step['step'] as string] = { output: step['output'] }
      if (step['state'] === 'undone') undone.push(step['step'] as string)
    }
    return {
      workflow: row['workflow'] as string,
      version: row['version'] as number,
      steps: row['steps'] as string[],
      input: row['input'],
      state: row['state'] as JobState,
      done,
      undone,
      ...(row['error'] ? { error: row['error'] as ErrorBody } : {}),
      deadline: (row['deadline'] as number | null) ?? null,
    }
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
      [{ o: 'set', t: 'job', k: job, v: { state: 'undoing', error: error as unknown as Row } }],
      undefined,
      true,
    )
  }

  async finished(job: string, result: Row, change?: Change): Promise<void> {
    const now = this.#p.now()
    await this.#commit(
      job,
      [{ o: 'set', t: 'job', k: job, v: { state: 'done', result, finishedAt: now, lastOpDate: now } }, ...this.#forgetSteps(job)],
      change,
    )
  }

  async failed(job: string, error: ErrorBody, change?: Change): Promise<void> {
    const now = this.#p.now()
    await this.#commit(
      job,
      [
        { o: 'set', t: 'job', k: job, v: { state: 'failed', error: error as unknown as Row, finishedAt: now, lastOpDate: now } },
        ...this.#forgetSteps(job),
      ],
      change,
      true,
    )
  }

  async stuck(job: string, error: ErrorBody, step: string): Promise<void> {
    const facts = [{ noun: 'job', uuid: job, event: 'stuck', data: { step, code: error.code } }]
    await this.#commit(
      job,
      [{ o: 'set', t: 'job', k: job, v: { state: 'stuck', step, error: error as unknown as Row } }],
      { ops: [], facts },
      true,
    )
  }

  #forgetSteps(job: string): Op[] {
    return [...this.#p.state.graph.by('jobStep', 'jobUuid', job)].map((k) => ({ o: 'del', t: 'jobStep', k }))
  }

  async #commit(job: string, ops: Op[], change: Change | undefined, urgent = false): Promise<void> {
    const row = this.#p.state.graph.get('job', job)
    if (!row) throw new SkerryError('internal', `job ${job} is not in the log`, { job })
    await this.#p.state.commit(
      { guards: change?.guards ?? [], ops: [...(change?.ops ?? []), ...ops], facts: change?.facts ?? [] },
      { actor: row['accountUuid'] as string, job, urgent },
    )
  }
}
