/** What a controller does by the clock: what is outdated goes, what was deleted long ago is expunged, what is scheduled is started, what waits for hosts is shown. */
import type { Row } from '@skerry/contract'
import type { Conditions } from '../conditions/index.ts'
import type { ControllerPorts } from '../controller.ts'
import type { ControllerEngine } from '../engine/engine.ts'
import type { JobView } from '../engine/port.ts'
import type { State } from '../engine/state.ts'
import { gcChange } from '../gc/jobs.ts'
import { unheard } from '../orphans/reunite.ts'
import { Scheduler } from '../scheduler/scheduler.ts'
import { ClockWatch } from '../steady-clock.ts'
import { Expunging } from './expunge.ts'
import { jobsPort } from './jobs-port.ts'
import { dropOutdated } from './outdated.ts'

const LOOK_MS = 60_000
const SECOND_MS = 1_000

interface Parts {
  state: State
  engine: ControllerEngine
  conditions: Conditions
  report(error: unknown, facts: Row): void
}

export interface ByClock {
  /** a job has ended */
  ended(job: JobView, resourceUuid: string): void
  stop(): void
}

export function tendByClock(
  p: Pick<ControllerPorts, 'now' | 'monotonic' | 'newId' | 'every' | 'store' | 'log' | 'keepJobs' | 'nodeUuid'>,
  { state, engine, conditions, report }: Parts,
): ByClock {
  const jumped = (byMs: number) => {
    p.log.warn({ byMs }, 'the wall clock jumped: nothing is expunged by its age until it has run evenly for a day')
    conditions.clockJumped(byMs)
  }
  const clock = new ClockWatch({ now: p.now, monotonic: p.monotonic, jumped, before: p.store.recovery.at })
  const expunging = new Expunging({
    ...{ graph: state.graph, now: p.now, monotonic: p.monotonic, report },
    believed: () => clock.believed(),
    heard: () => unheard(state.graph).length === 0,
    busy: (uuid) => engine.busy(uuid),
    accept: (call) => engine.accept(call),
  })
  const off = p.every(LOOK_MS, () => {
    if (!p.store.status().writable) return
    dropOutdated(state, { now: p.now, keepJobs: p.keepJobs }).catch((error) =>
      report(error, { doing: 'removing what is outdated' }),
    )
    expunging.look()
  })
  const scheduler = new Scheduler({
    ...{ graph: state.graph, now: p.now, newId: p.newId, report, jobs: jobsPort(() => engine, state.graph) },
    job: (uuid) => engine.job(uuid),
    commit: (change) => state.commit(change, { actor: 'system' }),
  })
  const offScheduler = p.every(SECOND_MS, () => {
    if (p.store.status().writable) scheduler.look()
  })
  const offGc = p.every(SECOND_MS, () => {
    const change = p.store.status().writable ? gcChange(state.graph, { now: p.now(), nodeUuid: p.nodeUuid }) : undefined
    if (change)
      state.commit(change, { actor: 'system' }).catch((error) => report(error, { doing: 'following what waits for agents' }))
  })
  const stop = () => {
    off()
    offScheduler()
    offGc()
  }
  return { ended: (job, uuid) => expunging.ended(job, uuid), stop }
}
