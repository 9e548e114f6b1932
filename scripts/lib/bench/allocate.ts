/**
 * `allocate`: the choice of a host for one VM, among many. Calls the function that creations call, on a graph that is kept up by
 * commits as the controller's is: sites that fill, that are full and churn, and that have room for a large VM on a few hosts only.
 */
import { tables } from '../../../controller/src/engine/tables.ts'
import { type PlaceRequest, placeVm } from '../../../controller/src/place/host.ts'
import { type Op, type Row, SkerryError } from '../../../packages/contract/src/index.ts'
import { Graph } from '../../../packages/graph/src/index.ts'
import { type Result, spread } from './result.ts'

const GIB = 1024 ** 3
const CLUSTERS = 100
/** Share of its memory that a site's VMs have when it churns. */
const FULL = 0.95

/** A small generator, so that each run asks for the same. */
function randoms(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

const id = (kind: string, n: number) => `${kind}${n.toString(16).padStart(32 - kind.length, '0')}`
const base = (uuid: string, name: string) => ({ uuid, name, description: null, createDate: 1, lastOpDate: 1 })
const put = (t: string, k: string, v: Row): Op => ({ o: 'put', t, k, v })
const [ZONE, POOL, L2, L3] = [id('a', 1), id('b', 1), id('c', 1), id('d', 1)]

function hostOps(n: number, random: () => number): Op[] {
  const uuid = id('e', n)
  const cpus = 160 * (1 + Math.floor(random() * 3))
  const memory = 32 * GIB * (1 + Math.floor(random() * 4))
  const disk = 2048 * GIB
  const room = { totalCapacity: disk, availableCapacity: disk, totalPhysicalCapacity: disk, availablePhysicalCapacity: disk }
  return [
    put('host', uuid, {
      ...base(uuid, `h${n}`),
      ...{ zoneUuid: ZONE, clusterUuid: id('f', n % CLUSTERS), state: 'Enabled', status: 'Connected', cpuNum: cpus / 10 },
      ...{ totalCpuCapacity: cpus, availableCpuCapacity: cpus, totalMemoryCapacity: memory, availableMemoryCapacity: memory },
    }),
    put('localStorageHost', `${POOL}:${uuid}`, {
      ...base(`${POOL}:${uuid}`, ''),
      ...{ primaryStorageUuid: POOL, hostUuid: uuid, status: 'Connected', ...room },
    }),
  ]
}

function site(hosts: number, random: () => number): Graph {
  const graph = new Graph(tables)
  const clusters = Array.from({ length: CLUSTERS }, (_, n) => id('f', n))
  const on = { state: 'Enabled', zoneUuid: ZONE, attachedClusterUuids: clusters }
  const ops: Op[] = [
    put('zone', ZONE, { ...base(ZONE, 'zone'), state: 'Enabled' }),
    ...clusters.map((k) => put('cluster', k, { ...base(k, k), zoneUuid: ZONE, state: 'Enabled' })),
    put('primaryStorage', POOL, { ...base(POOL, 'pool'), ...on, status: 'Connected' }),
    put('l2Network', L2, { ...base(L2, 'l2'), ...on, physicalInterface: 'eth0' }),
    put('l3Network', L3, { ...base(L3, 'l3'), l2NetworkUuid: L2, routerAgentUuid: null, state: 'Enabled' }),
  ]
  for (let n = 0; n < hosts; n++) ops.push(...hostOps(n, random))
  graph.apply({ ops }, 1)
  return graph
}

/** Milliseconds that this process had of the CPU: on a machine that others use too, what a choice costs. */
const cpuMs = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

class Filling {
  readonly times: number[] = []
  readonly cpu: number[] = []
  readonly #graph: Graph
  readonly #random: () => number
  readonly #vms: { uuid: string; ask: PlaceRequest; host: string }[] = []
  #made = 0
  refused = 0

  constructor(graph: Graph, random: () => number) {
    this.#graph = graph
    this.#random = random
  }

  ask(more: Partial<PlaceRequest> = {}): PlaceRequest {
    const gib = [2, 4, 8, 16][Math.floor(this.#random() * 4)]!
    const where = this.#random() < 0.3 ? { clusterUuid: id('f', Math.floor(this.#random() * CLUSTERS)) } : {}
    return {
      cpuNum: Math.max(1, gib / 2),
      memoryBytes: gib * GIB,
      diskBytes: 4 * gib * GIB,
      l3NetworkUuids: [L3],
      ...where,
      ...more,
    }
  }

  /** One choice, timed, and the commit that takes it. False: no host could take it. */
  place(ask: PlaceRequest): boolean {
    const [from, cpuFrom] = [performance.now(), cpuMs()]
    const took = () => {
      this.times.push(performance.now() - from)
      this.cpu.push(cpuMs() - cpuFrom)
    }
    try {
      const at = placeVm(this.#graph, ask)
      took()
      const uuid = id('9', this.#made++)
      this.#vms.push({ uuid, ask, host: at.hostUuid })
      this.#take(at.hostUuid, ask, -1)
      this.#commit([put('vmInstance', uuid, { ...base(uuid, uuid), hostUuid: at.hostUuid, state: 'Running' })])
      return true
    } catch (error) {
      took()
      if (!(error instanceof SkerryError && error.code === 'no-host')) throw error
      this.refused += 1
      return false
    }
  }

  remove(): void {
    const [vm] = this.#vms.splice(Math.floor(this.#random() * this.#vms.length), 1)
    if (!vm) return
    this.#take(vm.host, vm.ask, 1)
    this.#commit([{ o: 'del', t: 'vmInstance', k: vm.uuid }])
  }

  #take(host: string, ask: PlaceRequest, sign: number): void {
    const add = (t: string, k: string, field: string, amount: number): Op => ({ o: 'add', t, k, field, delta: sign * amount })
    this.#commit([
      add('host', host, 'availableCpuCapacity', ask.cpuNum),
      add('host', host, 'availableMemoryCapacity', ask.memoryBytes),
      add('localStorageHost', `${POOL}:${host}`, 'availableCapacity', ask.diskBytes),
    ])
  }

  #commit(ops: Op[]): void {
    this.#graph.apply({ ops }, this.#graph.seq + 1)
  }
}

function usedMemory(graph: Graph): number {
  let [free, total] = [0, 0]
  for (const [, host] of graph.rows('host')) {
    free += host['availableMemoryCapacity'] as number
    total += host['totalMemoryCapacity'] as number
  }
  return 1 - free / total
}

const percentile = (times: readonly number[], p: number) => [...times].sort((a, b) => a - b)[Math.floor((times.length - 1) * p)]!

interface Times {
  clock: number[]
  cpu: number[]
}

/** Times of one round by what the site was like, in ms. */
function round(hosts: number, seed: number, calls: number): Record<string, Times> {
  const random = randoms(seed)
  const graph = site(hosts, random)
  const filling = new Filling(graph, random)
  filling.place(filling.ask()) // makes the index, which a controller does once
  const found: Record<string, Times> = {}
  const timed = (name: string, run: () => void) => {
    filling.times.length = filling.cpu.length = 0
    for (let i = 0; i < calls; i++) run()
    found[name] = { clock: [...filling.times], cpu: [...filling.cpu] }
  }
  timed('while it fills', () => filling.place(filling.ask()))
  while (usedMemory(graph) < FULL) for (let i = 0; i < hosts; i++) filling.place(filling.ask())
  timed(`${FULL * 100} % full, VMs come and go`, () => {
    filling.remove()
    filling.place(filling.ask())
  })
  timed('for a VM that hardly any host has room for', () => filling.place(filling.ask({ memoryBytes: 48 * GIB })))
  timed('for a VM that no host has room for', () => filling.place(filling.ask({ memoryBytes: 1024 * GIB })))
  return found
}

/** Median and p99 of each. */
const shown = (times: Record<string, Times>) =>
  Object.entries(times)
    .map(([what, { clock, cpu }]) => {
      const both = (t: readonly number[]) => `${percentile(t, 0.5).toFixed(3)} / ${percentile(t, 0.99).toFixed(3)}`
      return `${what}: ${both(clock)} ms (CPU ${both(cpu)})`
    })
    .join('; ')

export async function benchAllocate(o: {
  hosts: number
  rounds: number
  calls: number
  say(text: string): void
}): Promise<{ results: Result[]; voided: string[] }> {
  const rounds: Record<string, Times>[] = []
  for (let i = 0; i < o.rounds; i++) {
    rounds.push(round(o.hosts, i + 1, o.calls))
    o.say(`round ${i + 1} of ${o.rounds}: ${shown(rounds[i]!)}`)
  }
  const results = Object.keys(rounds[0]!).map((what): Result => {
    const p99 = spread(rounds.map((times) => percentile(times[what]!.clock, 0.99)))
    return {
      bench: 'allocate',
      what: `p99 among ${o.hosts} hosts, ${what}`,
      unit: 'ms',
      skerry: p99,
      goal: '≤ 1 ms',
      met: p99.median <= 1,
    }
  })
  return { results, voided: [] }
}
