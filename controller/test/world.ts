/** A controller's world in memory: real store, graph and projections; hosts that do what documents say, at once. */
import { createHash } from 'node:crypto'
import type { Change, Row, Status } from '@skerry/contract'
import { SkerryError, VROUTER_PROVIDER } from '@skerry/contract'
import { graphInventory, memoryJournal, type ProvenWorld } from '@skerry/workflow'
import { documentOf } from '../src/agents/documents.ts'
import { State } from '../src/engine/state.ts'
import { tables } from '../src/engine/tables.ts'
import { seed } from '../src/seed.ts'
import { fakeDisk } from '../src/store/fake-disk.ts'
import { openStore } from '../src/store/index.ts'
import type { AgentsPort, Input, World } from '../src/workflows/world.ts'

export const id = (name: string) => createHash('sha256').update(name).digest('hex').slice(0, 32)
export const GIB = 1024 ** 3
const NOW = 1_700_000_000_000

/** Hosts as `kind/id → what is there`. */
export type Hosts = Map<string, unknown>

const observedOf: Record<string, Row> = {
  pool: { totalBytes: 100 * GIB, availableBytes: 90 * GIB, usedBytes: 10 * GIB },
  volume: { sizeBytes: GIB, actualBytes: 4096 },
  vm: { power: 'Running', cause: 'api', pid: 1 },
}
const facts = {
  cpuNum: 4,
  cpuSockets: 1,
  cpuModel: 'fake',
  architecture: 'x86_64',
  totalMemory: 16 * GIB,
  hostname: 'h1',
  osDistribution: 'debian',
  osRelease: '12',
  osVersion: '12',
  libvirtVersion: '9',
  qemuVersion: '7',
  domainType: 'qemu',
  bootId: 'boot1',
}

