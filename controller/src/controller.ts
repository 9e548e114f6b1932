/** A controller from its ports: store, bus, clock. `main.ts` gives it the real ones, tests and the simulator others. */
import { createHmac } from 'node:crypto'
import type { Bus } from '@skerry/bus'
import { type Document, planReply, type Row, SKERRY_VERSION, subjects, type Tombstone } from '@skerry/contract'
import { Agents } from './agents/agents-port.ts'
import { AgentBook } from './agents/book.ts'
import { kindOf } from './agents/documents.ts'
import { Syncer } from './agents/sync.ts'
import { AgentWatch } from './agents/watch.ts'
import { auditor } from './audit/run.ts'
import { agentCalls } from './calls/agents.ts'
import { Consoles } from './calls/consoles.ts'
import { lookCalls } from './calls/look.ts'
import { sessionCalls } from './calls/sessions.ts'
import { ControllerEngine } from './engine/engine.ts'
import type { JobView } from './engine/port.ts'
import { checkCalls } from './engine/result.ts'
import { State } from './engine/state.ts'
import { createHttp, type HttpOptions, type Log, pollBody } from './http/index.ts'
import { seed, seedNode } from './seed.ts'
import type { Secrets, Store } from './store/index.ts'
import { factsSince, publishFacts } from './tasks/facts.ts'
import { AFTER_202_MS, Hooks } from './tasks/hooks.ts'
import { dueForExpunge, outdated } from './tasks/housekeeping.ts'
import { internalCall } from './tasks/internal-call.ts'
import type { World } from './workflows/world.ts'

export interface ControllerPorts {
  store: Store
  bus: Bus
  secrets: Secrets
  siteKey: Buffer
  log: Log
  now(): number
  monotonic(): number
  newId(): string
  random(): number
  sleep(ms: number): Promise<void>
  timers: ConstructorParameters<typeof ControllerEngine>[0]['timers']
  every(ms: number, run: () => void): () => void
  fetch: typeof fetch
  nodeUuid: string
  enrol: { accountSeed: string | undefined; servers: string[]; ca: string | null }
  address: { hostname: string; port: number; scheme: string }
  adminPassword: string | undefined
  /** commit up to which facts were published before this process */
  publishedSeq: number
  published(seq: number): void
}

export interface Controller {
  engine: ControllerEngine
  state: State
  app: ReturnType<typeof createHttp>
  consoles: Consoles
  stop(): Promise<void>
}

const SWEEP_MS = 2_000
const HOUSEKEEPING_MS = 60_000

/** What the parts of a controller share. */
interface Shared {
  p: ControllerPorts
  state: State
  book: AgentBook
  syncer: Syncer
  agents: Agents
  consoles: Consoles
  report(error: unknown, facts: Row): void
  isReady(): boolean
}

function sharedParts(p: ControllerPorts, isReady: () => boolean): Shared {
  const state = new State(p.store)
  const { graph } = state
  const report = (error: unknown, facts: Row) => p.log.error({ ...facts, err: error }, 'something failed that nobody waited for')
  const book = new AgentBook(p.monotonic)
  const syncer = new Syncer({ bus: p.bus, graph, durableSeq: () => p.store.status().durableSeq, report })
  const agents = new Agents({ bus: p.bus, graph, book, syncer, sleep: p.sleep, monotonic: p.monotonic })
  const consoles = new Consoles({ bus: p.bus, graph, agents, now: p.now, newId: p.newId, address: p.address })
  return { p, state, book, syncer, agents, consoles, report, isReady }
}

/** The engine with its calls; what looks at ended jobs is handed in later, because it needs the engine. */
function makeEngine(s: Shared, ended: (job: JobView, resourceUuid: string) => void): ControllerEngine {
  const { p, state, agents, consoles, report } = s
  const { graph } = state
  const world: World = { graph, now: p.now, newId: p.newId, random: p.random, agents, secrets: p.secrets }
  const calls = {
    ...sessionCalls({ state, now: p.now, newId: p.newId }),
    ...agentCalls({ state, now: p.now, newId: p.newId, ...p.enrol }),
    ...lookCalls({
      graph,
      nodeUuid: p.nodeUuid,
      ready: s.isReady,
      job: (u) => engine.job(u),
      retry: (u) => engine.retry(u),
      now: p.now,
    }),
  }
  checkCalls(calls)
  const engine: ControllerEngine = new ControllerEngine({
    ...{ state, world, now: p.now, newId: p.newId, sleep: p.sleep, timers: p.timers, report, calls, onEnded: ended },
    seal: (hash) => createHmac('sha256', p.siteKey).update(hash).digest('hex'),
    volatile: { RequestConsoleAccess: (params) => consoles.grant(params) },
    dryRun: (documents) => dryRun(p.bus, state, documents),
  })
  return engine
}

const hasEnded = (job: JobView) => job.state === 'done' || job.state === 'failed' || job.state === 'stuck'

