/** A whole site inside one lab machine: nats-server with TLS and rights, the controller, the three agents, as `up` starts them. */
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { issueUser } from '@skerry/bus'
import type { AgentKind, Row } from '@skerry/contract'
import { type Client, createClient } from '@skerry/sdk'
import {
  freePort,
  type Lab,
  type LabProcess,
  SHARE,
  startLab,
  startNats,
  type TestNats,
  type VolatileDisk,
  volatileDisk,
} from '@skerry/testkit'
import { until } from '../harness/site.ts'
import { ROOT, SLOW_MS, STATE } from './lab-site.ts'

export type Program = 'nats-server' | 'controller' | `agent-${AgentKind}`
const KINDS: readonly AgentKind[] = ['kvm', 'storage', 'vrouter']
const HTTP_PORT = 8080
const DISK_MIB = 1024
const limit = { timeoutMs: SLOW_MS }

export class MachineSite {
  readonly #dir: string
  readonly #nats: TestNats
  readonly #disk: VolatileDisk
  readonly #port: number
  readonly #running = new Map<Program, LabProcess>()
  lab!: Lab
  client: Client

  constructor(dir: string, parts: { nats: TestNats; disk: VolatileDisk; port: number }) {
    this.#dir = dir
    this.#nats = parts.nats
    this.#disk = parts.disk
    this.#port = parts.port
    this.client = createClient({ baseUrl: this.url })
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** @param clock what the machine's hardware clock says */
  async boot(clock?: Date): Promise<void> {
    const labDir = join(this.#dir, 'lab')
    await rm(labDir, { recursive: true, force: true })
    await cp(join(this.#dir, 'share'), join(labDir, 'share'), { recursive: true })
    const network = { forwards: [{ here: this.#port, there: HTTP_PORT }] }
    this.lab = await startLab({ dir: labDir, disks: [await this.#disk.plug()], network, ...(clock ? { clock } : {}) })
    await this.lab.must(['mkdir', '-p', STATE], limit)
    await this.lab.must(['mount', '/dev/vda', STATE], limit)
  }

  async start(...programs: Program[]): Promise<void> {
    for (const program of programs) this.#running.set(program, await this.lab.start(this.#argv(program)))
    if (programs.includes('controller')) await this.ready()
  }

  ready = () => until(`a ready controller at ${this.url}`, SLOW_MS, async () => (await fetch(`${this.url}/readyz`)).ok)

  process(program: Program): LabProcess {
    const found = this.#running.get(program)
    if (!found) throw new Error(`${program} does not run`)
    return found
  }

  async end(program: Program): Promise<void> {
    const process = this.process(program)
    await process.kill('SIGTERM')
    await process.ended
    this.#running.delete(program)
  }

  /** Ends everything in order, and switches the machine off. */
  async off(): Promise<void> {
    for (const program of [...this.#running.keys()].reverse()) await this.end(program)
    await this.lab.must(['umount', STATE], limit)
    await this.lab.off()
    await this.lab.dispose()
    await this.#disk.settle()
  }

  /** Lays the token of each agent where it looks for it. */
  async tokens(): Promise<void> {
    for (const kind of KINDS) {
      const { token } = (await this.client.call('CreateAgentToken', {})) as { token: string }
      await writeFile(join(this.#dir, 'lab/share', `${kind}.token`), token)
    }
  }

  /** Calls an API and waits for its end; gives the inventory. */
  async call(api: string, params: Row): Promise<Row> {
    const answer = (await this.client.call(api, params, { wait: true })) as { inventory?: Row }
    return answer.inventory ?? (answer as Row)
  }

  async agentsConnected(): Promise<void> {
    await until('three connected agents', SLOW_MS, async () => {
      const { inventories } = await this.client.query('agent', { q: ['status=Connected'] })
      return inventories.length === KINDS.length
    })
  }

  async stop(): Promise<void> {
    await this.lab?.dispose()
    await rm(this.#dir, { recursive: true, force: true })
  }

  #argv(program: Program): string[] {
    const bundle = (name: string) => [process.execPath, join(this.#dir, 'dist', name, 'main.js')]
    if (program === 'nats-server') return ['nats-server', '-c', join(this.#nats.dir, 'nats-server.conf')]
    const state = ['--state-dir', join(STATE, program)]
    if (program === 'controller')
      return [
        ...[...bundle(program), ...state, '--http-port', String(HTTP_PORT), '--nats-url', this.#nats.url],
        ...['--nats-creds', `${SHARE}/controller.json`, '--nats-ca', join(this.#nats.dir, 'ca.pem')],
        ...['--nats-account-seed', `${SHARE}/account.seed`],
      ]
    const kind = program.slice('agent-'.length)
    // libvirt's own test driver: no daemon, no guests, and all of the agent but its domains
    const own = kind === 'kvm' ? ['--libvirt-uri', 'test:///default', '--domain-type', 'qemu'] : []
    return [
      ...[...bundle(program), ...state, '--controller', `http://127.0.0.1:${HTTP_PORT}`],
      ...['--token-file', `${SHARE}/${kind}.token`, '--management-ip', '127.0.0.1', ...own],
    ]
  }
}

export async function machineSite(): Promise<MachineSite> {
  const dir = await mkdtemp(join(tmpdir(), 'skerry-lab-site-'))
  await mkdir(join(dir, 'nats'))
  await mkdir(join(dir, 'share'))
  // Only its keys and its configuration are wanted here: it runs in the lab.
  const nats = await startNats({ dir: join(dir, 'nats'), tls: true, auth: true })
  await nats.stop()
  const accountSeed = nats.site!.account.seed
  const { jwt, seed } = await issueUser({ accountSeed, kind: 'controller' })
  await writeFile(join(dir, 'share/controller.json'), JSON.stringify({ jwt, seed }))
  await writeFile(join(dir, 'share/account.seed'), accountSeed)
  // What runs in the lab stays what it is, whoever builds meanwhile.
  for (const name of ['controller', 'agent-kvm', 'agent-storage', 'agent-vrouter'])
    await cp(join(ROOT, 'dist', name), join(dir, 'dist', name), { recursive: true, verbatimSymlinks: true })
  return new MachineSite(dir, { nats, disk: await volatileDisk(dir, DISK_MIB), port: await freePort() })
}
