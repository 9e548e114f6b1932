/** A controller from its ports: store, bus, clock. `main.ts` gives it the real ones, tests and the simulator others. */
import { createHmac } from 'node:crypto'
import type { Bus } from '@skerry/bus'
import { consoleBridge, type Opens, tunnelBridge } from '@skerry/console'
import type { PageFile } from '@skerry/console/page'
import { type DocumentVersions, type Row, type SimulatorFile, subjects } from '@skerry/contract'
import { Agents } from './agents/agents-port.ts'
import { AgentBook } from './agents/book.ts'
import { dryRun } from './agents/dry-run.ts'
import { Syncer } from './agents/sync.ts'
import { AgentWatch } from './agents/watch.ts'
import { disclosedKey, signedCaller } from './calls/access-keys.ts'
import { tokensToDeploy } from './calls/agents.ts'
import { accessAnswers, consoleSecretOf } from './calls/consoles.ts'
import { wiredCalls } from './calls/wired.ts'
import { type Certificate, type Conditions, startConditions } from './conditions/index.ts'
import { deploySimulated } from './deploy/simulated.ts'
import { type Doors, openDoors } from './door.ts'
import { ControllerEngine } from './engine/engine.ts'
import { followLongJobs } from './engine/long-jobs.ts'
import type { JobView } from './engine/port.ts'
import { checkCalls } from './engine/result.ts'
import { shredOrphans } from './engine/secret-params.ts'
import { State } from './engine/state.ts'
import { type Log, pollBody, Unflushed } from './http/index.ts'
import { type SiteKeys, type StartedKeys, startKeys } from './keys/index.ts'
import { OrphanWatch } from './orphans/watch.ts'
import { type PluginSource, type Plugins, startPlugins } from './plugins/index.ts'
import { seed, seedNode } from './seed.ts'
import type { Secrets, Store } from './store/index.ts'
import { tendByClock } from './tasks/by-clock.ts'
import { publishFacts } from './tasks/facts.ts'
import { hookPost, type PostHook } from './tasks/hook-post.ts'
import { Hooks } from './tasks/hooks.ts'
import { jobsPort } from './tasks/jobs-port.ts'
import { storageServers } from './tasks/storage-servers.ts'
import { tendUploads } from './uploads/start.ts'
import { tendWebhooks } from './webhooks/start.ts'
import type { DeclarationFile } from './workflows/declaration.read.ts'
import type { World } from './workflows/world.ts'

export interface ControllerPorts {
  store: Store
  bus: Bus
  secrets: Secrets
  /** for hashes of what clients sent: stays, whatever keys are rotated */
  siteKey: Buffer
  log: Log
  now(): number
  monotonic(): number
  newId(): string
  random(): number
  sleep(ms: number): Promise<void>
  timers: ConstructorParameters<typeof ControllerEngine>[0]['timers']
  every(ms: number, run: () => void): () => void
  /** calls webhooks; default: over the network */
  postHook?: PostHook
  nodeUuid: string
  enrol: { accountSeed: string | undefined; servers: string[]; ca: string | null }
  /** what brings machines to 127.x.y.z; only of a simulated site */
  simulator?: { file: SimulatorFile; fetch: typeof fetch }
  /** Of a controller that holds the keys of its site: it can revoke and rotate. */
  keys?: SiteKeys
  address: { hostname: string; port: number; scheme: string }
  adminPassword: string | undefined
  /** commit up to which facts were published before this process */
  publishedSeq: number
  published(seq: number): void
  /** schemas of documents; default: the contract's */
  versions?: DocumentVersions | undefined
  /** the whole state as a stream, for `skerry backup` */
  backup?: () => AsyncIterable<Uint8Array>
  /** what is loaded at its start */
  plugins?: readonly PluginSource[]
  /** workflows that are declared, as files */
  workflows?: readonly DeclarationFile[]
  /** files of the console page */
  page?: (name: string) => Promise<PageFile>
  /** ended jobs that are kept; default: 20,000 */
  keepJobs?: number
  /** what this process uses, to warn before they end */
  certificates?: readonly Certificate[]
}

export interface Controller {
  engine: ControllerEngine
  state: State
  app: Doors['app']
  consoles: Opens
  conditions: Conditions
  stop(): Promise<void>
}

