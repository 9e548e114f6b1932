/** A real nats-server on a free loopback port with its own folder, for tests. Stopped by its pid, never by name. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type AgentIdentity,
  type ConnectNatsOptions,
  connectNats,
  createCa,
  createSite,
  type GatheringBus,
  issueServerCert,
  issueUser,
  type KeyedCertificate,
  renderConf,
  resolverFile,
  type ServerConfigOptions,
  type Site,
  serverConfig,
  serverSettings,
  type UserKind,
} from '@skerry/bus'
import { freePort } from './free-port.ts'

export interface StartNatsOptions {
  /** Folder for keys, configuration and JetStream; kept on `stop()`. Without it a temporary one, removed on `stop()`. */
  dir?: string
  /** TLS by a CA of its own. Default false. */
  tls?: boolean
  /** Operator, account and user JWTs. Default false: everybody may do everything. With `tls`, it is exactly `serverConfig()`. */
  auth?: boolean
  /** The same site on another server: its keys and its CA, in place of new ones. */
  of?: { site?: Site; ca?: KeyedCertificate }
}

export interface TestConnectOptions extends Partial<Omit<ConnectNatsOptions, 'servers' | 'credentials' | 'inboxPrefix'>> {
  /** For the kind `agent`. */
  agent?: AgentIdentity
}

export interface TestNats {
  /** `tls://127.0.0.1:port` or `nats://…`. */
  readonly url: string
  readonly port: number
  readonly dir: string
  readonly site?: Site
  readonly ca?: KeyedCertificate
  readonly pid: number
  /** A bus with the rights of its kind (all rights without `auth`); reconnects within 50–150 ms. Closed by `stop()` if still open. */
  connect(kind: UserKind, options?: TestConnectOptions): Promise<GatheringBus>
  /** Ends it in an orderly way. Its buses are closed first. */
  stop(): Promise<void>
  /** kill -9. */
  kill(): Promise<void>
  /** Starts it again on the same port and folder, ending it first if it runs. */
  restart(): Promise<void>
  /** The same, without what it had been told of the account: a folder that was lost. */
  forgetAccount(): Promise<void>
  /** SIGHUP: reads configuration and certificates anew. nats-server 2.9 breaks every connection at that. */
  reload(): void
}

const HOST = '127.0.0.1'
const READY_MS = 20_000
const TRIES = 5

/** Throws with the server's own output when it doesn't come up. Needs `nats-server` in the PATH. */
export async function startNats(options: StartNatsOptions = {}): Promise<TestNats> {
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'skerry-nats-')))
  const secrets = await prepare(dir, options)
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort()
    await writeFile(join(dir, 'nats-server.conf'), configText(dir, port, secrets))
    try {
      const server = await launch(dir)
      return testNats({ dir, port, secrets, server, removeDir: options.dir === undefined })
    } catch (error) {
      // between choosing a port and taking it, another process may have taken it
      if (attempt === TRIES || !String(error).includes('address already in use')) throw error
    }
  }
}

interface Secrets {
  site?: Site
  ca?: KeyedCertificate
}

async function prepare(dir: string, { tls = false, auth = false, of }: StartNatsOptions): Promise<Secrets> {
  await mkdir(dir, { recursive: true })
  const ca = tls ? (of?.ca ?? (await createCa())) : undefined
  if (ca) {
    const cert = await issueServerCert(ca, { names: ['localhost'], ips: [HOST] })
    await writeFile(join(dir, 'ca.pem'), ca.certPem)
    await writeFile(join(dir, 'cert.pem'), cert.certPem)
    await writeFile(join(dir, 'key.pem'), cert.keyPem, { mode: 0o600 })
  }
  const site = auth ? (of?.site ?? (await createSite())) : undefined
  if (site) {
    const { name, text } = resolverFile(site)
    await mkdir(join(dir, 'accounts'), { recursive: true })
    await writeFile(join(dir, 'accounts', name), text)
  }
  return { ca, site }
}

