/** All simulated machines of a site: brought when they are asked for, kept over restarts, each with its own behaviour. */
import { createHash } from 'node:crypto'
import type { Identity, Log } from '@skerry/agent'
import { FakeSftp } from '@skerry/agent-storage'
import type { RetiringBus } from '@skerry/bus'
import {
  ALL_MACHINES,
  type BehaviourChange,
  type MachineBehaviour,
  type MachineWanted,
  type SimulatedMachine,
  SkerryError,
} from '@skerry/contract'
import type { FakeHost, Files } from '@skerry/host'
import { checkOperations, type MisbehavePorts, misbehave, ORDINARY } from './behaviour.ts'
import { ImageSources, withStoresOf } from './images.ts'
import { MachineDisk } from './kept.ts'
import { askForAddress } from './leases.ts'
import { type FakeMachine, startFakeMachine } from './machine/machine.ts'
import type { SavedMachine } from './machine/saved.ts'
import { inParallel } from './parallel.ts'

/** Its own, because what people's scripts bridge is `eth0`, and bridging a NIC with an address cuts a host off. */
const MANAGEMENT_NIC = 'mgmt0'
const FREE_NICS = ['eth0', 'eth1', 'eth2', 'eth3'].map((name) => ({ name }))

export interface SimulatorPorts extends MisbehavePorts {
  /** of the controller, where agents enrol */
  controllerUrl: string
  /** How an agent gets onto the bus with what it was granted: each with its own connection and its own rights. */
  connect(identity: Identity): Promise<RetiringBus>
  /** the real disk of this process, for what simulated machines keep */
  files: Pick<Files, 'read' | 'write' | 'list' | 'makeDir' | 'remove'>
  /** where to */
  dir: string
  log: Log
}

interface Machine {
  address: string
  behaviour: MachineBehaviour
  /** what the machine's facts are read from */
  facts: { hostname: string; cpuCount: number; memoryBytes: number }
  running: FakeMachine | undefined
  tokens: Partial<MachineWanted['tokens']>
  /** ends when it runs */
  started: Promise<void>
}

/** How many boot at once: enough to keep the controller busy, few enough that each is quick. */
const BOOTS_AT_ONCE = 32

/**
 * Real hosts look after themselves each on its own CPUs; here one thread does it for all of them. Beyond a few hundred machines each
 * looks less often than a real one, so that there is time left for what is asked of them.
 */
const reconcileIntervalMs = (machines: number) => Math.max(30_000, machines * 60)

/** A machine is known by its address: wiped and brought again, it is the same one. */
const machineIdOf = (address: string) => createHash('sha256').update(`simulated ${address}`).digest('hex').slice(0, 32)

export class Simulator {
  readonly #p: SimulatorPorts
  readonly #machines = new Map<string, Machine>()
  /** Each machine lets anybody in by sftp, to its own disk. */
  readonly #servers = new FakeSftp((address) => this.#machines.get(address)?.running?.host.disk)
  readonly #disk: MachineDisk
  #ordinary = ORDINARY
  /** address of the machine that gave a guest its address last */
  #answered = ''

  constructor(ports: SimulatorPorts) {
    this.#p = ports
    this.#disk = new MachineDisk(ports.files, ports.dir)
  }

  get size(): number {
    return this.#machines.size
  }

  /** Boots what was there when the simulator ended. A machine that can't boot is told in the log; the others do. */
  async resume(): Promise<void> {
    const known = await this.#disk.load()
    this.#ordinary = known.ordinary ?? this.#ordinary
    await inParallel(known.machines, BOOTS_AT_ONCE, async ({ address, behaviour, machine }) => {
      const made = this.#add(address, {}, { behaviour, saved: machine })
      await made.started.catch((err) => {
        this.#machines.delete(address)
        this.#p.log.error({ err, address }, 'a simulated machine cannot boot')
      })
    })
  }

