/**
 * A site with its controller in the kernel lab, on a disk of its own that forgets what wasn't flushed when the plug is pulled.
 * nats-server and the host with its agents are outside and live on, as other machines do.
 */
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Log as AgentLog } from '@skerry/agent'
import { connectNats, issueUser, rightsOf } from '@skerry/bus'
import {
  freePort,
  type Lab,
  type LabProcess,
  requireOrSkip,
  SHARE,
  startLab,
  startNats,
  type TestNats,
  type VolatileDisk,
  volatileDisk,
} from '@skerry/testkit'
import { type FakeMachine, startFakeMachine } from '../harness/fake-machine.ts'
import { until } from '../harness/site.ts'
import { MANAGEMENT_IP } from '../harness/small-site.ts'
import { makeSmallWorld, type SmallWorld } from '../harness/small-world.ts'
import { newUuid, ZStackClient } from '../harness/zstack-client.ts'

export const ROOT = join(import.meta.dirname, '../..')
/** Where the disk is mounted in the lab. */
export const STATE = '/srv/state'
const HTTP_PORT = 8080
/** Everything in the lab is 10 to 50 times slower than here. A ceiling. */
export const SLOW_MS = 300_000
const GIB = 1024 ** 3
/** Of this machine, which is also what is seen in the lab. */
const PROGRAMS = ['qemu-system-x86_64', 'qemu-img', 'mkfs.ext4', 'fsck.ext4', 'dmsetup', 'nft', 'nats-server', 'cpio', 'depmod']
export const labRuns = (suite: string): boolean => requireOrSkip(suite, { programs: PROGRAMS })
/** Of the disk: the log's reserve of 64 MiB and room beside it. */
const DISK_MIB = 512

export interface Running {
  lab: Lab
  controller: LabProcess
}

export interface LabSite {
  url: string
  client: ZStackClient
  nats: TestNats
  /** All but the zone: only with a host. */
  world: Partial<SmallWorld> & { zone: string }
  /** Boots from the disk as it is, and starts the controller; `env` is its. Resolves when it is ready. */
  boot(o?: BootOptions): Promise<Running>
  /** Starts the controller again in a lab that runs. */
  startIn(lab: Lab): Promise<LabProcess>
  /** Pulls the plug. */
  cut(running: Running): Promise<void>
  /** Ends controller and lab in order. */
  off(running: Running): Promise<void>
  stop(): Promise<void>
}

export interface BootOptions {
  /** Gives the device to mount instead of the disk itself. */
  device?(lab: Lab): Promise<string>
  /** Runs in the lab when the disk is mounted and nothing is started yet. */
  before?(lab: Lab): Promise<void>
  /** Files to lay into the share first: name → content. */
  files?: Record<string, string>
  env?: Record<string, string>
}

export interface LabSiteOptions {
  /** Has a host with agents, and a world that VM instances can be made in. Default: only a zone. */
  host?: boolean
  /** Lays files into a folder that the lab sees as SHARE at every boot. */
  prepare?(dir: string): Promise<void>
}

/** Up and running; what was begun is taken down when it fails. */
export async function startLabSite(o: LabSiteOptions = {}): Promise<{ site: LabSite; running: Running }> {
  const dir = await mkdtemp(join(tmpdir(), 'skerry-lab-site-'))
  const undo: (() => Promise<unknown>)[] = [() => rm(dir, { recursive: true, force: true })]
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step()
  }
  try {
    const nats = await startNats({ dir: await folder(dir, 'nats'), auth: true })
    undo.push(() => nats.stop())
    await secrets(dir, nats)
    await o.prepare?.(join(dir, 'share'))
    // What is running in the lab stays what it is, whoever builds meanwhile.
    await cp(join(ROOT, 'dist/controller'), join(dir, 'bundle'), { recursive: true })
    const port = await freePort()
    const { end, ...boots } = booting({ dir, disk: await volatileDisk(dir, DISK_MIB), port, nats })
    undo.push(end)
    const running = await boots.boot()
    const url = `http://127.0.0.1:${port}`
    const client = new ZStackClient(url)
    await client.login()
    const machine = o.host ? await host(client, url, nats) : undefined
    undo.push(async () => machine?.stop())
    const world = machine
      ? await makeSmallWorld({ client, machine }, { cidr: '10.0.0.0/16' })
      : { zone: await client.uuid('CreateZone', { name: 'zone' }) }
    return { running, site: { url, client, nats, world, ...boots, stop } }
  } catch (error) {
    await stop()
    throw error
  }
}

interface Booting {
  dir: string
  disk: VolatileDisk
  port: number
  nats: TestNats
}