const SWEEP_MS = 2_000

/** What the parts of a controller share. */
interface Shared {
  p: ControllerPorts
  state: State
  book: AgentBook
  syncer: Syncer
  agents: Agents
  conditions: Conditions
  report(error: unknown, facts: Row): void
  isReady(): boolean
  keys: StartedKeys | undefined
}

function sharedParts(p: ControllerPorts, isReady: () => boolean): Shared {
  const state = new State(
    p.store,
    followLongJobs((job) => pollBody(job, false).body),
  )
  const { graph } = state
  const book = new AgentBook(p.monotonic)
  const log = (error: unknown, facts: Row) => p.log.error({ ...facts, err: error }, 'something failed that nobody waited for')
  const conditions = startConditions({ certificates: [], ...p, book, report: log })
  const report = (error: unknown, facts: Row) => {
    log(error, facts)
    conditions.failed(error, facts)
  }
  const orphans = new OrphanWatch({
    ...{ bus: p.bus, graph, book, now: p.now, report },
    commit: (change) => state.commit(change, { actor: 'system', urgent: true }),
    raiseIncarnation: () => p.store.raiseIncarnation(),
  })
  const syncer = new Syncer({
    orphans,
    ...{ bus: p.bus, graph, durableSeq: () => p.store.status().durableSeq, report },
    ...(p.versions ? { versions: p.versions } : {}),
    answered: (key, error) => conditions.answered(key, error),
  })
  const agents = new Agents({ bus: p.bus, graph, book, syncer, sleep: p.sleep, monotonic: p.monotonic, report })
  const keys = startKeys(p, { state, book, report })
  return { p, state, book, syncer, agents, conditions, report, isReady, keys }
}

/** The engine with its calls; what looks at ended jobs is handed in later, because it needs the engine. */
function makeEngine(s: Shared, plugins: Plugins, ended: (job: JobView, resourceUuid: string) => void): ControllerEngine {
  const { p, state, agents, report } = s
  const { graph } = state
  const consoleSecret = consoleSecretOf(p.siteKey)
  const jobs = jobsPort(() => engine, graph)
  const world: World = { graph, now: p.now, newId: p.newId, random: p.random, agents, secrets: p.secrets, jobs, consoleSecret }
  Object.assign(world, { plugins: plugins.port, workflows: plugins.book })
  if (p.simulator) {
    const { file: simulator, fetch } = p.simulator
    world.deploy = deploySimulated({ simulator, fetch, tokens: tokensToDeploy(state, p.now) })
  }
  const { reads, writes, calls } = wiredCalls({ ...s, consoleSecret, engine: () => engine })
  checkCalls(calls)
  const engine: ControllerEngine = new ControllerEngine({
    ...{
      state,
      world,
      now: p.now,
      newId: p.newId,
      sleep: p.sleep,
      timers: p.timers,
      report,
      calls,
      reads,
      writes,
      onEnded: ended,
    },
    seal: (hash) => createHmac('sha256', p.siteKey).update(hash).digest('hex'),
    volatile: accessAnswers({ graph, now: p.now, consoleSecret, address: p.address }),
    disclosed: { CreateAccessKey: (uuid) => disclosedKey({ graph, secrets: p.secrets }, uuid) },
    signed: (request) => signedCaller({ graph, secrets: p.secrets }, request),
    dryRun: (documents) => dryRun({ bus: p.bus, graph, versions: p.versions }, documents),
  })
  return engine
}

/** Never over a log that is damaged or full: what seems unreferenced there may only be out of sight. */
async function tidySecrets(p: ControllerPorts, graph: State['graph']): Promise<void> {
  const left = p.store.status().writable ? await shredOrphans(graph, p.secrets) : 0
  if (left > 0) p.log.info({ secrets: left }, 'secrets shredded that the last process left behind')
}

const hasEnded = (job: JobView) => job.state === 'done' || job.state === 'failed' || job.state === 'stuck'

