/**
 * A site with real keys: nats-server with TLS and rights, the controller in a process of its own (so that it can be killed), and
 * the agents' own code on a machine in memory, over that NATS. No root; leaves nothing behind.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Log as AgentLog, connectionOf, type Identity } from '@skerry/agent'
import { connectNats, type RetiringBus } from '@skerry/bus'
import type { Row } from '@skerry/contract'
import { freePort, startNats, type TestNats } from '@skerry/testkit'
import { type FakeMachine, startFakeMachine } from './fake-machine.ts'
import { until } from './site.ts'
import { MANAGEMENT_IP } from './small-site.ts'
import { newUuid, ZStackClient } from './zstack-client.ts'

const ROOT = join(import.meta.dirname, '../..')
const GIB = 1024 ** 3
const READY_MS = 60_000

export interface KeyedSite {
  dir: string
  url: string
  nats: TestNats
  client: ZStackClient
  machine: FakeMachine
  /** errors and warnings of the agents' connections */
  said: { message: string; code: string }[]
  /** A call of our own dialect. Throws with the answer when it is no 2xx. */
  own(method: string, path: string, body?: unknown): Promise<Row>
  /** How an agent gets onto the bus with this identity. */
  connect(identity: Identity): Promise<RetiringBus>
  kill(signal?: 'SIGKILL' | 'SIGTERM'): Promise<void>
  start(): Promise<void>
  controllerLog(): Promise<string>
  stop(): Promise<void>
}

export async function startKeyedSite(): Promise<KeyedSite> {
  const dir = await mkdtemp(join(tmpdir(), 'skerry-keyed-'))
  const nats = await startNats({ tls: true, auth: true })
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const argv = await controllerArgs(dir, nats, port)
  const log = join(dir, 'controller.log')
  let child: ChildProcess | undefined
  const start = async () => {
    const out = createWriteStream(log, { flags: 'a' })
    child = spawn(process.execPath, ['--import', 'tsx', join(ROOT, 'controller/src/main.ts'), ...argv], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child.stdout?.pipe(out)
    child.stderr?.pipe(out)
    const ended = once(child, 'exit').then(async () => {
      throw new Error(`the controller ended:\n${await readFile(log, 'utf8')}`)
    })
    ended.catch(() => undefined) // later ends are the tests' own
    await Promise.race([ended, until('a ready controller', READY_MS, async () => (await fetch(`${url}/readyz`)).ok)])
  }
  const kill = async (signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL') => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }
  await start()
  const client = new ZStackClient(url)
  await client.login()
  const said: KeyedSite['said'] = []
  const own = (method: string, path: string, body?: unknown) => ownCall(`${url}/v1${path}`, client.session!, { method, body })
  const connect = (identity: Identity) =>
    connectNats({
      ...connectionOf(identity.kind, identity),
      reconnect: { minMs: 50, maxMs: 150 },
      onError: (error) => void said.push({ message: error.message, code: error.code }),
    })
  const machine = await startFakeMachine({
    broker: connect,
    controllerUrl: url,
    managementIp: MANAGEMENT_IP,
    machineId: newUuid(),
    token: async () => String((await own('POST', '/agents/tokens', {}))['token']),
    host: { machine: { memoryBytes: 64 * GIB, cpuCount: 16 } },
    log: quiet,
  })
  return {
    ...{ dir, url, nats, client, machine, said, own, connect, kill, start },
    controllerLog: () => readFile(log, 'utf8'),
    async stop() {
      await machine.stop()
      await kill('SIGTERM')
      await nats.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

const quiet: AgentLog = { info: () => undefined, warn: () => undefined, error: () => undefined, child: () => quiet }

async function controllerArgs(dir: string, nats: TestNats, port: number): Promise<string[]> {
  await writeFile(join(dir, 'site.json'), JSON.stringify(nats.site), { mode: 0o600 })
  return [
    ...['--state-dir', join(dir, 'controller'), '--http-port', String(port)],
    ...['--nats-url', nats.url, '--nats-ca', join(nats.dir, 'ca.pem'), '--nats-site', join(dir, 'site.json')],
  ]
}

async function ownCall(url: string, session: string, o: { method: string; body: unknown }): Promise<Row> {
  const response = await fetch(url, {
    method: o.method,
    headers: { Authorization: `Bearer ${session}`, 'Content-Type': 'application/json' },
    ...(o.body === undefined ? {} : { body: JSON.stringify(o.body) }),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${o.method} ${url}: ${response.status} ${text}`)
  return JSON.parse(text) as Row
}