export async function createController(p: ControllerPorts): Promise<Controller> {
  let ready = false
  const s = sharedParts(p, () => ready)
  const { state, book, syncer, agents, report } = s
  const { graph } = state
  await seed(state, p.now(), p.adminPassword)
  await seedNode(state, p.now(), { uuid: p.nodeUuid, hostName: p.address.hostname })
  const projected = await state.reprojectAll()
  if (projected > 0) p.log.info({ documents: projected }, 'desired documents brought in line with the graph')
  const engine = makeEngine(s, (job, resourceUuid) => {
    watch.lookAgain(resourceUuid)
    hooks.ended(job.uuid)
    p.bus.publish(subjects.job(job.uuid, 'done'), { uuid: job.uuid, state: job.state, api: job.api })
  })
  const watch = new AgentWatch({
    ...{ bus: p.bus, graph, book, syncer, now: p.now, report },
    busy: (uuid) => engine.busy(uuid),
    refresh: (agentUuid) => agents.refresh(agentUuid),
    commit: (change, actor) => state.commit(change, { actor }),
  })
  const render = (uuid: string) => {
    const job = engine.job(uuid)
    return job && hasEnded(job) ? { ok: job.state === 'done', body: pollBody(job, true).body } : undefined
  }
  const hooks = new Hooks({ state, fetch: p.fetch, sleep: p.sleep, report, render })
  const offs = await start(p, { state, syncer, watch, engine, report })
  const resumed = engine.resume()
  if (resumed > 0) p.log.info({ jobs: resumed }, 'jobs taken up again')
  hooks.resume()
  ready = true
  const app = createHttp(httpOptions(p, { engine, state, ready: () => ready && p.store.status().writable }))
  return {
    ...{ engine, state, app, consoles: s.consoles },
    async stop() {
      ready = false
      for (const off of offs) off()
      await engine.stop()
    },
  }
}

interface Parts {
  state: State
  syncer: Syncer
  watch: AgentWatch
  engine: ControllerEngine
  report(error: unknown, facts: Row): void
}

/** Everything that goes on by itself. */
async function start(p: ControllerPorts, { state, syncer, watch, engine, report }: Parts): Promise<(() => void)[]> {
  const offCommit = p.store.onCommit((commit) => {
    for (const op of commit.ops) if (op.t === 'desired' && op.o === 'put') syncer.committed(op.k)
  })
  const offFacts = await publishFacts(p.store, p.bus, p.publishedSeq, p.published)
  const offSweep = p.every(SWEEP_MS, () => watch.sweep())
  const offHousekeeping = p.every(HOUSEKEEPING_MS, () => {
    const ops = outdated(state.graph, p.now())
    if (ops.length > 0)
      state.commit({ ops }, { actor: 'system' }).catch((error) => report(error, { doing: 'removing what is outdated' }))
    for (const due of dueForExpunge(state.graph, p.now())) {
      const call = internalCall(due.api, due.uuid)
      if (!engine.busy(due.uuid))
        engine.accept(call).catch((error) => report(error, { doing: 'expunging what was deleted long ago', ...due }))
    }
  })
  return [offCommit, offFacts, offSweep, offHousekeeping]
}

/** Asks agents what documents would change on their hosts. An agent that is away is named, not waited for. */
function dryRun(bus: Bus, state: State, documents: ReadonlyMap<string, (Document | Tombstone)[]>): Promise<Row[]> {
  const { graph } = state
  return Promise.all(
    [...documents].map(async ([agentUuid, list]): Promise<Row> => {
      const kind = kindOf(graph, agentUuid)
      if (!kind) return { agentUuid, unknown: 'this agent is not enrolled any more' }
      const subject = subjects.do(kind, agentUuid, 'agent', agentUuid, 'plan')
      const asked = bus.request(subject, { documents: list, epoch: graph.epoch }, { timeoutMs: 5_000 })
      const answer = await asked.then(
        (m) => planReply.parse(m.data) as Row,
        (error: Error) => ({ unknown: error.message }),
      )
      return { agentUuid, kind, ...answer }
    }),
  )
}

function httpOptions(p: ControllerPorts, o: { engine: ControllerEngine; state: State; ready(): boolean }): HttpOptions {
  return {
    engine: o.engine,
    clock: { now: p.now },
    log: p.log,
    version: SKERRY_VERSION,
    newUuid: p.newId,
    ready: o.ready,
    timers: { every: p.every },
    events: { since: (lastId, signal) => factsSince(p.store, lastId, signal) },
    audit: auditor(p.bus, o.state.graph),
    notifyRefused: ({ url, jobUuid, body }) => {
      const headers = { 'Content-Type': 'application/json', 'X-Job-UUID': jobUuid, 'X-Job-Success': 'false' }
      p.sleep(AFTER_202_MS)
        .then(() => p.fetch(url, { method: 'POST', body: JSON.stringify(body), redirect: 'manual', headers }))
        .catch((error) => p.log.warn({ job: jobUuid, err: error }, 'the webhook of a refused call cannot be reached'))
    },
  }
}
