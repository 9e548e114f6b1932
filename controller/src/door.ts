/** The doors of a controller, HTTP and NATS, and what they are given of the rest of it. */
import { setImmediate } from 'node:timers/promises'
import type { OtherUpgrades } from '@skerry/console'
import { SKERRY_VERSION } from '@skerry/contract'
import type { Agents } from './agents/agents-port.ts'
import { auditor } from './audit/run.ts'
import type { Conditions } from './conditions/index.ts'
import type { ControllerPorts } from './controller.ts'
import type { ControllerEngine } from './engine/engine.ts'
import type { State } from './engine/state.ts'
import { createHttp, eventSockets, type HttpOptions, openDoor, type PastSource, type Unflushed } from './http/index.ts'
import { serveCalls } from './nats/serve.ts'
import type { Store } from './store/index.ts'
import { diffOf } from './tasks/diff.ts'
import { factsSince } from './tasks/facts.ts'
import { historyOf } from './tasks/history.ts'
import type { Hooks } from './tasks/hooks.ts'
import { imageUploads } from './uploads/start.ts'
import { shownWorkflows } from './workflows/shown.ts'

interface Served {
  engine: ControllerEngine
  state: State
  conditions: Conditions
  hooks: Hooks
  unflushed: Unflushed
  agents: Agents
  ready(): boolean
}

const pastOf = (store: Store): PastSource => ({
  newest: () => store.durableSeq,
  oldest: () => store.status().oldestSeq,
  seqAt: (time) => store.seqAt(time),
  graphAt: (seq) => store.graphAt(seq),
  diff: (range, only) => diffOf({ store, pause: () => setImmediate() }, range, only),
})

export interface Doors {
  /** listens on nothing by itself */
  app: ReturnType<typeof createHttp>
  /** of events */
  sockets: OtherUpgrades
  /** calls over NATS are answered until then */
  close(): Promise<void>
}

export function openDoors(p: ControllerPorts, o: Served): Doors {
  const options = httpOptions(p, o)
  const door = openDoor(options)
  return { app: createHttp(options, door), sockets: eventSockets(door), close: serveCalls(p.bus, door) }
}

function httpOptions(p: ControllerPorts, o: Served): HttpOptions {
  return {
    engine: o.engine,
    clock: { now: p.now },
    log: p.log,
    version: SKERRY_VERSION,
    newUuid: p.newId,
    ready: o.ready,
    timers: { every: p.every },
    events: { since: (lastId, signal, o) => factsSince(p.store, lastId, signal, o) },
    audit: auditor(p.bus, o.state.graph),
    history: (asked) => historyOf(p.store, asked),
    past: pastOf(p.store),
    ...(p.backup ? { backup: p.backup } : {}),
    ...(p.page ? { page: p.page } : {}),
    conditions: o.conditions,
    workflows: () => shownWorkflows(o.engine.workflows()),
    uploads: imageUploads(p, o),
    metrics: () => o.conditions.metrics(),
    unflushed: o.unflushed,
    notifyRefused: (hook) => o.hooks.refused(hook),
  }
}
