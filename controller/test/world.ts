/** A controller's world in memory: real store, graph and projections; hosts that do what documents say, at once. */
import { createHash } from 'node:crypto'
import type { Change, kvmDesired, Row, Status } from '@skerry/contract'
import { SkerryError } from '@skerry/contract'
import { graphInventory, memoryJournal, type ProvenWorld } from '@skerry/workflow'
import { documentOf, presentKeys } from '../src/agents/documents.ts'
import { State } from '../src/engine/state.ts'
import { tables } from '../src/engine/tables.ts'
import { hashPassword } from '../src/identity/password.ts'
import { seed } from '../src/seed.ts'
import { type FakeDisk, fakeDisk } from '../src/store/fake-disk.ts'
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
}
/** A guest is as its document wants it; one of which nobody knows runs. */
function powerOf(document: ReturnType<typeof documentOf>): Row {
  if (document === undefined) return { power: 'Running', cause: 'api', pid: 1 }
  const spec = document && 'spec' in document ? (document.spec as Partial<kvmDesired.VmSpec>) : {}
  const power = spec.power?.state === 'Running' && spec.power.pause?.paused ? 'Paused' : spec.power?.state
  return { power: power ?? 'Stopped', cause: 'api', pid: power === 'Stopped' ? null : 1 }
}
const facts = {
  addresses: [{ dev: 'eth0', cidr: '192.0.2.10/24' }],
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
  /** Carries out everything that is desired, as agents do in time; one that is away does nothing. */
  async settle(): Promise<void> {
    const { graph } = this.#state
    for (const [key, row] of [...graph.rows('desired')]) {
      if (graph.get('agent', row['agentUuid'] as string)?.['status'] === 'Disconnected') continue
      if (row['tombstone']) {
        this.hosts.delete(key)
        await this.#state.store.commit({ ops: [{ o: 'del', t: 'desired', k: key }] }, { actor: 'test' })
      } else this.hosts.set(key, row['hash'])
    }
  }
  async converge(names: readonly string[]): Promise<Status[]> {
    const { graph } = this.#state
    const keys = names.flatMap((name) => presentKeys(graph, name))
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
  async remind(): Promise<void> {}
  async command(agentUuid: string, command: { noun: string; uuid: string; verb: string; input: Row }): Promise<Row> {
    if (!this.#state.graph.get('agent', agentUuid)) throw new SkerryError('agent-absent')
    const key = `${command.input['storePath']}/${command.uuid}`
    if (command.verb === 'facts') return facts
    if (command.verb === 'allow-upload') {
      this.hosts.set(key, 'part')
      return {}
    }
    if (command.verb === 'download' || command.verb === 'receive') {
      this.hosts.set(key, command.input['url'] ?? 'received')
      return {
        installPath: '/store/images/x.qcow2',
        size: GIB,
        actualSize: 1000,
        md5: 'm',
        sha256: createHash('sha256').update(String(command.input['url'])).digest('hex'),
        format: command.input['format'] ?? 'qcow2',
      }
    }
    if (command.verb === 'sizes' || command.verb === 'rebase') {
      const asked = (command.input['files'] as string[] | undefined) ?? []
      return { files: asked.map((file) => ({ file, sizeBytes: GIB, actualBytes: 4096 })) }
    }
    if (command.verb === 'copy') {
      this.hosts.set(`${agentUuid}/volume/${command.uuid}`, 'copied')
      return { sizeBytes: GIB, actualBytes: 4096 }
    }
    if (command.verb === 'switch-disk' || command.verb === 'switch-back') return { switched: 'off' }
    if (command.verb === 'connect') {
      this.hosts.set(`server/${command.uuid}`, command.input['path'])
      return { hostKey: `SHA256:${'A'.repeat(43)}`, totalBytes: 100 * GIB, availableBytes: 90 * GIB, usedBytes: 10 * GIB }
    }
    if (command.verb === 'forget') return { removed: this.hosts.delete(`server/${command.uuid}`) }
    if (command.verb === 'link' || command.verb === 'adopt') {
      this.hosts.set(`mine/${command.uuid}`, command.verb)
      return { sizeBytes: GIB }
    }
    if (command.verb === 'unlink' || command.verb === 'release') return { done: this.hosts.delete(`mine/${command.uuid}`) }
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
      observed: noun === 'vm' ? powerOf(documentOf(this.#state.graph, key)) : (observedOf[noun] ?? {}),
      at: NOW,
      bootId: 'boot1',
    }
  }
  alive(): boolean {
    return true
  }
}

/** `prove` makes thousands of worlds, and nine tenths of the time of one were the hash of its administrator's password. */
let hashed: Promise<string> | undefined
const hashedOnce = (sent: string) => (hashed ??= hashPassword(sent))

export interface TestWorld {
  state: State
  agents: FakeAgents
  world: World
  commit(change: Change): Promise<void>
}

/** `ids`: what new ids are made from; another one where the log of an earlier world is opened. `empty`: without an account. */
export async function makeWorld(o: { disk?: FakeDisk; ids?: string; empty?: boolean } = {}): Promise<TestWorld> {
  let n = 0
  const newId = () => id(`${o.ids ?? 'n'}${n++}`)
  const disk = o.disk ?? fakeDisk()
  const store = await openStore({ dir: '/log', disk, tables, clock: () => NOW, newId, limits: { reserveBytes: 0 } })
  const state = new State(store)
  if (!o.empty) await seed(state, NOW, undefined, hashedOnce)
  const agents = new FakeAgents(state)
  const secrets = { put: async () => newId(), shred: async () => undefined }
  const jobs = {
    ...{ accept: async () => undefined, retry: async () => undefined },
    ...{ known: () => undefined, ended: async () => undefined },
  }
  const world: World = {
    graph: state.graph,
    now: () => NOW,
    newId,
    random: () => 0.4,
    agents,
    secrets,
    jobs,
    consoleSecret: (job) => job,
  }
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
      return { graph: graphInventory(w.state.graph), hosts: Object.fromEntries([...w.agents.hosts].sort()) }
    },
  } as ProvenWorld<World>
}
