/**
 * Starts jobs when their triggers say so. What is due is recorded before anything is done, and each run has the id of its call
 * from then on: a controller that dies in between goes on with what it has recorded, and nothing is done twice.
 */
import { ADMIN_ACCOUNT, type Change, type Op, type Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { apiOfMessage } from '../engine/long-call.ts'
import type { JobView } from '../engine/port.ts'
import { timeoutOf } from '../engine/timeouts.ts'
import type { JobsPort } from '../workflows/world.ts'
import { KEPT, type SchedulerJobType, schedulerKinds } from './kinds.ts'
import { parametersOf, runOp, startedBy } from './started.ts'
import { advance, LATE_MS, type When } from './when.ts'

export interface SchedulerPorts {
  graph: Graph
  now(): number
  newId(): string
  jobs: Pick<JobsPort, 'accept'>
  job(uuid: string): JobView | undefined
  commit(change: Change): Promise<void>
  report(error: unknown, facts: Row): void
}

export class Scheduler {
  readonly #p: SchedulerPorts
  /** triggers and runs that are being looked at */
  readonly #busy = new Set<string>()

  constructor(ports: SchedulerPorts) {
    this.#p = ports
  }

  /** Looks once; asked each second. */
  look(): void {
    const { graph, now } = this.#p
    for (const [uuid, row] of graph.rows('schedulerTrigger'))
      if (row['next'] !== null && (row['next'] as number) <= now()) this.#once(uuid, () => this.#fire(uuid, row))
    for (const state of ['Waiting', 'Running'])
      for (const uuid of [...graph.by('schedulerJobHistory', 'state', state)])
        this.#once(uuid, () => this.#carryOn(graph.get('schedulerJobHistory', uuid)!))
  }

  #once(key: string, run: () => Promise<void>): void {
    if (this.#busy.has(key)) return
    this.#busy.add(key)
    run()
      .catch((error) => this.#p.report(error, { doing: 'running what is scheduled', uuid: key }))
      .finally(() => this.#busy.delete(key))
  }

  /** One commit says what is run, what was missed, and when the trigger fires next. */
  async #fire(uuid: string, row: Readonly<Row>): Promise<void> {
    const { graph, now, newId, commit } = this.#p
    const at = { next: row['next'] as number, fired: row['fired'] as number }
    const step = advance(row as unknown as When, at, now())
    const started = startedBy(graph, row)
    const ops = started
      .filter(({ job }) => job['state'] === 'Enabled')
      .map((one): Op => {
        const run = { uuid: newId(), jobUuid: newId(), triggerUuid: uuid, now: now(), missed: step.missed }
        return runOp(one, { ...run, at: step.runAt ?? at.next }, step.runAt === null ? missedBecause(away(step.missed)) : {})
      })
    const missed = started.map(({ job }) => ({ noun: 'schedulerJob', uuid: job['uuid'] as string, event: 'missed' }))
    const facts = step.missed > 0 ? missed : []
    await commit({
      guards: [{ g: 'version', t: 'schedulerTrigger', k: uuid, seq: graph.version('schedulerTrigger', uuid)! }],
      ops: [{ o: 'set', t: 'schedulerTrigger', k: uuid, v: { next: step.next, fired: at.fired + step.fired } }, ...ops],
      ...(facts.length > 0 ? { facts } : {}),
    })
  }

  async #carryOn(run: Readonly<Row>): Promise<void> {
    const { graph, job, now } = this.#p
    const made = job(run['jobUuid'] as string)
    if (run['state'] === 'Waiting') {
      const schedulerJob = graph.get('schedulerJob', run['schedulerJobUuid'] as string)
      if (!schedulerJob) return
      if (!made && now() - (run['createDate'] as number) > LATE_MS) return this.#set(run, missedBecause(away(1)))
      return this.#start(run, schedulerJob)
    }
    if (!made) return this.#set(run, { state: 'Failed', success: false, resultDump: 'what became of it is not known any more' })
    if (made.state === 'processing' || made.state === 'undoing') return
    await this.#end(run, made)
  }

  async #start(run: Readonly<Row>, schedulerJob: Readonly<Row>): Promise<void> {
    const kind = schedulerKinds[schedulerJob['jobClassName'] as SchedulerJobType]
    const name = `${(schedulerJob['name'] as string).slice(0, 200)} ${new Date(run['startTime'] as number).toISOString()}`
    const given = parametersOf(schedulerJob, this.#groupOf(run))
    const params = kind.call(schedulerJob['targetResourceUuid'] as string, given, name)
    try {
      await this.#accept({ jobName: kind.jobName, params, schedulerJob, jobUuid: run['jobUuid'] as string })
    } catch (error) {
      return this.#set(run, { state: 'Failed', success: false, executeTime: 0, resultDump: (error as Error).message })
    }
    await this.#set(run, { state: 'Running' })
  }

  #accept(o: { jobName: string; params: Row; schedulerJob: Readonly<Row>; jobUuid: string }): Promise<void> {
    const accountUuid = (o.schedulerJob['ownerUuid'] as string | undefined) ?? ADMIN_ACCOUNT
    const timeoutMs = timeoutOf(apiOfMessage(o.jobName))
    return this.#p.jobs.accept({ jobName: o.jobName, params: o.params, accountUuid, jobUuid: o.jobUuid, timeoutMs })
  }

  async #end(run: Readonly<Row>, made: JobView): Promise<void> {
    const { graph, now } = this.#p
    const success = made.state === 'done'
    const executeTime = Math.max(0, Math.round(((made.finishedAt ?? now()) - made.createDate) / 1000))
    const dump = success ? null : (made.error?.message ?? `the job is ${made.state}`)
    const madeUuid = success ? ((graph.get('job', made.uuid)?.['resourceUuid'] as string | undefined) ?? null) : null
    await this.#set(run, { state: success ? 'Succeeded' : 'Failed', success, executeTime, resultDump: dump, madeUuid })
    const schedulerJob = graph.get('schedulerJob', run['schedulerJobUuid'] as string)
    if (success && schedulerJob) await this.#keepSome(schedulerJob, parametersOf(schedulerJob, this.#groupOf(run))[KEPT])
  }

  #groupOf(run: Readonly<Row>): Readonly<Row> | undefined {
    return this.#p.graph.get('schedulerJobGroup', (run['schedulerJobGroupUuid'] as string | null | undefined) ?? '')
  }

  /** Deletes the oldest of the snapshots that this job made, beyond those that it is to keep. */
  async #keepSome(schedulerJob: Readonly<Row>, keep: string | undefined): Promise<void> {
    const { graph, newId } = this.#p
    if (keep === undefined) return
    const runs = [...graph.by('schedulerJobHistory', 'schedulerJobUuid', schedulerJob['uuid'])]
      .map((k) => graph.get('schedulerJobHistory', k)!)
      .filter((run) => graph.get('volumeSnapshot', (run['madeUuid'] as string | null) ?? ''))
      .sort((a, b) => (a['startTime'] as number) - (b['startTime'] as number))
    for (const run of runs.slice(0, Math.max(0, runs.length - Number(keep))))
      await this.#accept({
        jobName: 'APIDeleteVolumeSnapshotMsg',
        params: { uuid: run['madeUuid'] },
        schedulerJob,
        jobUuid: newId(),
      })
  }

  async #set(run: Readonly<Row>, v: Row): Promise<void> {
    const k = run['uuid'] as string
    if (!this.#p.graph.get('schedulerJobHistory', k)) return
    await this.#p.commit({
      guards: [{ g: 'exists', t: 'schedulerJobHistory', k }],
      ops: [{ o: 'set', t: 'schedulerJobHistory', k, v: { ...v, lastOpDate: this.#p.now() } }],
    })
  }
}

const away = (count: number) => `${count === 1 ? 'a run was' : `${count} runs were`} missed: no controller was there to make them`
const missedBecause = (why: string): Row => ({ state: 'Missed', success: false, executeTime: null, resultDump: why })