  /**
   * Resolves when a machine is there whose agents are enrolled and hear. The controller asks when it knows no agents at this
   * address: those of a machine that is there already are forgotten, and made anew.
   */
  async bring({ address, tokens }: MachineWanted): Promise<void> {
    const there = this.#machines.get(address)
    if (there && !there.running) return there.started // asked for twice
    if (there) {
      await there.running?.stop()
      await this.#disk.drop(address)
    }
    const machine = this.#add(address, tokens, { behaviour: there?.behaviour ?? this.#ordinary, saved: undefined })
    await machine.started.catch((error) => {
      if (this.#machines.get(address) === machine) this.#machines.delete(address)
      throw error
    })
  }

  list(): SimulatedMachine[] {
    return [...this.#machines.values()].map(({ address, behaviour, running }) => ({
      ...behaviour,
      address,
      state: running ? 'running' : 'starting',
      guests: running?.libvirt.inventory().filter(({ state }) => state === 'running').length ?? 0,
      usedBytes: running?.host.disk.usedBytes() ?? 0,
    }))
  }

  /** The machine itself, while it runs. */
  at(address: string): FakeMachine | undefined {
    return this.#machines.get(address)?.running
  }

  /** One machine, or ALL_MACHINES: then those to come too. Throws `not-found`, `invalid-argument`; then nothing is changed. */
  async set(address: string, change: BehaviourChange): Promise<SimulatedMachine[]> {
    checkOperations(Object.keys(change.fail ?? {}))
    const all = address === ALL_MACHINES
    const machine = this.#machines.get(address)
    if (!all && !machine) throw new SkerryError('not-found', `no machine is simulated at ${address}`, { address })
    const meant = all ? [...this.#machines.values()] : [machine!]
    if (all) this.#ordinary = changed(this.#ordinary, change)
    for (const one of meant) one.behaviour = changed(one.behaviour, change)
    await inParallel(meant, BOOTS_AT_ONCE, (one) => this.#fit(one, change))
    await this.#keep()
    const addresses = new Set(meant.map((one) => one.address))
    return this.list().filter((one) => addresses.has(one.address))
  }

  /** Writes what has changed since it was last written. */
  async save(): Promise<void> {
    await this.#keep()
    await inParallel([...this.#machines.values()], BOOTS_AT_ONCE, async ({ address, running, behaviour }) => {
      if (running) await this.#disk.save(address, running.host.disk.changes, () => ({ behaviour, machine: running.save() }))
    })
  }

  /** Switches all machines off; they are kept. */
  async stop(): Promise<void> {
    const all = [...this.#machines.values()]
    await inParallel(all, BOOTS_AT_ONCE, async ({ started }) => void (await started.catch(() => undefined))) // it was told
    await this.save()
    await inParallel(all, all.length, async ({ running }) => void (await running?.stop()))
    await this.save()
  }

  #keep(): Promise<void> {
    return this.#disk.saveOrdinary(this.#ordinary)
  }

  #add(
    address: string,
    tokens: Partial<MachineWanted['tokens']>,
    { behaviour, saved }: { behaviour: MachineBehaviour; saved: SavedMachine | undefined },
  ): Machine {
    const { cpuCount, memoryBytes } = behaviour
    const facts = { hostname: `sim-${address.replaceAll('.', '-')}`, cpuCount, memoryBytes }
    const machine: Machine = { address, behaviour, facts, tokens, running: undefined, started: Promise.resolve() }
    this.#machines.set(address, machine)
    machine.started = this.#boot(machine, saved)
    return machine
  }

  async #boot(machine: Machine, saved: SavedMachine | undefined): Promise<void> {
    const { address } = machine
    const sources = new ImageSources()
    const made: { host?: FakeHost } = {}
    const log = this.#p.log.child({ address })
    const running = await startFakeMachine({
      broker: (identity) => this.#p.connect(identity),
      controllerUrl: this.#p.controllerUrl,
      managementIp: address,
      machineId: machineIdOf(address),
      token: async (kind) => this.#token(machine, kind),
      host: { machine: machine.facts, nics: [{ name: MANAGEMENT_NIC, cidr: `${address}/8` }, ...FREE_NICS] },
      log,
      fetch: sources.fetch,
      sftp: this.#servers,
      reconcileIntervalMs: () => reconcileIntervalMs(this.size),
      seen: (host) => {
        host.disk.totalBytes = machine.behaviour.diskBytes
        return { ...host, files: withStoresOf(host.files, (path) => this.#holding(path, address)) }
      },
      otherParts: (_kind, parts) => ({
        ...parts,
        commands: parts.commands.map((command) => sources.wrap(command, made.host!, this.#servers)),
      }),
      guests: { started: (macs) => this.#askForAddresses(macs) },
      ...(saved ? { saved } : {}),
      made: (fakes) => {
        made.host = fakes.host
        misbehave(fakes, () => machine.behaviour, this.#p)
      },
    })
    machine.running = running
    await running.flush()
  }

  #token({ address, tokens }: Machine, kind: keyof MachineWanted['tokens']): string {
    const token = tokens[kind]
    if (token !== undefined) return token
    throw new SkerryError('enrolment-refused', `the machine at ${address} has lost what its agent-${kind} knew`, {
      address,
      run: 'delete the host and add it again',
    })
  }

  #holding(path: string, but: string): Files | undefined {
    for (const { address, running } of this.#machines.values())
      if (address !== but && running?.host.disk.files.has(path)) return running.host.files
    return undefined
  }

  #askForAddresses(macs: readonly string[]): void {
    for (const mac of macs)
      askForAddress(mac, this.#wired())
        .then((answered) => this.#note(answered))
        .catch((err) => this.#p.log.error({ err, mac }, 'a guest cannot ask for its address'))
  }

  #note(answered: FakeMachine | undefined): void {
    if (!answered || answered === this.#machines.get(this.#answered)?.running) return
    for (const { address, running } of this.#machines.values()) if (running === answered) this.#answered = address
  }

  /** Machines that run. First the one that gave a guest its address last: it most likely knows the next one too. */
  *#wired(): Iterable<FakeMachine> {
    const first = this.#machines.get(this.#answered)?.running
    if (first) yield first
    for (const { running } of this.#machines.values()) if (running && running !== first) yield running
  }

  /** What was changed in its hardware is seen by agents; that of CPUs and memory only at their start, as on a real machine. */
  async #fit({ running, facts, behaviour }: Machine, change: BehaviourChange): Promise<void> {
    Object.assign(facts, { cpuCount: behaviour.cpuCount, memoryBytes: behaviour.memoryBytes })
    if (!running) return
    running.host.disk.totalBytes = behaviour.diskBytes
    running.host.disk.changes += 1 // so that it is kept
    if (change.cpuCount !== undefined || change.memoryBytes !== undefined) {
      await running.end('kvm')
      await running.begin('kvm')
    }
    running.signal()
  }
}

/** Failures are set one by one; a chance of 0 ends one. */
function changed(behaviour: MachineBehaviour, { fail, ...rest }: BehaviourChange): MachineBehaviour {
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined))
  const merged = Object.entries({ ...behaviour.fail, ...fail }).filter(([, chance]) => chance > 0)
  return { ...behaviour, ...given, fail: Object.fromEntries(merged) }
}
