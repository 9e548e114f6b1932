/**
 * A whole site in this process: the real controller on a real log and a real socket, the memory bus, and the real agents on a
 * machine in memory. Starts in a fraction of a second, needs no root, and leaves nothing behind.
 */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Log as AgentLog } from '@skerry/agent'
import { type Bus, createSite, type MemoryBroker, type MemoryBus, memoryBroker, realTimers, rightsOf } from '@skerry/bus'
import { type DocumentVersions, type Row, subjects } from '@skerry/contract'
import {
  backupStream,
  type Controller,
  compareAddresses,
  compareCounters,
  createController,
  type DeclarationFile,
  type Disk,
  type Listening,
  type Log,
  listen,
  openSecrets,
  openStore,
  type PluginSource,
  realDisk,
  type Store,
  type StoreLimits,
  tables,
} from '@skerry/controller/in-process'
import type { FakeHostConfig } from '@skerry/host'
import { graphInventory } from '@skerry/workflow'
import { type FakeMachine, type FakeMachineOptions, startFakeMachine } from './fake-machine.ts'
import type { SimTime } from './sim-time.ts'
import { newUuid, ZStackClient } from './zstack-client.ts'

export interface SmallSiteOptions {
  /** default: real files in a temp folder that is removed at the end */
  disk?: Disk
  host?: FakeHostConfig
  /** where those files go, instead; the folder stays */
  dir?: string
  limits?: Partial<StoreLimits>
  /** what agents keep of the past */
  keep?: FakeMachineOptions['keep']
  /** ended jobs that the controller keeps; default: its own */
  keepJobs?: number
  /** as those of declared workflows; default: none */
  plugins?: readonly PluginSource[]
  workflows?: readonly DeclarationFile[]
  /** default: `password` */
  adminPassword?: string
  /** calls of the API are answered there, too; whoever gives it closes it */
  callers?: Bus
  /** default: real time */
  time?: SimTime
  /** schemas of documents that the controller writes; default: today's */
  versions?: DocumentVersions
  /** what an agent is built of, from what today's code builds: asked each time one begins */
  otherParts?: FakeMachineOptions['otherParts']
  /** storage servers; default: there are none */
  sftp?: FakeMachineOptions['sftp']
  /** default: it makes none */
  backups?: boolean
  /** hears everything that controller and agents log */
  said?(facts: Row, message: string): void
}

export interface SmallSite {
  url: string
  client: ZStackClient
  controller: Controller
  store: Store
  machine: FakeMachine
  /** to listen on the bus */
  broker: MemoryBroker
  /** the controller's own connection */
  bus: MemoryBus
  /** every request that the controller made */
  asked: { subject: string; data: unknown }[]
  /** what was logged as an error by controller and agents: empty unless a test provokes one */
  errors: { facts: Row; message: string }[]
  /** moves the controller's clock */
  advance(ms: number): void
  /** all rows but those of jobs and sessions, as text to compare */
  state(): string
  /** resolves when no job is under way and no agent has anything left to remove */
  settled(): Promise<void>
  /** what the audit finds in the graph alone; its agents' hosts have `client`'s audit */
  contradictions(): unknown[]
  stop(): Promise<void>
}

export const MANAGEMENT_IP = '192.0.2.10'
const GIB = 1024 ** 3
const RESERVE_BYTES = 1024 ** 2
/** Rows that come and go with calls, refused ones too. */
export const ABOUT_CALLS = new Set(['job', 'jobStep', 'session', 'callKey', 'hook', 'tag'])

function every(ms: number, run: () => void): () => void {
  const timer = setInterval(run, ms)
  return () => clearInterval(timer)
}

export async function startSmallSite(o: SmallSiteOptions = {}): Promise<SmallSite> {
  const dir = o.dir ?? (o.disk ? '/site' : await mkdtemp(join(tmpdir(), 'skerry-small-')))
  const errors: SmallSite['errors'] = []
  const timers = o.time ?? realTimers
  const began = Date.now() - timers.nowMs()
  const clock = { ahead: 0, now: () => Math.floor(began + timers.nowMs() + clock.ahead) }
  const broker = memoryBroker()
  const bus = broker.connect(rightsOf({ kind: 'controller' }), { timers })
  const asked = overheard(answering(bus, o.callers))
  const storage = await openStorage(dir, {
    disk: o.disk ?? realDisk,
    now: clock.now,
    every: o.time?.every ?? every,
    limits: o.limits,
  })
  const { adminPassword, said } = o
  const door = await openDoor({
    ...storage,
    bus,
    log: logInto(errors, said),
    now: clock.now,
    adminPassword,
    time: o.time,
    ...{ versions: o.versions, keepJobs: o.keepJobs, plugins: o.plugins, workflows: o.workflows ?? [] },
    ...(o.backups ? { backup: backupOf(storage.store, { dir, now: clock.now, disk: o.disk ?? realDisk }) } : {}),
  })
  const client = new ZStackClient(door.listening.url)
  await client.login(adminPassword)
  const machine = await startFakeMachine({
    broker,
    controllerUrl: door.listening.url,
    managementIp: MANAGEMENT_IP,
    machineId: newUuid(),
    token: () => enrolmentToken(door.listening.url, client.session!),
    host: { machine: { memoryBytes: 64 * GIB, cpuCount: 16 }, ...o.host },
    log: agentLog(errors, said),
    ...(o.otherParts ? { otherParts: o.otherParts } : {}),
    ...(o.sftp ? { sftp: o.sftp } : {}),
    timers,
    wallBegan: began,
    ...(o.keep ? { keep: o.keep } : {}),
  })
  const { controller, listening } = door
  const { graph } = controller.state
  return {
    url: listening.url,
    client,
    controller,
    store: storage.store,
    machine,
    ...{ broker, bus, asked },
    errors,
    advance: (ms) => void (clock.ahead += ms),
    state: () => JSON.stringify(Object.entries(graphInventory(graph)).filter(([table]) => !ABOUT_CALLS.has(table))),
    async settled() {
      const busy = () =>
        ['processing', 'undoing'].some((state) => graph.countBy('job', 'state', state) > 0) ||
        [...graph.rows('desired')].some(([, row]) => row['tombstone'])
      while (busy()) await new Promise((resolve) => setTimeout(resolve, 5))
    },
    contradictions: () => [...compareCounters(graph), ...compareAddresses(graph)],
    async stop() {
      await machine.stop()
      await listening.close()
      await controller.stop()
      await bus.close()
      await storage.store.close()
      if (!o.disk && !o.dir) await rm(dir, { recursive: true, force: true })
    },
  }
}

