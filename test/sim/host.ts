/** One host of a simulated site: a machine with its agents, each a process that may be killed at any moment, and power to be cut. */
import { createHash } from 'node:crypto'
import type { MemoryBroker, MemoryBus } from '@skerry/bus'
import type { AgentKind } from '@skerry/contract'
import { AGENT_KINDS, type FakeMachine, type FakeMachineOptions, startFakeMachine } from '../harness/fake-machine.ts'
import { wallBegan } from './ambient.ts'
import { Life } from './life.ts'
import type { Network } from './network.ts'
import type { Scheduler } from './scheduler.ts'

const DOWN_MS = 3_000
const GIB = 1024 ** 3
/** Small, so that what there is runs out. */
export const MACHINE = { memoryBytes: 2 * GIB, cpuCount: 4 }
export const DISK_BYTES = 24 * GIB

export interface HostParts {
  scheduler: Scheduler
  broker: MemoryBroker
  network: Network
  random(): number
  note(line: string): void
  log: FakeMachineOptions['log']
  token(): Promise<string>
  /** what must not happen has */
  broken(what: string, error: unknown): void
}

export class SimHost {
  readonly name: string
  readonly managementIp: string
  machine!: FakeMachine
  /** has power; one without runs nothing */
  on = true
  /** users were told that it is gone for good: what it still runs, it runs for nobody */
  givenUp = false
  /** called when the agent of the hypervisor dies */
  onKvmDeath: () => void = () => undefined
  /** called when a guest has ended though its host has power */
  onGuestEnd: (vm: string) => void = () => undefined
  /** called when a guest was started, or given a device */
  onGuestChange: () => void = () => undefined
  readonly #p: HostParts
  readonly #lives = new Map<AgentKind, Life>()
  readonly #buses = new Map<AgentKind, MemoryBus>()
  /** killed by whoever starts them again */
  readonly #expected = new Set<Life>()
  #ended = false

  /** @param n counted from 0 */
  constructor(n: number, parts: HostParts) {
    this.name = n === 0 ? 'host' : `host${n}`
    this.managementIp = `192.0.2.${10 + n}`
    this.#p = parts
  }

  async start(): Promise<void> {
    const { scheduler, broker, token, log } = this.#p
    this.machine = await startFakeMachine({
      ...{ broker, token, log, timers: scheduler, wallBegan },
      controllerUrl: 'http://controller.test',
      managementIp: this.managementIp,
      machineId: createHash('md5').update(`simulated ${this.name}`).digest('hex'),
      host: { machine: MACHINE },
      made: ({ host }) => void (host.disk.totalBytes = DISK_BYTES),
      stands: (kind, on) => this.#stands(kind, on),
    })
    const { libvirt } = this.machine
    libvirt.onLifecycle(({ domainUuid, event }) => {
      if (event === 'stopped' && this.on) this.onGuestEnd(domainUuid)
      if (event === 'started') this.onGuestChange()
    })
    const call = libvirt.call.bind(libvirt)
    libvirt.call = async (op, args, o) => {
      const result = await call(op, args, o)
      if (op === 'domainAttachDevice') this.onGuestChange()
      return result
    }
    for (const kind of AGENT_KINDS) this.#guard(kind)
  }

  #stands(kind: AgentKind, on: { host: FakeMachine['host'] | object; libvirt: FakeMachine['libvirt'] }) {
    const { scheduler, broker, network } = this.#p
    const life = new Life(scheduler)
    this.#lives.set(kind, life)
    const connect: MemoryBroker['connect'] = (rights, options) => {
      const bus = network.through(broker.connect(rights, { ...options, timers: life }), life)
      this.#buses.set(kind, bus)
      return bus
    }
    if (this.machine) this.note(`agent-${kind} starts`)
    return {
      host: life.guard(on.host as FakeMachine['host']),
      libvirt: life.guard(on.libvirt),
      timers: life,
      broker: { connect },
    }
  }

  note(line: string): void {
    this.#p.note(`${this.name}: ${line}`)
  }

  life(kind: AgentKind): Life {
    return this.#lives.get(kind)!
  }

  /** Its newest connection; undefined while it has not got that far. */
  bus(kind: AgentKind): MemoryBus | undefined {
    return this.#buses.get(kind)
  }

  /** Killed now, if it was not yet, and begun again over what is on the disk. */
  async restartAgent(kind: AgentKind, between: () => void = () => undefined): Promise<void> {
    if (!this.on) return
    this.#fell(kind)
    between()
    this.#begin(kind)
  }

  /** Power cut: nothing runs, and the next `powerOn` is a boot. */
  async powerOff(): Promise<void> {
    if (!this.on) return
    this.on = false
    for (const kind of AGENT_KINDS) this.#fell(kind)
    await this.machine.reboot()
  }

  powerOn(): void {
    if (this.on || this.#ended) return
    this.on = true
    this.note('boots')
    for (const kind of AGENT_KINDS) this.#begin(kind)
  }

  #fell(kind: AgentKind): void {
    const life = this.life(kind)
    this.#expected.add(life)
    life.kill()
    this.machine.forget(kind)
  }

  /** As systemd does: whoever died is started again after a while, also when it dies while it starts. */
  #begin(kind: AgentKind): void {
    this.machine.begin(kind).catch((error) => this.#p.broken(`agent-${kind} of ${this.name} does not start`, error))
    this.#guard(kind)
  }

  #guard(kind: AgentKind): void {
    const life = this.life(kind)
    life.onKill(() => {
      if (this.#ended) return
      this.note(`agent-${kind} died`)
      if (kind === 'kvm') this.onKvmDeath()
      this.#p.scheduler.set(() => {
        if (this.#ended || this.#expected.has(life)) return
        this.machine.forget(kind)
        this.#begin(kind)
      }, this.#p.random() * DOWN_MS)
    })
  }

  end(): void {
    this.#ended = true
    for (const life of this.#lives.values()) life.kill()
  }
}
