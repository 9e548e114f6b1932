/** The engine: calls become jobs, jobs run their workflows in the queue of their resource, and both survive a restart. */
import { type Guard as GraphGuard, type Progress, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { createQueues, createRunner, type Queues, type Runner } from '@skerry/workflow'
import { sessionCaller } from '../identity/caller.ts'
import { Guard } from '../identity/guard.ts'
import { steadyClock } from '../steady-clock.ts'
import { plainBook } from '../workflows/book.ts'
import type { WorkflowBook, World } from '../workflows/world.ts'
import { acceptanceOps, type Prepared, prepare, vetted } from './accept.ts'
import { type Acceptance, endedAtOnce } from './at-once.ts'
import { refuseToQueue, repeatOf, staleOf } from './conditional.ts'
import { type DisclosurePorts, Disclosures } from './disclosures.ts'
import { hasEnded, isUnderWay, viewOf } from './job-view.ts'
import { LogJournal } from './journal.ts'
import { Occupied } from './occupied.ts'
import { checkCascade, type PlanPorts, planOf, whatWasPlanned } from './plan.ts'
import { needStuck, planOfWrite, type Writes } from './plan-write.ts'
import type { Call, Caller, Engine, JobView, PlanView } from './port.ts'
import { hideSecrets, secretIds, unreferenced } from './secret-params.ts'
import type { State } from './state.ts'
import { deadlineOf } from './timeouts.ts'
import { Waiters } from './waiters.ts'

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
  /** synchronous calls that are no queries, by API name; `reads`: those that only look, over the graph as a caller sees it */
  calls: Record<string, (call: Call) => Promise<Row> | Row>
  reads?(graph: Graph): EnginePorts['calls']
  /** of those that write and can be planned */
  writes?: Writes
  volatile: DisclosurePorts['volatile']
  disclosed: DisclosurePorts['disclosed']
  signed: Engine['signed']
  onEnded(job: JobView, resourceUuid: string): void
  dryRun: PlanPorts['dryRun']
}

/** How long the answer to a deletion waits for agents to carry it out. */
const CLEAN_UP_MS = 30_000

export class ControllerEngine implements Engine {
  readonly #p: EnginePorts
  /** A job's deadline is a date, for the next process; in this one no jump of the wall clock brings it nearer. */
  readonly #steady: { now(): number }
  readonly #runner: Runner
  readonly #queues: Queues
  readonly disclosures: Disclosures
  readonly signed: Engine['signed']
  readonly guard: Guard
  readonly #progress = new Map<string, { step: string; progress?: Progress }>()
  readonly #waiters: Waiters
  readonly #occupied = new Occupied()
  /** ended jobs whose agents still clean up: shown as processing for that while */
  readonly #tidying = new Set<string>()