function booting({ dir, disk, port, nats }: Booting) {
  let lab: Lab | undefined
  const ended = async () => {
    await lab?.dispose()
    await disk.settle()
  }
  const startIn = async (lab: Lab, env: Record<string, string> = {}) => {
    const controller = await lab.start(controllerArgv(join(dir, 'bundle'), nats), { env: { NODE_ENV: 'production', ...env } })
    await answering(`http://127.0.0.1:${port}`, controller)
    return controller
  }
  return {
    async boot({ device, before, files = {}, env = {} }: BootOptions = {}): Promise<Running> {
      const labDir = join(dir, 'lab')
      await rm(labDir, { recursive: true, force: true })
      await mkdir(join(labDir, 'share'), { recursive: true })
      await cp(join(dir, 'share'), join(labDir, 'share'), { recursive: true })
      for (const [name, text] of Object.entries(files)) await writeFile(join(labDir, 'share', name), text)
      const network = { forwards: [{ here: port, there: HTTP_PORT }] }
      lab = await startLab({ dir: labDir, disks: [await disk.plug()], cpus: 1, memoryMib: 1024, network })
      await lab.must(['mkdir', '-p', STATE], { timeoutMs: SLOW_MS })
      await lab.must(['mount', (await device?.(lab)) ?? '/dev/vda', STATE], { timeoutMs: SLOW_MS })
      await before?.(lab)
      return { lab, controller: await startIn(lab, env) }
    },
    startIn,
    async cut({ lab }: Running): Promise<void> {
      await lab.cut()
      await ended()
    },
    async off({ lab, controller }: Running): Promise<void> {
      await controller.kill('SIGTERM')
      await controller.ended
      await lab.must(['umount', STATE], { timeoutMs: SLOW_MS })
      await lab.off()
      await ended()
    },
    end: async () => void (await lab?.dispose()),
  }
}

async function answering(url: string, controller: LabProcess): Promise<void> {
  const early = controller.ended.then(async (code) => {
    throw new Error(`the controller in the lab ended with ${code}: ${await controller.stdout()}${await controller.stderr()}`)
  })
  early.catch(() => undefined)
  const ready = until(`a ready controller at ${url}`, SLOW_MS, async () => (await fetch(`${url}/readyz`)).ok)
  await Promise.race([early, ready]).catch(async (error) => {
    throw new Error(`${(error as Error).message}; the controller says: ${await controller.stdout()}`, { cause: error })
  })
}

function controllerArgv(bundle: string, nats: TestNats): string[] {
  return [
    ...[process.execPath, join(bundle, 'main.js'), '--state-dir', join(STATE, 'controller'), '--http-port', String(HTTP_PORT)],
    ...['--nats-url', `nats://10.0.2.2:${nats.port}`, '--nats-public-url', nats.url],
    ...['--nats-creds', join(SHARE, 'controller.json'), '--nats-account-seed', join(SHARE, 'account.seed')],
  ]
}

async function secrets(dir: string, nats: TestNats): Promise<void> {
  const to = await folder(dir, 'share')
  const accountSeed = nats.site!.account.seed
  const { jwt, seed } = await issueUser({ accountSeed, kind: 'controller' })
  await writeFile(join(to, 'controller.json'), JSON.stringify({ jwt, seed }))
  await writeFile(join(to, 'account.seed'), accountSeed)
}

async function folder(dir: string, name: string): Promise<string> {
  await mkdir(join(dir, name), { recursive: true })
  return join(dir, name)
}

/** The agents' own code on a machine in memory, over the real NATS. */
function host(client: ZStackClient, url: string, nats: TestNats): Promise<FakeMachine> {
  const log: AgentLog = { info: () => undefined, warn: () => undefined, error: () => undefined, child: () => log }
  return startFakeMachine({
    broker: ({ kind, uuid, jwt, seed }) =>
      connectNats({
        servers: [nats.url],
        name: `agent-${kind}`,
        inboxPrefix: rightsOf({ kind: 'agent', agent: { kind, uuid } }).inboxPrefix,
        credentials: { jwt, seed },
        reconnect: { minMs: 50, maxMs: 150 },
      }),
    controllerUrl: url,
    managementIp: MANAGEMENT_IP,
    machineId: newUuid(),
    token: async () => String((await own(url, client, 'POST', '/agents/tokens', {}))['token']),
    host: { machine: { memoryBytes: 1024 * GIB, cpuCount: 512 } },
    log,
  })
}

/** A request to /v1 in the client's session. Throws for a refusal. */
export async function own(url: string, client: ZStackClient, method: string, path: string, body?: unknown) {
  const headers = { authorization: `Bearer ${client.session}`, 'content-type': 'application/json' }
  const response = await fetch(`${url}/v1${path}`, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
  return JSON.parse(text) as Record<string, unknown>
}
