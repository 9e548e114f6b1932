/**
 * Controllers that come and go over machines in memory that stay: a site is backed up, its controller lost, restored into another
 * folder, and the same agents find it on the same bus. Real store, real files, real agent code; nothing is left behind.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Log as AgentLog } from '@skerry/agent'
import { checkBackup, open as openBackup, readFileChunks, seal, withKeys, writeBackupFile } from '@skerry/backup'
import { createSite, memoryBroker, realTimers, rightsOf } from '@skerry/bus'
import { type Row, siteFiles } from '@skerry/contract'
import {
  backupStream,
  type Controller,
  compareAddresses,
  compareCounters,
  createController,
  type Listening,
  listen,
  loadSiteKey,
  openDocument,
  openSecrets,
  openStore,
  type Restored,
  realDisk,
  restoreBackup,
  type Store,
  tables,
} from '@skerry/controller/in-process'
import { type Client, createClient } from '@skerry/sdk'
import { type FakeMachine, startFakeMachine } from './fake-machine.ts'
import { newUuid } from './zstack-client.ts'

const GIB = 1024 ** 3
export const PASSPHRASE = 'a passphrase of this test'
const CEILING_MS = 30_000
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
const owner = { pid: process.pid, hostName: 'test' }

export interface RunningController {
  url: string
  client: Client
  controller: Controller
  store: Store
  stop(): Promise<void>
}

export interface MovableSite {
  dir: string
  machines: FakeMachine[]
  errors: { facts: Row; message: string }[]
  /** the controller that runs now */
  now(): RunningController
  addMachine(managementIp: string): Promise<FakeMachine>
  /** starts a controller over the state in `<dir>/<name>/controller`; the first makes it */
  start(name: string): Promise<RunningController>
  backup(): Promise<string>
  restore(file: string, name: string, replace?: boolean): Promise<Restored>
  call(api: string, params: Row): Promise<Row>
  rows(table: string): Row[]
  /** polls until it holds; the error names what was waited for */
  until<T>(what: string, probe: () => T | undefined | false | Promise<T | undefined | false>): Promise<T>
  contradictions(): unknown[]
  /** so much time passes at once for the controller: whoever does not speak soon is silent */
  pass(ms: number): void
  stop(): Promise<void>
}

/** Agents that live ten times as fast: a heartbeat each half second. */
const HASTE = 10
const hasty: typeof realTimers = {
  set: (fn, ms) => realTimers.set(fn, ms / HASTE),
  clear: (handle) => realTimers.clear(handle),
  nowMs: () => realTimers.nowMs() * HASTE,
}

function every(ms: number, run: () => void): () => void {
  const timer = setInterval(run, ms)
  return () => clearInterval(timer)
}