  constructor(ports: EnginePorts) {
    this.#p = ports
    this.#waiters = new Waiters(ports.timers)
    this.signed = ports.signed
    this.guard = new Guard(ports.state.graph)
    this.disclosures = new Disclosures({ ...ports, graph: ports.state.graph })
    this.#steady = steadyClock(ports.now, () => ports.timers.nowMs())
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
      workflows: (job) => this.#book.begun(job),
      world: ports.world,
      journal,
      clock: this.#steady,
      sleep: ports.sleep,
      canceled: (job) => this.graph.get('job', job)?.['cancelAsked'] === true,
      onProgress: (job, step, progress) => this.#progress.set(job, { step, progress }),
    })
  }

  get graph(): Graph {
    return this.#p.state.graph
  }

  get #book(): WorkflowBook {
    return this.#p.world.workflows ?? plainBook
  }

  /** As new jobs run them. */
  readonly workflows = () => this.#book.all()

  /** Is a job at work on this resource, or waiting to be? */
  busy(uuid: string): boolean {
    return this.#occupied.has(uuid)
  }

  queues(): ReturnType<Queues['snapshot']> {
    return this.#queues.snapshot()
  }

  readonly accept = (given: Call): Promise<JobView> => this.guard.told(given, (call) => this.#accept(call))

  async #accept(call: Call): Promise<JobView> {
    const bodyHash = this.#p.seal(call.bodyHash)
    const repeated = repeatOf(this.graph, call, bodyHash)
    if (repeated) {
      // The first call may still be on its way to the disk, or never get there.
      await this.#p.state.store.settled()
      return this.job(repeated)!
    }
    this.guard.authorize(call)
    const [{ seq }, prepared] = [this.graph, prepare(this.graph, call, this.#p.newId, this.#p.world)]
    await vetted(call, prepared.input, this.#p.world)
    // Secrets leave the parameters before anything of them can be recorded.
    const at = { graph: this.graph, uuid: prepared.input.uuid, session: call.caller?.sessionUuid }
    const whole = (await prepared.action.complete?.(call.params, at)) ?? call.params
    const params = await hideSecrets(call.api, whole, this.#p.world.secrets)
    try {
      // What was found holds as long as nothing has changed.
      const known = params === call.params && seq === this.graph.seq ? prepared : undefined
      return await this.#record({ ...call, params }, bodyHash, known)
    } catch (error) {
      for (const id of secretIds(params)) await this.#p.world.secrets.shred(id)
      throw staleOf(error, call)
    }
  }

  async #record(call: Call, bodyHash: string, known?: Prepared): Promise<JobView> {
    const [jobUuid, now] = [call.jobUuid ?? this.#p.newId(), this.#p.now()]
    const prepared = known ?? prepare(this.graph, call, this.#p.newId, this.#p.world)
    const deadline = deadlineOf(call, this.#steady.now())
    const ports = { now, newId: this.#p.newId, graph: this.graph }
    const { ops, keyGuard } = acceptanceOps(call, prepared, { jobUuid, deadline, bodyHash }, ports)
    const guards = [
      { g: 'absent' as const, t: 'job', k: jobUuid },
      ...(keyGuard ? [{ g: 'absent' as const, t: 'callKey', k: keyGuard }] : []),
      ...(call.guards ?? []),
    ]
    const over = await this.#atOnce(prepared, { guards, ops }, { job: jobUuid, now })
    if (over) return over
    const { queueKey, input } = prepared
    checkCascade(call, this.graph, prepared)
    refuseToQueue(call, this.busy(queueKey) || this.busy(input.uuid))
    // From here on, not from when it is durable: a call with conditions must know that this one goes first.
    const release = this.#occupied.occupy([queueKey, input.uuid])
    try {
      await this.#p.state.commit({ guards, ops }, { actor: input.accountUuid, job: jobUuid })
      this.#start(jobUuid, queueKey, input.uuid)
    } finally {
      release()
    }
    return this.job(jobUuid)!
  }

  /** Accepts and ends the job in one commit where its workflow allows that; undefined: nothing has happened. */
  async #atOnce(prepared: Prepared, acceptance: Acceptance, at: { job: string; now: number }): Promise<JobView | undefined> {
    const { uuid, accountUuid } = prepared.input
    if (this.busy(prepared.queueKey) || this.busy(uuid)) return undefined
    const change = endedAtOnce(prepared, acceptance, { ...at, world: this.#p.world })
    if (!change) return undefined
    try {
      await this.#p.state.commit(change, { actor: accountUuid, job: at.job })
    } catch (error) {
      // Refused by a guard: nothing was applied, and the workflow decides anew. Otherwise its fate on disk is unknown.
      if (this.graph.get('job', at.job)) throw error
      return undefined
    }
    const ended = this.job(at.job)!
    this.#p.onEnded(ended, uuid)
    return ended
  }

  #start(job: string, queueKey: string, resourceUuid: string): void {
    const release = this.#occupied.occupy([queueKey, resourceUuid])
    const label = `${this.graph.get('job', job)?.['api']} ${job}`
    this.#queues
      .run(queueKey, () => this.#carry(job), { label })
      .catch((error) => this.#p.report(error, { job, doing: 'running a job; it goes on at the next start' }))
      .finally(() => {
        release()
        const view = this.job(job)
        if (view) this.#p.onEnded(view, resourceUuid)
      })
  }

  /** Runs a job to its end, and waits for what its end leaves to agents. */
  async #carry(job: string): Promise<void> {
    this.#tidying.add(job)
    try {
      await this.#runner.run(job)
      await this.disclosures.find(job)
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
        const of = row['resourceUuid'] as string
        this.#start(key, (row['queueKey'] as string | undefined) ?? of, of)
        count++
      }
    }
    return count
  }

  async retry(job: string): Promise<JobView> {
    const row = needStuck(this.graph, job)
    await this.#queues.run((row['queueKey'] as string | undefined) ?? job, () => this.#runner.retry(job), {
      label: `retry ${job}`,
    })
    this.#ended(job)
    if (hasEnded(this.graph.get('job', job))) this.#p.onEnded(this.job(job)!, row['resourceUuid'] as string)
    return this.job(job)!
  }

  job(uuid: string): JobView | undefined {
    return viewOf(this.graph, uuid, {
      durableSeq: this.#p.state.store.durableSeq,
      shown: this.#progress.get(uuid),
      tidying: this.#tidying.has(uuid),
      volatile: this.disclosures.get(uuid),
    })
  }

  #ended(job: string): void {
    const row = this.graph.get('job', job)
    this.#progress.delete(job)
    this.disclosures.make(job)
    if (row?.['state'] === 'failed')
      for (const id of unreferenced(this.graph, secretIds((row['input'] as { params: Row }).params)))
        this.#p.world.secrets.shred(id).catch((error) => this.#p.report(error, { job, doing: 'shredding a secret' }))
    this.#waiters.wake(job)
  }

  async wait(uuid: string, ms: number): Promise<JobView | undefined> {
    const { store } = this.#p.state
    // When it can't get there the job shows as processing, which is the truth until the next start.
    if (hasEnded(this.graph.get('job', uuid))) await store.settled().catch(() => undefined)
    if (isUnderWay(this.job(uuid)) && !this.#stopped()) await this.#waiters.until(uuid, ms)
    const [job, stopped] = [this.job(uuid), this.#stopped()]
    if (!isUnderWay(job) || !stopped) return job
    const message = `job ${uuid} can't end before the controller is started again, and goes on then: ${stopped.message}`
    throw new SkerryError(stopped.code, message, { ...stopped.details, job: uuid }, { cause: stopped })
  }

  /** Why nothing can be recorded any more in this process. A full disk is no such reason: there may be room again. */
  #stopped(): SkerryError | undefined {
    const { reason } = this.#p.state.store.status()
    return reason?.code === 'disk-full' ? undefined : reason
  }

  async call(call: Call): Promise<Row> {
    this.guard.authorize(call)
    const seen = this.guard.seen(call.caller)
    const handler = (seen === this.graph ? undefined : this.#p.reads?.(seen)[call.api.api]) ?? this.#p.calls[call.api.api]
    if (!handler) throw new SkerryError('internal', `API ${call.api.api} has no handler`, { api: call.api.api })
    return handler(call)
  }

  readonly plan = (given: Call): Promise<PlanView> =>
    this.guard.asked(given, (call) =>
      call.api.sync ? planOfWrite(call, this.#p.state, this.#p.writes ?? (() => ({}))) : planOf(call, this.#planning),
    )

  readonly planned = (given: Call, hash: string): Promise<{ guards: GraphGuard[]; cascade: string }> =>
    this.guard.asked(given, (call) => whatWasPlanned(call, hash, this.#planning))

  get #planning(): PlanPorts {
    return { graph: this.graph, world: this.#p.world, newId: this.#p.newId, dryRun: this.#p.dryRun }
  }

  session(uuid: string): Caller | undefined {
    return sessionCaller(this.#p.state, uuid, this.#p.now())
  }

  async stop(): Promise<void> {
    await this.#runner.drain()
  }
}
