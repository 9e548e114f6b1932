/** The engine: calls become jobs, jobs run their workflows in the queue of their resource, and both survive a restart. */
import { type ErrorBody, type Progress, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { createQueues, createRunner, type Queues, type Runner } from '@skerry/workflow'
import { actions } from '../workflows/index.ts'
import type { World } from '../workflows/world.ts'
import { acceptanceOps, deadlineOf, type Prepared, prepare } from './accept.ts'
import { type Acceptance, endedAtOnce } from './at-once.ts'
import { LogJournal } from './journal.ts'
import { type PlanPorts, planOf } from './plan.ts'
import type { Call, Caller, Engine, JobView, PlanView } from './port.ts'
import { resultOf } from './result.ts'
import { hideSecrets, secretIds } from './secret-params.ts'
import type { State } from './state.ts'

export interface EnginePorts {
  state: State
  world: World
  now(): number
  newId(): string
  sleep(ms: number): Promise<void>
  timers: Parameters<typeof createQueues>[0]['timers']
  /** keyed hash of a body's hash: what is recorded gives no handle for guessing a password */
  seal(hash: string): string
  report(error: unknown, facts: Row): void
  /** synchronous calls that are no queries, by API name */
  calls: Record<string, (call: Call) => Promise<Row> | Row>
  /** results that must never reach the log, such as console tokens; made once, when the job has ended */
  volatile: Record<string, (input: Row) => Row>
  onEnded(job: JobView, resourceUuid: string): void
  dryRun: PlanPorts['dryRun']
}

/** How long the answer to a deletion waits for agents to carry it out. */
const CLEAN_UP_MS = 30_000

export class ControllerEngine implements Engine {
  readonly #p: EnginePorts
  readonly #runner: Runner
  readonly #queues: Queues
  readonly #progress = new Map<string, { step: string; progress?: Progress }>()
  readonly #waiters = new Map<string, Set<() => void>>()
  readonly #volatile = new Map<string, Row>()
  readonly #busy = new Map<string, number>()
  /** ended jobs whose agents still clean up: shown as processing for that while */
  readonly #tidying = new Set<string>()

  constructor(ports: EnginePorts) {
    this.#p = ports
    const journal = new LogJournal({
      state: ports.state,
      now: ports.now,
      begun: (job, step) => void this.#progress.set(job, { step }),
    })
    this.#queues = createQueues({
      timers: ports.timers,
      onFault: (fault) =>
        fault.kind !== 'threw' && ports.report(fault.error, { queue: fault.key, task: fault.label, kind: fault.kind }),
    })
    this.#runner = createRunner({
      workflows: new Map([...actions].map(([name, action]) => [name, action.workflow])),
      world: ports.world,
      journal,
      clock: { now: ports.now },
      sleep: ports.sleep,
      onProgress: (job, step, progress) => this.#progress.set(job, { step, progress }),
    })
  }

  get graph(): Graph {
    return this.#p.state.graph
  }

  /** Is a job at work on this resource, or waiting to be? */
  busy(uuid: string): boolean {
    return (this.#busy.get(uuid) ?? 0) > 0
  }

  queues(): ReturnType<Queues['snapshot']> {
    return this.#queues.snapshot()
  }

  async accept(call: Call): Promise<JobView> {
    const bodyHash = this.#p.seal(call.bodyHash)
    const repeated = this.#repeated(call, bodyHash)
    if (repeated) return repeated
    if (call.api.rights === 'admin' && !call.caller?.admin)
      throw new SkerryError('permission-denied', `${call.api.api} needs the rights of an administrator`)
    prepare(this.graph, call, this.#p.newId)
    // Secrets leave the parameters before anything of them can be recorded.
    const params = await hideSecrets(call.api, call.params, this.#p.world.secrets)
    try {
      return await this.#record({ ...call, params }, bodyHash)
    } catch (error) {
      for (const id of secretIds(params)) await this.#p.world.secrets.shred(id)
      throw error
    }
  }

  async #record(call: Call, bodyHash: string): Promise<JobView> {
    const jobUuid = call.jobUuid ?? this.#p.newId()
    const now = this.#p.now()
    const prepared = prepare(this.graph, call, this.#p.newId)
    const deadline = deadlineOf(call, now)
    const { ops, keyGuard } = acceptanceOps(call, prepared, { jobUuid, deadline, bodyHash }, { now, newId: this.#p.newId })
    const guards = [
      { g: 'absent' as const, t: 'job', k: jobUuid },
      ...(keyGuard ? [{ g: 'absent' as const, t: 'callKey', k: keyGuard }] : []),
    ]
    if (await this.#atOnce(prepared, { guards, ops }, { job: jobUuid, now })) return this.job(jobUuid)!
    await this.#p.state.commit({ guards, ops }, { actor: prepared.input.accountUuid, job: jobUuid })
    this.#start(jobUuid, prepared.queueKey, prepared.input.uuid)
    return this.job(jobUuid)!
  }

  /** Accepts and ends the job in one commit where its workflow allows that; false: nothing has happened. */
  async #atOnce(prepared: Prepared, acceptance: Acceptance, { job, now }: { job: string; now: number }): Promise<boolean> {
    const { uuid, accountUuid } = prepared.input
    if (this.busy(prepared.queueKey) || this.busy(uuid)) return false
    const change = endedAtOnce(prepared, acceptance, { job, now, world: this.#p.world })
    if (!change) return false
    try {
      await this.#p.state.commit(change, { actor: accountUuid, job })
    } catch (error) {
      // Refused by a guard: nothing was applied, and the workflow decides anew. Otherwise its fate on disk is unknown.
      if (this.graph.get('job', job)) throw error
      return false
    }
    this.#p.onEnded(this.job(job)!, uuid)
    return true
  }

  /** A call that was made before: the same one gets its job again, another one under the same id is refused. */
  #repeated(call: Call, bodyHash: string): JobView | undefined {
    const key = call.idempotencyKey
      ? this.graph.get('callKey', `${call.caller?.accountUuid ?? 'anonymous'}:${call.idempotencyKey}`)
      : undefined
    const id =
      (key?.['job'] as string | undefined) ?? (call.jobUuid && this.graph.get('job', call.jobUuid) ? call.jobUuid : undefined)
    if (!id) return undefined
    const row = this.graph.get('job', id)
    if (
      (key?.['bodyHash'] ?? row?.['bodyHash']) !== bodyHash ||
      row?.['accountUuid'] !== (call.caller?.accountUuid ?? 'anonymous')
    ) {
      throw new SkerryError('duplicate-job', `id ${call.idempotencyKey ?? call.jobUuid} was used for another request`, {
        job: id,
      })
    }
    return this.job(id)
  }

  #start(job: string, queueKey: string, resourceUuid: string): void {
    for (const uuid of new Set([queueKey, resourceUuid])) this.#busy.set(uuid, (this.#busy.get(uuid) ?? 0) + 1)
    const label = `${this.graph.get('job', job)?.['api']} ${job}`
    this.#queues
      .run(queueKey, () => this.#carry(job), { label })
      .catch((error) => this.#p.report(error, { job, doing: 'running a job; it goes on at the next start' }))
      .finally(() => {
        for (const uuid of new Set([queueKey, resourceUuid])) {
          const left = (this.#busy.get(uuid) ?? 1) - 1
          if (left > 0) this.#busy.set(uuid, left)
          else this.#busy.delete(uuid)
        }
        const view = this.job(job)
        if (view) this.#p.onEnded(view, resourceUuid)
      })
  }

  /** Runs a job to its end, and waits for what its end leaves to agents. */
  async #carry(job: string): Promise<void> {
    this.#tidying.add(job)
    try {
      await this.#runner.run(job)
      const { cleanUp, shred } = (this.graph.get('job', job)?.['result'] ?? {}) as { cleanUp?: string[]; shred?: string[] }
      for (const id of shred ?? []) await this.#p.world.secrets.shred(id)
      if (cleanUp?.length) await this.#p.world.agents.gone(cleanUp, CLEAN_UP_MS)
    } finally {
      this.#tidying.delete(job)
      this.#ended(job)
    }
  }

  /** Takes up what was under way when the last process ended. Gives how many jobs. */
  resume(): number {
    let count = 0
    for (const state of ['processing', 'undoing']) {
      for (const key of [...this.graph.by('job', 'state', state)]) {
        const row = this.graph.get('job', key)!
        this.#start(
          key,
          (row['queueKey'] as string | undefined) ?? (row['resourceUuid'] as string),
          row['resourceUuid'] as string,
        )
        count++
      }
    }
    return count
  }

  async retry(job: string): Promise<JobView> {
    const row = this.graph.get('job', job)
    if (!row) throw new SkerryError('not-found', `there is no job ${job}`, { job })
    if (row['state'] !== 'stuck')
      throw new SkerryError('illegal-state', `job ${job} is ${row['state']}: only a stuck one can be retried`, {
        job,
        state: row['state'],
        allowed: ['stuck'],
      })
    await this.#queues.run((row['queueKey'] as string | undefined) ?? job, () => this.#runner.retry(job), {
      label: `retry ${job}`,
    })
    return this.job(job)!
  }

  job(uuid: string): JobView | undefined {
    const row = this.graph.get('job', uuid)
    if (!row) return undefined
    const shown = this.#progress.get(uuid)
    const tidying = this.#tidying.has(uuid) && row['state'] === 'done'
    const live = row['state'] === 'processing' || row['state'] === 'undoing' || tidying
    const state = tidying ? 'processing' : (row['state'] as JobView['state'])
    return {
      uuid,
      api: row['api'] as string,
      state,
      steps: row['steps'] as string[],
      step: (live ? shown?.step : undefined) ?? (row['step'] as string | null),
      createDate: row['createDate'] as number,
      finishedAt: live ? null : (row['finishedAt'] as number | null),
      ...(live && shown?.progress ? { progress: shown.progress } : {}),
      ...(row['error'] && !live ? { error: row['error'] as unknown as ErrorBody } : {}),
      ...(state === 'done' ? { result: this.#volatile.get(uuid) ?? resultOf(this.graph, row) } : {}),
    }
  }

  #ended(job: string): void {
    const row = this.graph.get('job', job)
    this.#progress.delete(job)
    const make = this.#p.volatile[row?.['api'] as string]
    if (row?.['state'] === 'done' && make) {
      this.#volatile.set(job, make((row['input'] as Row)['params'] as Row))
      if (this.#volatile.size > 2_000) this.#volatile.delete(this.#volatile.keys().next().value!)
    }
    if (row?.['state'] === 'failed')
      for (const id of secretIds((row['input'] as { params: Row }).params))
        this.#p.world.secrets.shred(id).catch((error) => this.#p.report(error, { job, doing: 'shredding a secret' }))
    for (const wake of this.#waiters.get(job) ?? []) wake()
    this.#waiters.delete(job)
  }

  async wait(uuid: string, ms: number): Promise<JobView | undefined> {
    const now = this.job(uuid)
    if (!now || (now.state !== 'processing' && now.state !== 'undoing')) return now
    await new Promise<void>((resolve) => {
      let set = this.#waiters.get(uuid)
      if (!set) this.#waiters.set(uuid, (set = new Set()))
      // Cleared when the job ends first: a waiting time is long, and jobs are many.
      const timer = this.#p.timers.set(() => {
        set.delete(wake)
        if (set.size === 0) this.#waiters.delete(uuid)
        resolve()
      }, ms)
      const wake = () => {
        this.#p.timers.clear(timer)
        resolve()
      }
      set.add(wake)
    })
    return this.job(uuid)
  }

  async call(call: Call): Promise<Row> {
    const handler = this.#p.calls[call.api.api]
    if (!handler) throw new SkerryError('internal', `API ${call.api.api} has no handler`, { api: call.api.api })
    if (call.api.rights === 'admin' && !call.caller?.admin)
      throw new SkerryError('permission-denied', `${call.api.api} needs the rights of an administrator`)
    return handler(call)
  }

  plan(call: Call): Promise<PlanView> {
    return planOf(call, { graph: this.graph, world: this.#p.world, newId: this.#p.newId, dryRun: this.#p.dryRun })
  }

  session(uuid: string): Caller | undefined {
    const row = this.graph.get('session', uuid)
    if (!row || (row['expiredDate'] as number) <= this.#p.now()) return undefined
    return {
      accountUuid: row['accountUuid'] as string,
      sessionUuid: uuid,
      admin: this.graph.get('account', row['accountUuid'] as string)?.['type'] === 'SystemAdmin',
    }
  }

  async stop(): Promise<void> {
    await this.#runner.drain()
  }
}
