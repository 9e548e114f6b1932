/** A simulated site in this process: the real controller and the simulator, over a real nats-server with keys. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectionOf, type Log } from '@skerry/agent'
import { type Bus, connectNats, realTimers } from '@skerry/bus'
import { type Row, VROUTER_PROVIDER } from '@skerry/contract'
import { createController, listen, openSecrets, openStore, realDisk, tables } from '@skerry/controller/in-process'
import { files } from '@skerry/host'
import { type Client, createClient } from '@skerry/sdk'
import { startNats } from '@skerry/testkit'
import { openDoor, Simulator } from '../src/index.ts'

export interface SimulatedSite {
  client: Client
  simulator: Simulator
  door: { url: string; token: string }
  /** an outsider on the bus, with a controller's rights */
  bus: Bus
  /** what was logged as an error */
  errors: unknown[]
  /** ends the simulator and begins another one over what it kept */
  restart(): Promise<void>
  stop(): Promise<void>
}

const newId = () => randomBytes(16).toString('hex')
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
const every = (ms: number, run: () => void) => {
  const timer = setInterval(run, ms)
  return () => clearInterval(timer)
}

export async function startSimulatedSite(): Promise<SimulatedSite> {
  const dir = await mkdtemp(join(tmpdir(), 'skerry-simulated-'))
  const nats = await startNats({ dir: join(dir, 'nats'), auth: true })
  const errors: unknown[] = []
  const log: Log = { info: () => {}, warn: () => {}, error: (facts) => void errors.push(facts), child: () => log }
  const address = { url: '' }
  const begin = () =>
    new Simulator({
      get controllerUrl() {
        return address.url
      },
      connect: (identity) => connectNats({ ...connectionOf(identity.kind, identity), reconnect: { minMs: 50, maxMs: 150 } }),
      files: files(),
      dir: join(dir, 'machines'),
      ...{ random: Math.random, sleep, log },
    })
  const now: { simulator: Simulator } = { simulator: begin() }
  await now.simulator.resume()
  const token = newId()
  // what is behind the door may be another simulator after a restart
  const behind = new Proxy({} as Simulator, {
    get: (_, key: keyof Simulator) => {
      const member = now.simulator[key]
      return typeof member === 'function' ? (member as (...args: never[]) => unknown).bind(now.simulator) : member
    },
  })
  const door = await openDoor({ simulator: behind, token, ready: () => true, stop: () => undefined })
  const bus = await nats.connect('controller')
  const controller = await startController({ dir, nats, bus, door: { url: door.url, token }, log })
  address.url = controller.url
  const client = createClient({ baseUrl: controller.url })
  await client.login('admin', 'password')
  return {
    ...{ client, bus, errors },
    door: { url: door.url, token },
    get simulator() {
      return now.simulator
    },
    async restart() {
      await now.simulator.stop()
      now.simulator = begin()
      await now.simulator.resume()
    },
    async stop() {
      await now.simulator.stop()
      await controller.stop()
      await door.close()
      await nats.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

interface Parts {
  dir: string
  nats: Awaited<ReturnType<typeof startNats>>
  bus: Bus
  door: { url: string; token: string }
  log: Log
}

async function startController({ dir, nats, bus, door, log }: Parts): Promise<{ url: string; stop(): Promise<void> }> {
  const siteKey = randomBytes(32)
  const secrets = await openSecrets({ dir: `${dir}/secrets`, disk: realDisk, siteKey, random: randomBytes })
  const limits = { reserveBytes: 1024 ** 2 }
  const store = await openStore({ dir: `${dir}/log`, disk: realDisk, tables, clock: Date.now, every, newId, limits })
  const site = nats.site!
  const listening = { hostname: '127.0.0.1', port: 0, scheme: 'ws' }
  const controller = await createController({
    ...{ store, bus, secrets, siteKey, log, newId, sleep, every, fetch },
    now: Date.now,
    monotonic: () => performance.now(),
    random: Math.random,
    timers: realTimers,
    nodeUuid: newId(),
    enrol: { accountSeed: site.account.seed, servers: [nats.url], ca: null },
    address: listening,
    adminPassword: undefined,
    publishedSeq: 0,
    published: () => undefined,
    simulator: { file: door, fetch },
  })
  const app = { fetch: (request: Request, env: unknown) => controller.app.fetch(request, env as never) }
  const opened = await listen({ app: app as never, addr: '127.0.0.1', port: 0, defaultPassword: true, log })
  listening.port = opened.port
  return {
    url: opened.url,
    async stop() {
      await opened.close()
      await controller.stop()
      await bus.close()
      await store.close()
    },
  }
}

const GIB = 1024 ** 3
export const ANY = { username: 'anybody', password: 'anything' }

/** What VMs need, on hosts at these addresses; uuids by name. */
export async function makeGround(client: Client, addresses: readonly string[]) {
  const make = async (api: string, params: Record<string, unknown>) =>
    (((await client.call(api, params, { wait: true })) as Row)['inventory'] as Row)['uuid'] as string
  const zoneUuid = await make('CreateZone', { name: 'zone' })
  const clusterUuid = await make('CreateCluster', { name: 'cluster', zoneUuid, hypervisorType: 'KVM' })
  const hosts: string[] = []
  for (const [i, managementIp] of addresses.entries())
    hosts.push(await make('AddKVMHost', { name: `h${i + 1}`, clusterUuid, managementIp, ...ANY }))
  const primaryStorageUuid = await make('AddLocalPrimaryStorage', { name: 'primary', zoneUuid, url: '/data/primary' })
  await client.call('AttachPrimaryStorageToCluster', { primaryStorageUuid, clusterUuid }, { wait: true })
  const store = { name: 'images', hostname: '127.44.55.66', url: '/data/images', ...ANY }
  const backupStorageUuid = await make('AddImageStoreBackupStorage', store)
  await client.call('AttachBackupStorageToZone', { backupStorageUuid, zoneUuid }, { wait: true })
  const l2NetworkUuid = await make('CreateL2NoVlanNetwork', { name: 'l2', zoneUuid, physicalInterface: 'eth0' })
  await client.call('AttachL2NetworkToCluster', { l2NetworkUuid, clusterUuid }, { wait: true })
  const l3NetworkUuid = await make('CreateL3Network', { name: 'l3', l2NetworkUuid })
  await make('AddIpRangeByNetworkCidr', { name: 'range', l3NetworkUuid, networkCidr: '10.0.0.0/24' })
  const services: Record<string, ('DHCP' | 'DNS' | 'SNAT')[]> = { [VROUTER_PROVIDER]: ['DHCP', 'DNS', 'SNAT'] }
  await client.call('AttachNetworkServiceToL3Network', { l3NetworkUuid, networkServices: services }, { wait: true })
  const instanceOfferingUuid = await make('CreateInstanceOffering', { name: 'small', cpuNum: 1, memorySize: GIB })
  return { make, zoneUuid, clusterUuid, hosts, primaryStorageUuid, backupStorageUuid, l3NetworkUuid, instanceOfferingUuid }
}