export async function startMovableSite(): Promise<MovableSite> {
  const dir = await mkdtemp(join(tmpdir(), 'skerry-movable-'))
  const broker = memoryBroker()
  const { account } = await createSite()
  const errors: MovableSite['errors'] = []
  const log: AgentLog = {
    ...{ info: () => undefined, warn: () => undefined, child: () => log },
    error: (facts, message) => void errors.push({ facts, message }),
  }
  const machines: FakeMachine[] = []
  const running: { it?: RunningController; name?: string } = {}
  const clock = { ahead: 0 }
  const now = () => running.it!
  const site: MovableSite = {
    ...{ dir, machines, errors, now },
    async addMachine(managementIp) {
      const machine = await startFakeMachine({
        ...{ broker, controllerUrl: now().url, managementIp, machineId: newUuid(), log },
        token: async () => (await now().client.call('CreateAgentToken', {}))['token'] as string,
        timers: hasty,
        host: { machine: { memoryBytes: 64 * GIB, cpuCount: 16 } },
      })
      machines.push(machine)
      return machine
    },
    async start(name) {
      const bus = broker.connect(rightsOf({ kind: 'controller' }))
      const monotonic = () => performance.now() + clock.ahead
      running.it = await startController({ siteDir: join(dir, name), bus, log, accountSeed: account.seed, monotonic })
      running.name = name
      return running.it
    },
    async backup() {
      const path = join(dir, `backup-${newUuid().slice(0, 8)}`)
      const response = await fetch(`${now().url}/v1/backup`, { headers: { authorization: `Bearer ${await sessionOf(now())}` } })
      const siteDir = join(dir, running.name!)
      await writeBackupFile({ path }, seal(withKeys(response.body as never, await keysOf(siteDir)), PASSPHRASE, 4))
      await checkBackup(openBackup(readFileChunks(path), PASSPHRASE))
      return path
    },
    restore: (file, name, replace = false) =>
      restoreBackup({
        ...{ source: readFileChunks(file), passphrase: PASSPHRASE, replace, owner },
        ...{ controllerDir: join(dir, name, 'controller'), siteDir: join(dir, name) },
        ...{ now: Date.now, newId: newUuid, random: randomBytes },
      }),
    async call(api, params) {
      const answer = await now().client.call(api, params, { wait: true })
      return (answer['inventory'] as Row | undefined) ?? answer
    },
    rows: (table) => [...now().controller.state.graph.rows(table)].map(([, row]) => row as Row),
    async until(what, probe) {
      for (const end = Date.now() + CEILING_MS; ; await sleep(10)) {
        const found = await probe()
        if (found) return found
        if (Date.now() > end) throw new Error(`waited in vain for ${what}`)
      }
    },
    contradictions: () => [...compareCounters(now().controller.state.graph), ...compareAddresses(now().controller.state.graph)],
    pass: (ms) => void (clock.ahead += ms),
    async stop() {
      for (const machine of machines) await machine.stop()
      await running.it?.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
  await site.start('first')
  return site
}

const sessionOf = async ({ client }: RunningController) => (await client.login('admin', 'password')).uuid

/** What a site has besides its controller's state: made up but for the key that opens the secrets. */
async function keysOf(siteDir: string) {
  const keys: { file: string; data: string }[] = []
  for (const file of Object.values(siteFiles)) {
    const path = join(siteDir, file)
    if (file !== siteFiles.siteKey) {
      await mkdir(dirname(path), { recursive: true })
      await writeFile(path, `content of ${file}`, { mode: 0o600 })
    }
    keys.push({ file, data: (await readFile(path)).toString('base64') })
  }
  return keys
}

interface Parts {
  siteDir: string
  bus: Parameters<typeof createController>[0]['bus']
  log: AgentLog
  accountSeed: string
  monotonic(): number
}

async function startController({ siteDir, bus, log, accountSeed, monotonic }: Parts): Promise<RunningController> {
  const dir = join(siteDir, 'controller')
  const siteKey = await loadSiteKey(`${dir}/site.key`)
  const secrets = await openSecrets({ dir: `${dir}/secrets`, disk: realDisk, siteKey, random: randomBytes })
  const limits = { reserveBytes: 1024 ** 2 }
  const store = await openStore({ dir: `${dir}/log`, disk: realDisk, tables, clock: Date.now, newId: newUuid, limits })
  const { low: node, existed } = await openDocument(realDisk, `${dir}/node.json`, { uuid: newUuid(), publishedSeq: 0 })
  if (!existed) await node.write()
  const address = { hostname: '127.0.0.1', port: 0, scheme: 'ws' }
  const pause = () => new Promise<void>((resolve) => setImmediate(resolve))
  const nodeUuid = node.data.uuid
  const controller = await createController({
    ...{ store, secrets, siteKey, bus, log, address, every, sleep, monotonic, nodeUuid },
    ...{ now: Date.now, newId: newUuid, random: Math.random, timers: realTimers },
    enrol: { accountSeed, servers: ['memory'], ca: null },
    adminPassword: undefined,
    publishedSeq: node.data.publishedSeq,
    published: () => undefined,
    backup: () =>
      backupStream({ store, disk: realDisk, secretsDir: `${dir}/secrets`, nodeUuid, now: Date.now, monotonic, pause }),
  })
  const listening = await open(controller, log)
  address.port = listening.port
  const client = createClient({ baseUrl: listening.url })
  await client.login('admin', 'password')
  return {
    ...{ url: listening.url, client, controller, store },
    async stop() {
      await listening.close()
      await controller.stop()
      await bus.close()
      await store.close()
    },
  }
}

function open(controller: Controller, log: AgentLog): Promise<Listening> {
  const app = { fetch: (request: Request, env: unknown) => controller.app.fetch(request, env as never) } as typeof controller.app
  return listen({ app, addr: '127.0.0.1', port: 0, defaultPassword: true, consoles: controller.consoles, log })
}
