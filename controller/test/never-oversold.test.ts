/** No history of starts and stops ever promises more of a host or its disks than there is to promise. */
import { hostAllocatorStrategies, type Row, SkerryError } from '@skerry/contract'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { candidates, placeVm } from '../src/place/host.ts'
import { releaseHost, reserveHost } from '../src/workflows/vm.state.ts'
import { takeRoom } from '../src/workflows/volume.rows.ts'
import { host, hosts, ownSetting, request, set } from './place-world.ts'
import { GIB, type TestWorld, u } from './world.ts'

const CPUS = 20
const MEMORY = 8 * GIB
/** the highest ratio that a history sets */
const RATIO = 1.5

interface Taken {
  host: string
  vm: Row
}
interface Step {
  kind: string
  cpu: number
  gib: number
  n: number
  strategy: string
  /** the next choice is made before this one is committed */
  late: boolean
}
const step = fc.record({
  kind: fc.constantFrom('start', 'start', 'start', 'stop', 'ratio', 'disable'),
  cpu: fc.integer({ min: 1, max: 12 }),
  gib: fc.integer({ min: 1, max: 6 }),
  n: fc.nat(20),
  strategy: fc.constantFrom(...hostAllocatorStrategies),
  late: fc.boolean(),
})

/** A site while a history runs on it. */
class Run {
  readonly running: Taken[] = []
  refusedByGuard = 0
  readonly #w: TestWorld
  #waiting: (Taken & { change: ReturnType<typeof reserveHost> })[] = []

  constructor(w: TestWorld) {
    this.#w = w
  }

  async take(s: Step): Promise<void> {
    if (s.kind === 'start') this.#choose(s)
    else if (s.kind === 'stop') await this.#stop(s.n)
    else {
      const k = host(1 + (s.n % 3))
      const odd = s.n % 2 === 1
      const ratio = ownSetting('mevoco.overProvisioning.memory', k, odd ? '1' : String(RATIO))
      await this.#w.commit({ ops: [s.kind === 'ratio' ? ratio : set('host', k, { state: odd ? 'Disabled' : 'Enabled' })] })
    }
    if (!s.late) await this.flush()
  }

  async flush(): Promise<void> {
    const settled = await Promise.allSettled(this.#waiting.map(({ change }) => this.#w.commit(change)))
    settled.forEach((end, i) => {
      if (end.status === 'fulfilled') this.running.push(this.#waiting[i]!)
      else this.refusedByGuard += 1
    })
    this.#waiting = []
  }

  /** The index finds a host exactly where a look at every host does. */
  #choose(s: Step): void {
    const { graph } = this.#w.state
    const vm = { cpuNum: s.cpu, memorySize: s.gib * GIB }
    const asked = { ...request, strategy: s.strategy, cpuNum: s.cpu, memoryBytes: vm.memorySize, diskBytes: s.gib * GIB }
    const brute = candidates(graph, asked).possible
    try {
      const at = placeVm(graph, asked)
      const found = brute.find((one) => one.hostUuid === at.hostUuid)
      expect(found, 'chosen, though it can not take it').toBeDefined()
      if (s.strategy === hostAllocatorStrategies[0]) expect(found!.vms).toBe(brute[0]!.vms)
      const [cpu, disk] = [reserveHost(graph, at.hostUuid, vm), takeRoom(graph, at, asked.diskBytes)]
      const change = { guards: [...cpu.guards, ...disk.guards], ops: [...cpu.ops, ...disk.ops] }
      this.#waiting.push({ change, host: at.hostUuid, vm })
    } catch (error) {
      if (!(error instanceof SkerryError && error.code === 'no-host')) throw error
      expect(brute, 'refused, though some host could take it').toEqual([])
    }
  }

  async #stop(n: number): Promise<void> {
    const [gone] = this.running.splice(this.running.length > 0 ? n % this.running.length : 0, 1)
    if (gone) await this.#w.commit({ ops: releaseHost(this.#w.state.graph, gone.host, gone.vm) })
  }

  check(): void {
    for (const k of [1, 2, 3].map(host)) {
      const sum = (field: string) => this.running.filter((r) => r.host === k).reduce((all, r) => all + (r.vm[field] as number), 0)
      expect(sum('cpuNum')).toBeLessThanOrEqual(CPUS)
      expect(sum('memorySize')).toBeLessThanOrEqual(RATIO * MEMORY - GIB)
      const part = this.#w.state.graph.get('localStorageHost', `${u.ps}:${k}`)!
      expect(part['availableCapacity'] as number).toBeGreaterThanOrEqual(GIB)
    }
  }
}

it('by any history, also of calls that all chose before the first was committed', async () => {
  let refusedByGuard = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (history) => {
      const w = await hosts([0, 0, 0], { cpu: CPUS, memory: MEMORY, disk: 30 * GIB })
      await w.commit({ ops: [1, 2, 3].map((n) => set('host', host(n), { cpuNum: CPUS / 10 })) })
      const run = new Run(w)
      for (const s of history) {
        await run.take(s)
        run.check()
      }
      await run.flush()
      run.check()
      refusedByGuard += run.refusedByGuard
    }),
    { numRuns: 60 },
  )
  expect(refusedByGuard, 'no two ever chose the same last place: the histories prove nothing').toBeGreaterThan(0)
}, 60_000)
