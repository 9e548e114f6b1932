/**
 * A whole site on this machine, from the built bundles: nats-server with TLS and rights, the controller, the three agents, a
 * private libvirtd; everything in one folder, on free ports, under its own names. Each process can be killed and started again.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { issueUser } from '@skerry/bus'
import { type AgentKind, apis, type Row } from '@skerry/contract'
import { type LibvirtdHandle, startLibvirtd } from '@skerry/libvirt'
import { type Client, createClient } from '@skerry/sdk'
import { freePort, startNats, type TestNats } from '@skerry/testkit'

const ROOT = join(import.meta.dirname, '../..')
const READY_MS = 60_000
export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** Polls until it gives something true; the error names what was waited for. The limit is a ceiling, not a measure. */
export async function until<T>(
  what: string,
  ms: number,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  const end = Date.now() + ms
  let last: unknown
  for (;;) {
    try {
      const found = await probe()
      if (found) return found
    } catch (error) {
      last = error
    }
    if (Date.now() > end) {
      const why = last instanceof Error ? `: ${last.message}` : ''
      throw new Error(`waited ${ms} ms in vain for ${what}${why}`, { cause: last })
    }
    await sleep(100)
  }
}

export type Program = 'controller' | `agent-${AgentKind}`

/** One process of the site: its arguments stay, so that it can be started again as it was. */
export class Service {
  readonly name: Program
  readonly #argv: readonly string[]
  readonly #env: Record<string, string>
  readonly #log: string
  #child: ChildProcess | undefined

  constructor(name: Program, argv: readonly string[], dir: string) {
    this.name = name
    this.#argv = argv
    this.#env = { PATH: process.env['PATH'] ?? '', NODE_ENV: 'production' }
    this.#log = join(dir, `${name}.log`)
  }
  get pid(): number | undefined {
    return this.#child?.exitCode === null && this.#child.signalCode === null ? this.#child.pid : undefined
  }
  start(): void {
    const log = createWriteStream(this.#log, { flags: 'a' })
    this.#child = spawn(process.execPath, [join(ROOT, 'dist', this.name, 'main.js'), ...this.#argv], {
      env: this.#env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child.stdout?.pipe(log)
    this.#child.stderr?.pipe(log)
  }
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child
    if (!child || this.pid === undefined) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }
}

export interface TestSite {
  dir: string
  url: string
  client: Client
  nats: TestNats
  /** another one after a boot of the host */
  libvirtd: LibvirtdHandle
  services: Record<Program, Service>
  /** Calls an API and waits for its end; gives the inventory. Throws SkerryError. */
  call(api: string, params: Row): Promise<Row>
  kill(program: Program): Promise<void>
  start(program: Program): Promise<void>
  stop(): Promise<void>
}

const KINDS: readonly AgentKind[] = ['kvm', 'storage', 'vrouter']

/** `adminPassword`: the controller is started as `up` does it, with this password in a file and all keys of the site. */
export async function startSite({ adminPassword }: { adminPassword?: string } = {}): Promise<TestSite> {
  const dir = await mkdtemp(join(tmpdir(), 'skerry-site-'))
  // dnsmasq and qemu run as other users: they must be able to pass through.
  await chmod(dir, 0o755)
  const nats = await startNats({ dir: await folder(dir, 'nats'), tls: true, auth: true })
  const libvirtd = await startLibvirtd({ dir: await folder(dir, 'libvirt') })
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const argv = adminPassword ? await argsOfUp(dir, nats, { port, adminPassword }) : await controllerArgs(dir, nats, port)
  const services = { controller: new Service('controller', argv, dir) } as Record<Program, Service>
  services.controller.start()
  await ready(url)
  const client = createClient({ baseUrl: url })
  await client.login('admin', adminPassword ?? 'password')
  for (const kind of KINDS) services[`agent-${kind}`] = await enrolled(kind, { dir, url, client, uri: libvirtd.uri })
  await until('three connected agents', READY_MS, async () => {
    const { inventories } = (await client.query('agent', { q: ['status=Connected'] })) as { inventories: Row[] }
    return inventories.length === KINDS.length
  })
  return site({ dir, url, client, nats, libvirtd, services })
}