function overheard(bus: MemoryBus): SmallSite['asked'] {
  const asked: SmallSite['asked'] = []
  const request = bus.request.bind(bus)
  bus.request = (subject, data, opts) => {
    asked.push({ subject, data })
    return request(subject, data, opts)
  }
  return asked
}

/** Whoever serves calls of the API on `bus` serves them on `callers` as well. */
function answering(bus: MemoryBus, callers: Bus | undefined): MemoryBus {
  const serve = bus.serve.bind(bus)
  bus.serve = (pattern, handler, opts) => {
    if (pattern === subjects.apiOfAll) callers?.serve(pattern, handler, opts)
    return serve(pattern, handler, opts)
  }
  return bus
}

type Storage = Awaited<ReturnType<typeof openStorage>>

interface StorageParts {
  disk: Disk
  limits: SmallSiteOptions['limits']
  now(): number
  every: typeof every
}

async function openStorage(dir: string, { disk, now, every, limits }: StorageParts) {
  const siteKey = randomBytes(32)
  const secrets = await openSecrets({ dir: `${dir}/secrets`, disk, siteKey, random: randomBytes })
  const store = await openStore({
    dir: `${dir}/log`,
    disk,
    tables,
    clock: now,
    every,
    newId: newUuid,
    limits: { reserveBytes: RESERVE_BYTES, ...limits },
  })
  return { siteKey, secrets, store }
}

/** Of a controller whose folder this is. */
const backupOf =
  (store: Store, { dir, ...ports }: { dir: string; now(): number; disk: Disk }) =>
  () =>
    backupStream({
      ...{ store, secretsDir: `${dir}/secrets`, nodeUuid: newUuid(), ...ports },
      ...{ monotonic: realTimers.nowMs, pause: () => new Promise((resolve) => setImmediate(resolve)) },
    })

interface DoorPorts extends Storage {
  bus: Parameters<typeof createController>[0]['bus']
  log: Log
  now(): number
  adminPassword: string | undefined
  versions: DocumentVersions | undefined
  time: SimTime | undefined
  keepJobs: number | undefined
  plugins: readonly PluginSource[] | undefined
  workflows: readonly DeclarationFile[]
  backup?: ReturnType<typeof backupOf>
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

async function openDoor(o: DoorPorts): Promise<{ controller: Controller; listening: Listening }> {
  const { account } = await createSite()
  const address = { hostname: '127.0.0.1', port: 0, scheme: 'ws' }
  const { keepJobs, plugins = [], ...ports } = o
  const controller = await createController({
    ...ports,
    ...(keepJobs === undefined ? {} : { keepJobs }),
    plugins,
    newId: newUuid,
    random: Math.random,
    monotonic: (o.time ?? realTimers).nowMs,
    sleep: o.time?.sleep ?? sleep,
    timers: o.time ?? realTimers,
    every: o.time?.every ?? every,
    nodeUuid: newUuid(),
    enrol: { accountSeed: account.seed, servers: ['memory'], ca: null },
    address,
    publishedSeq: 0,
    published: () => undefined,
  })
  const app = { fetch: (request: Request, env: unknown) => controller.app.fetch(request, env as never) }
  const { consoles } = controller
  const listening = await listen({
    app: app as typeof controller.app,
    addr: '127.0.0.1',
    port: 0,
    defaultPassword: o.adminPassword === undefined,
    consoles,
    log: o.log,
  })
  address.port = listening.port
  return { controller, listening }
}

async function enrolmentToken(url: string, session: string): Promise<string> {
  const headers = { Authorization: `Bearer ${session}`, 'Content-Type': 'application/json' }
  const response = await fetch(`${url}/v1/agents/tokens`, { method: 'POST', headers, body: '{}' })
  return ((await response.json()) as { token: string }).token
}

function logInto(errors: SmallSite['errors'], said: SmallSiteOptions['said']): Log {
  const say = (facts: Row, message: string) => said?.(facts, message)
  return {
    info: say,
    warn: say,
    error(facts, message) {
      say(facts, message)
      errors.push({ facts, message })
    },
  }
}

function agentLog(errors: SmallSite['errors'], said: SmallSiteOptions['said']): AgentLog {
  const log: AgentLog = { ...logInto(errors, said), child: () => log }
  return log
}