function configText(dir: string, port: number, { site, ca }: Secrets): string {
  const listen = { host: HOST, port }
  const jetstreamDir = join(dir, 'jetstream')
  const tls = { certFile: join(dir, 'cert.pem'), keyFile: join(dir, 'key.pem'), caFile: join(dir, 'ca.pem') }
  const full = (given: Site): ServerConfigOptions => ({
    site: given,
    listen,
    tls,
    jetstreamDir,
    resolverDir: join(dir, 'accounts'),
  })
  if (site && ca) return serverConfig(full(site))
  if (site) return renderConf({ ...serverSettings(full(site)), tls: undefined })
  const files = ca ? { cert_file: tls.certFile, key_file: tls.keyFile } : undefined
  return renderConf({ ...listen, server_name: 'test', tls: files, jetstream: { store_dir: jetstreamDir } })
}

/** Resolves when the server says that it is ready, which proves that it is ours that listens. */
async function launch(dir: string): Promise<ChildProcess> {
  const server = spawn('nats-server', ['-c', join(dir, 'nats-server.conf')], { stdio: ['ignore', 'ignore', 'pipe'] })
  const killWithUs = (): void => void server.kill('SIGKILL')
  process.once('exit', killWithUs)
  server.once('exit', () => process.off('exit', killWithUs))
  let output = ''
  await new Promise<void>((resolve, reject) => {
    const fail = (why: string): void => {
      clearTimeout(timer)
      server.kill('SIGKILL')
      reject(new Error(`nats-server ${why}\n${output}`))
    }
    const timer = setTimeout(() => fail('was not ready in time'), READY_MS)
    const onExit = (code: number | null): void => fail(`ended with ${code}`)
    const onOutput = (chunk: Buffer): void => {
      output += chunk.toString()
      if (!output.includes('Server is ready')) return
      clearTimeout(timer)
      server.off('exit', onExit)
      server.stderr.off('data', onOutput).resume() // still read, or a full pipe would stop the server
      resolve()
    }
    server.once('error', (error) => fail(`could not be started: ${error.message}`))
    server.once('exit', onExit)
    server.stderr.on('data', onOutput)
  })
  return server
}

async function end(server: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const exited = once(server, 'exit')
  server.kill(signal)
  await exited
}

interface Running {
  dir: string
  port: number
  secrets: Secrets
  server: ChildProcess
  removeDir: boolean
}

function testNats({ dir, port, secrets, server: first, removeDir }: Running): TestNats {
  let server = first
  const buses = new Set<GatheringBus>()
  const url = `${secrets.ca ? 'tls' : 'nats'}://${HOST}:${port}`
  return {
    ...secrets,
    url,
    port,
    dir,
    get pid() {
      return server.pid as number
    },
    connect: async (kind, options = {}) => {
      const bus = await connectAs({ kind, url, secrets, options })
      buses.add(bus)
      return bus
    },
    stop: async () => {
      await Promise.all([...buses].map((bus) => bus.close()))
      await end(server, 'SIGTERM')
      if (removeDir) await rm(dir, { recursive: true, force: true })
    },
    kill: () => end(server, 'SIGKILL'),
    restart: async () => {
      await end(server, 'SIGTERM')
      server = await launch(dir)
    },
    forgetAccount: async () => {
      await end(server, 'SIGTERM')
      await rm(join(dir, 'accounts'), { recursive: true, force: true })
      server = await launch(dir)
    },
    reload: () => void server.kill('SIGHUP'),
  }
}

async function connectAs(to: {
  kind: UserKind
  url: string
  secrets: Secrets
  options: TestConnectOptions
}): Promise<GatheringBus> {
  const { kind, url, secrets, options } = to
  const { agent, ...rest } = options
  const base: ConnectNatsOptions = {
    name: `test-${kind}`,
    reconnect: { minMs: 50, maxMs: 150 },
    tls: secrets.ca ? { ca: secrets.ca.certPem } : undefined,
    ...rest,
    servers: [url],
  }
  if (!secrets.site) return connectNats(base)
  const signed = { accountSeed: secrets.site.signingKey.seed, account: secrets.site.account.publicKey }
  if (kind === 'agent' && !agent) throw new Error('connect("agent") needs options.agent = { kind, uuid }')
  const user = await issueUser(kind === 'agent' ? { ...signed, kind, agent: agent as AgentIdentity } : { ...signed, kind })
  return connectNats({ ...base, inboxPrefix: user.inboxPrefix, credentials: { jwt: user.jwt, seed: user.seed as string } })
}