async function folder(dir: string, name: string): Promise<string> {
  const path = join(dir, name)
  await mkdir(path, { recursive: true })
  return path
}

export async function controllerArgs(dir: string, nats: TestNats, port: number): Promise<string[]> {
  const secret = async (name: string, text: string) => {
    const file = join(dir, name)
    await writeFile(file, text, { mode: 0o600 })
    return file
  }
  const accountSeed = nats.site!.account.seed
  const user = await issueUser({ accountSeed, kind: 'controller' })
  return [
    '--state-dir',
    await folder(dir, 'controller'),
    '--http-port',
    String(port),
    '--nats-url',
    nats.url,
    '--nats-creds',
    await secret('controller.creds.json', JSON.stringify({ jwt: user.jwt, seed: user.seed })),
    '--nats-ca',
    await secret('ca.pem', nats.ca!.certPem),
    '--nats-account-seed',
    await secret('account.seed', accountSeed),
  ]
}

/** As `up` starts it: with all keys of the site, and the first password in a file. */
async function argsOfUp(dir: string, nats: TestNats, o: { port: number; adminPassword: string }): Promise<string[]> {
  const secret = async (name: string, text: string) => {
    const file = join(dir, name)
    await writeFile(file, text, { mode: 0o600 })
    return file
  }
  return [
    ...['--state-dir', await folder(dir, 'controller'), '--http-port', String(o.port), '--nats-url', nats.url],
    ...[
      '--nats-ca',
      await secret('ca.pem', nats.ca!.certPem),
      '--nats-site',
      await secret('site.json', JSON.stringify(nats.site)),
    ],
    ...['--admin-password-file', await secret('admin.password', o.adminPassword)],
  ]
}

async function enrolled(kind: AgentKind, o: { dir: string; url: string; client: Client; uri: string }): Promise<Service> {
  const { token } = (await o.client.call('CreateAgentToken', {})) as { token: string }
  const tokenFile = join(o.dir, `${kind}.token`)
  await writeFile(tokenFile, token, { mode: 0o600 })
  const own = kind === 'kvm' ? ['--libvirt-uri', o.uri, '--domain-type', 'qemu'] : []
  const args = [
    '--state-dir',
    await folder(o.dir, `agent-${kind}`),
    '--controller',
    o.url,
    '--token-file',
    tokenFile,
    '--management-ip',
    '127.0.0.1',
    ...own,
  ]
  const service = new Service(`agent-${kind}`, args, o.dir)
  service.start()
  return service
}

const ready = (url: string) => until(`a ready controller at ${url}`, READY_MS, async () => (await fetch(`${url}/readyz`)).ok)

function site(parts: Pick<TestSite, 'dir' | 'url' | 'client' | 'nats' | 'libvirtd' | 'services'>): TestSite {
  const { client, services, url, nats, dir } = parts
  const own: TestSite = {
    ...parts,
    async call(api, params) {
      const sync = apis.find((a) => a.api.api === api)?.api.sync
      const answer = (await client.call(api, params, sync ? {} : { wait: true })) as { inventory?: Row }
      return answer.inventory ?? (answer as Row)
    },
    kill: (program) => services[program].end('SIGKILL'),
    async start(program) {
      services[program].start()
      if (program === 'controller') await ready(url)
    },
    async stop() {
      for (const service of Object.values(services)) await service.end('SIGTERM')
      await own.libvirtd.stop({ destroyDomains: true })
      await nats.stop()
      if (process.env['SKERRY_KEEP'] !== '1') await rm(dir, { recursive: true, force: true })
    },
  }
  return own
}
