/**
 * A whole site in this process: the real controller on a real log and a real socket, the memory bus, and the real agents on a
 * machine in memory. Starts in a fraction of a second, needs no root, and leaves nothing behind.
 */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Log as AgentLog } from '@skerry/agent'
import { createSite, memoryBroker, realTimers, rightsOf } from '@skerry/bus'
import type { Row } from '@skerry/contract'
import {
  type Controller,
  compareAddresses,
  compareCounters,
  createController,
  type Disk,
  type Listening,
  type Log,
  listen,
  openSecrets,
  openStore,
  realDisk,
  type Store,
  tables,
} from '@skerry/controller/in-process'
import type { FakeHostConfig } from '@skerry/host'
import { graphInventory } from '@skerry/workflow'
import { type FakeMachine, startFakeMachine } from './fake-machine.ts'
import { newUuid, ZStackClient } from './zstack-client.ts'

export interface SmallSiteOptions {
  /** default: real files in a temp folder that is removed at the end */
  disk?: Disk
  host?: FakeHostConfig
}

export interface SmallSite {
  url: string
  client: ZStackClient
  controller: Controller
  store: Store
  machine: FakeMachine
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
const ABOUT_CALLS = new Set(['job', 'jobStep', 'session', 'callKey', 'hook', 'tag'])

function every(ms: number, run: () => void): () => void {
  const timer = setInterval(run, ms)
  return () => clearInterval(timer)
}

export async function startSmallSite(o: SmallSiteOptions = {}): Promise<SmallSite> {
  const dir = o.disk ? '/site' : await mkdtemp(join(tmpdir(), 'skerry-small-'))
  const errors: SmallSite['errors'] = []
  const clock = { ahead: 0, now: () => Date.now() + clock.ahead }
  const broker = memoryBroker()
  const bus = broker.connect(rightsOf({ kind: 'controller' }))
  const storage = await openStorage(dir, o.disk ?? realDisk, clock.now)
  const door = await openDoor({ ...storage, bus, log: logInto(errors), now: clock.now })
  const client = new ZStackClient(door.listening.url)
  await client.login()
  const machine = await startFakeMachine({
    broker,
    controllerUrl: door.listening.url,
    managementIp: MANAGEMENT_IP,
    machineId: newUuid(),
    token: () => enrolmentToken(door.listening.url, client.session!),
    host: { machine: { memoryBytes: 64 * GIB, cpuCount: 16 }, ...o.host },
    log: agentLog(errors),
  })
  const { controller, listening } = door
  const { graph } = controller.state
  return {
    url: listening.url,
    client,
    controller,
    store: storage.store,
    machine,
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
      if (!o.disk) await rm(dir, { recursive: true, force: true })
    },
  }
}

type Storage = Awaited<ReturnType<typeof openStorage>>

async function openStorage(dir: string, disk: Disk, now: () => number) {
  const siteKey = randomBytes(32)
  const secrets = await openSecrets({ dir: `${dir}/secrets`, disk, siteKey, random: randomBytes })
  const store = await openStore({
    dir: `${dir}/log`,
    disk,
    tables,
    clock: now,
    newId: newUuid,
    limits: { reserveBytes: RESERVE_BYTES },
  })
  return { siteKey, secrets, store }
}

type DoorPorts = Storage & { bus: Parameters<typeof createController>[0]['bus']; log: Log; now(): number }

async function openDoor(o: DoorPorts): Promise<{ controller: Controller; listening: Listening }> {
  const { account } = await createSite()
  const address = { hostname: '127.0.0.1', port: 0, scheme: 'ws' }
  const controller = await createController({
    ...o,
    monotonic: () => performance.now(),
    newId: newUuid,
    random: Math.random,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    timers: realTimers,
    every,
    fetch,
    nodeUuid: newUuid(),
    enrol: { accountSeed: account.seed, servers: ['memory'], ca: null },
    address,
    adminPassword: undefined,
    publishedSeq: 0,
    published: () => undefined,
  })
  const app = { fetch: (request: Request, env: unknown) => controller.app.fetch(request, env as never) }
  const { consoles } = controller
  const listening = await listen({
    app: app as typeof controller.app,
    addr: '127.0.0.1',
    port: 0,
    defaultPassword: true,
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

function logInto(errors: SmallSite['errors']): Log {
  return { info: () => undefined, warn: () => undefined, error: (facts, message) => void errors.push({ facts, message }) }
}

function agentLog(errors: SmallSite['errors']): AgentLog {
  const log: AgentLog = { ...logInto(errors), child: () => log }
  return log
}