/** Nothing is made ready over a log that takes no commit: what is there can be read. Tells whether it can only be read. */
async function makeReady(p: ControllerPorts, state: State): Promise<{ only: boolean }> {
  const { reason } = p.store.status()
  if (reason && reason.code !== 'disk-full') {
    p.log.error({ err: reason }, 'the log can only be read: calls that change something are refused, and jobs wait')
    return { only: true }
  }
  await seed(state, p.now(), p.adminPassword)
  await seedNode(state, p.now(), { uuid: p.nodeUuid, hostName: p.address.hostname })
  await tidySecrets(p, state.graph)
  const projected = await state.reprojectAll()
  if (projected > 0) p.log.info({ documents: projected }, 'desired documents brought in line with the graph')
  return { only: false }
}

export async function createController(p: ControllerPorts): Promise<Controller> {
  let ready = false
  const s = sharedParts(p, () => ready)
  const { state, book, syncer, agents, report } = s
  const { graph } = state
  const readable = await makeReady(p, state)
  const plugins = await startPlugins(p.plugins ?? [], { ...p, state, report })
  const engine = makeEngine(s, plugins, (job, resourceUuid) => {
    // A volume that is attached keeps reports of its VM waiting too: both were in one queue.
    for (const uuid of new Set([resourceUuid, graph.get('job', job.uuid)?.['queueKey'] ?? resourceUuid]))
      watch.lookAgain(uuid as string)
    hooks.ended(job.uuid)
    byClock.ended(job, resourceUuid)
    p.bus.publish(subjects.job(job.uuid, 'done'), { uuid: job.uuid, state: job.state, api: job.api })
  })
  const watch = new AgentWatch({
    ...{ bus: p.bus, graph, book, syncer, now: p.now, report },
    busy: (uuid) => engine.busy(uuid),
    refresh: (agentUuid) => agents.refresh(agentUuid),
    // Also on a full disk: it is what has become of things, and the end of deletions.
    commit: (change, actor) => state.commit(change, { actor, urgent: true }),
  })
  const render = (uuid: string) => {
    const job = engine.job(uuid)
    return job && hasEnded(job) ? { ok: job.state === 'done', body: pollBody(job, true).body } : undefined
  }
  const unflushed = new Unflushed()
  const hooks = new Hooks({
    ...{ state, sleep: p.sleep, report, render, flushed: (job: string) => unflushed.until(job) },
    post: p.postHook ?? hookPost(),
  })
  const byClock = tendByClock(p, { state, engine, conditions: s.conditions, report })
  const offs = await start(p, { state, book, syncer, agents, watch, engine, conditions: s.conditions, report })
  const resumed = readable.only ? 0 : engine.resume()
  if (resumed > 0) p.log.info({ jobs: resumed }, 'jobs taken up again')
  await engine.disclosures.again()
  if (!readable.only) hooks.resume()
  ready = true
  const doors = openDoors(p, {
    ...{ engine, state, hooks, unflushed, agents, conditions: s.conditions },
    ready: () => ready && p.store.status().writable,
  })
  return {
    ...{ engine, state, app: doors.app, conditions: s.conditions },
    consoles: { open: consoleBridge(p), tunnel: tunnelBridge(p), other: doors.sockets },
    async stop() {
      ready = false
      await doors.close()
      hooks.stop()
      byClock.stop()
      for (const off of offs) off()
      s.conditions.stop()
      await s.keys?.stop()
      await engine.stop()
      plugins.stop()
    },
  }
}

interface Parts {
  state: State
  book: AgentBook
  agents: Agents
  conditions: Conditions
  syncer: Syncer
  watch: AgentWatch
  engine: ControllerEngine
  report(error: unknown, facts: Row): void
}

/** Everything that goes on by itself. */
async function start(p: ControllerPorts, { state, book, syncer, agents, watch, engine, report }: Parts): Promise<(() => void)[]> {
  const offCommit = p.store.onCommit((commit) => {
    for (const op of commit.ops) {
      if (op.t === 'desired' && op.o === 'put') syncer.committed(op.k)
      else if (op.t === 'agent' && op.o === 'del') book.forget(op.k)
    }
  })
  const offFacts = await publishFacts(p.store, p.bus, { from: p.publishedSeq, published: p.published, report })
  const offSweep = p.every(SWEEP_MS, () => watch.sweep())
  const own = { ...p, state, agents, engine, report }
  return [offCommit, offFacts, offSweep, storageServers(own), tendUploads(own), tendWebhooks(p, own)]
}