export class FakeAgents implements AgentsPort {
  readonly hosts: Hosts = new Map()
  readonly #state: State
  constructor(state: State) {
    this.#state = state
  }
  /** Carries out everything that is desired, as agents do in time. */
  async settle(): Promise<void> {
    const { graph } = this.#state
    for (const [key, row] of [...graph.rows('desired')]) {
      if (row['tombstone']) {
        this.hosts.delete(key)
        await this.#state.store.commit({ ops: [{ o: 'del', t: 'desired', k: key }] }, { actor: 'test' })
      } else this.hosts.set(key, row['hash'])
    }
  }
  async converge(names: readonly string[]): Promise<Status[]> {
    const { graph } = this.#state
    const keys = names
      .flatMap((name) => [...graph.by('desired', 'of', name)])
      .filter((k) => !graph.get('desired', k)?.['tombstone'])
    return keys.map((key) => {
      const document = documentOf(graph, key)!
      this.hosts.set(key, graph.get('desired', key)?.['hash'])
      return this.status(key.split('/')[0]!, document.noun, document.uuid)!
    })
  }
  async gone(names: readonly string[]): Promise<boolean> {
    const { graph } = this.#state
    for (const key of names.flatMap((name) => [...graph.by('desired', 'of', name)])) {
      if (!graph.get('desired', key)?.['tombstone']) continue
      this.hosts.delete(key)
      await this.#state.store.commit({ ops: [{ o: 'del', t: 'desired', k: key }] }, { actor: 'test' })
    }
    return true
  }
  async command(agentUuid: string, command: { noun: string; uuid: string; verb: string; input: Row }): Promise<Row> {
    if (!this.#state.graph.get('agent', agentUuid)) throw new SkerryError('agent-absent')
    const key = `${command.input['storePath']}/${command.uuid}`
    if (command.verb === 'facts') return facts
    if (command.verb === 'download') {
      this.hosts.set(key, command.input['url'])
      return {
        installPath: '/store/images/x.qcow2',
        size: GIB,
        actualSize: 1000,
        md5: 'm',
        sha256: createHash('sha256').update(String(command.input['url'])).digest('hex'),
        format: command.input['format'],
      }
    }
    if (command.verb === 'remove') return { removed: this.hosts.delete(key) }
    return { how: 'acpi' }
  }
  status(agentUuid: string, noun: string, uuid: string): Status | undefined {
    const key = `${agentUuid}/${noun}/${uuid}`
    if (!this.hosts.has(key)) return undefined
    return {
      noun,
      uuid,
      generation: { incarnation: 1, seq: this.#state.graph.version('desired', key) ?? 0 },
      condition: 'Ready',
      error: null,
      observed: observedOf[noun] ?? {},
      at: NOW,
      bootId: 'boot1',
    }
  }
  alive(): boolean {
    return true
  }
}

export interface TestWorld {
  state: State
  agents: FakeAgents
  world: World
  commit(change: Change): Promise<void>
}

export async function makeWorld(): Promise<TestWorld> {
  let n = 0
  const newId = () => id(`n${n++}`)
  const store = await openStore({ dir: '/log', disk: fakeDisk(), tables, clock: () => NOW, newId, limits: { reserveBytes: 0 } })
  const state = new State(store)
  await seed(state, NOW, undefined)
  const agents = new FakeAgents(state)
  const secrets = { put: async () => newId(), shred: async () => undefined }
  const world: World = { graph: state.graph, now: () => NOW, newId, random: () => 0.4, agents, secrets }
  return { state, agents, world, commit: (change) => state.commit(change, { actor: 'test' }) }
}

export const base = (uuid: string, name: string) => ({ uuid, name, description: null, createDate: NOW, lastOpDate: NOW })
export const u = {
  zone: id('zone'),
  cluster: id('cluster'),
  host: id('host'),
  ps: id('ps'),
  bs: id('bs'),
  l2: id('l2'),
  l3: id('l3'),
  range: id('range'),
  image: id('image'),
  offering: id('offering'),
  vm: id('vm'),
  kvm: id('kvm'),
  storage: id('storage'),
  vrouter: id('vrouter'),
}

/** A site with one host on which a VM can be made. */
export async function site(
  w: TestWorld,
  o: { lastAddresses?: number; cpu?: number; memory?: number; disk?: number } = {},
): Promise<void> {
  const put = (t: string, k: string, v: Row) => ({ o: 'put' as const, t, k, v })
  const agent = (kind: string, uuid: string) =>
    put('agent', uuid, {
      ...base(uuid, kind),
      kind,
      hostUuid: u.host,
      managementIp: '127.0.0.1',
      bootId: 'boot1',
      version: '1',
      status: 'Connected',
      machineId: id('m'),
      publicKey: 'U',
      sealKey: 'x',
    })
  const capacity = {
    totalCapacity: 100 * GIB,
    availableCapacity: o.disk ?? 90 * GIB,
    totalPhysicalCapacity: 100 * GIB,
    availablePhysicalCapacity: 90 * GIB,
    systemUsedCapacity: 10 * GIB,
  }
  const service = (networkServiceType: string) => ({
    l3NetworkUuid: u.l3,
    networkServiceProviderUuid: VROUTER_PROVIDER,
    networkServiceType,
  })
  const cpu = o.cpu ?? 40
  const memory = o.memory ?? 16 * GIB
  await w.commit({
    ops: [
      put('zone', u.zone, { ...base(u.zone, 'zone'), state: 'Enabled', type: 'zstack', isDefault: false }),
      put('cluster', u.cluster, {
        ...base(u.cluster, 'cluster'),
        zoneUuid: u.zone,
        hypervisorType: 'KVM',
        type: 'zstack',
        state: 'Enabled',
      }),
      put('host', u.host, {
        ...base(u.host, 'host'),
        zoneUuid: u.zone,
        clusterUuid: u.cluster,
        managementIp: '127.0.0.1',
        hypervisorType: 'KVM',
        state: 'Enabled',
        status: 'Connected',
        totalCpuCapacity: cpu,
        availableCpuCapacity: cpu,
        totalMemoryCapacity: memory,
        availableMemoryCapacity: memory,
        cpuNum: 4,
        cpuSockets: 1,
        architecture: 'x86_64',
        osDistribution: 'debian',
        osRelease: '12',
        osVersion: '12',
        domainType: 'qemu',
        bootId: 'boot1',
        disconnectCause: null,
      }),
      agent('kvm', u.kvm),
      agent('storage', u.storage),
      agent('vrouter', u.vrouter),
      put('primaryStorage', u.ps, {
        ...base(u.ps, 'ps'),
        zoneUuid: u.zone,
        url: '/ps',
        mountPath: '/ps',
        type: 'LocalStorage',
        state: 'Enabled',
        status: 'Connected',
        attachedClusterUuids: [u.cluster],
        ...capacity,
      }),
      put('localStorageHost', `${u.ps}:${u.host}`, {
        uuid: `${u.ps}:${u.host}`,
        primaryStorageUuid: u.ps,
        hostUuid: u.host,
        status: 'Connected',
        ...capacity,
      }),
      put('backupStorage', u.bs, {
        ...base(u.bs, 'bs'),
        url: '/store',
        type: 'ImageStoreBackupStorage',
        state: 'Enabled',
        status: 'Connected',
        totalCapacity: 100 * GIB,
        availableCapacity: 90 * GIB,
        attachedZoneUuids: [u.zone],
        hostname: '127.0.0.1',
        agentUuid: u.storage,
      }),
      put('l2Network', u.l2, {
        ...base(u.l2, 'l2'),
        zoneUuid: u.zone,
        physicalInterface: 'none',
        type: 'L2NoVlanNetwork',
        vSwitchType: 'LinuxBridge',
        attachedClusterUuids: [u.cluster],
      }),
      put('l3Network', u.l3, {
        ...base(u.l3, 'l3'),
        type: 'L3BasicNetwork',
        zoneUuid: u.zone,
        l2NetworkUuid: u.l2,
        state: 'Enabled',
        dns: [],
        networkServices: ['DHCP', 'DNS', 'SNAT'].map(service),
        system: false,
        category: 'Private',
        ipVersion: 4,
        enableIPAM: true,
        routerAgentUuid: null,
        routerUplink: null,
      }),
      put('ipRange', u.range, {
        ...base(u.range, 'range'),
        l3NetworkUuid: u.l3,
        startIp: '10.0.0.2',
        endIp: `10.0.0.${1 + (o.lastAddresses ?? 200)}`,
        netmask: '255.255.255.0',
        gateway: '10.0.0.1',
        networkCidr: '10.0.0.0/24',
        ipVersion: 4,
        prefixLen: 24,
        ipRangeType: 'Normal',
      }),
      put('image', u.image, {
        ...base(u.image, 'image'),
        state: 'Enabled',
        status: 'Ready',
        size: GIB,
        actualSize: 1000,
        md5Sum: 'm',
        url: 'file:///x',
        mediaType: 'RootVolumeTemplate',
        type: 'zstack',
        platform: 'Linux',
        architecture: 'x86_64',
        format: 'qcow2',
        system: false,
        virtio: true,
        sha256: 'a'.repeat(64),
        deletedAt: null,
        backupStorageRefs: [{ imageUuid: u.image, backupStorageUuid: u.bs, installPath: '', status: 'Ready' }],
      }),
      put('instanceOffering', u.offering, {
        ...base(u.offering, 'offering'),
        cpuNum: 1,
        cpuSpeed: 0,
        memorySize: GIB / 4,
        type: 'UserVm',
        allocatorStrategy: 'LeastVmPreferredHostAllocatorStrategy',
        sortKey: 0,
        state: 'Enabled',
      }),
    ],
  })
  await w.agents.settle()
}

export const input = (uuid: string, table: string, params: Row = {}): Input => ({ uuid, table, params, accountUuid: 'test' })
export const vmParams = { name: 'hello', instanceOfferingUuid: u.offering, imageUuid: u.image, l3NetworkUuids: [u.l3] }

/** A world for `prove()`: prepared by `before`, with the input of the workflow to prove. */
export async function proven(before: (w: TestWorld) => Promise<Input>): Promise<ProvenWorld<World>> {
  const w = await makeWorld()
  const given = await before(w)
  return {
    world: w.world,
    input: given,
    journal: memoryJournal((change) => w.commit(change)),
    async inventory() {
      await w.agents.settle()
      // The salt of the administrator's password differs in each world.
      const { account: _account, ...graph } = graphInventory(w.state.graph)
      return { graph, hosts: Object.fromEntries([...w.agents.hosts].sort()) }
    },
  } as ProvenWorld<World>
}
