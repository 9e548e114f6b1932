/**
 * libvirt in memory behind the same port, for agent tests and the simulator. It passes the conformance suite that the real
 * backend passes. It fails, hangs and loses its connection on demand.
 */
import { type LibvirtClock, systemClock } from '../clock.ts'
import { domainIn, type ParsedDomain } from '../domain-parse.ts'
import { deadlineError, disconnectedError, libvirtError } from '../failure.ts'
import { libvirtCodes } from '../failure-data.ts'
import type { Calls, Libvirt, LibvirtFailure, LibvirtState, LifecycleEvent, Operation } from '../port.ts'
import { Subscribers } from '../subscribers.ts'
import { FakeBlocks, type FakeImages } from './blocks.ts'
import { FakeDevices } from './devices.ts'
import { FakeDomains } from './domains.ts'
import { FakeFailure } from './failure.ts'
import { currentXml, fakeOperations } from './operations.ts'

export interface FakeOptions {
  clock?: LibvirtClock
  hostname?: string
  /** Whether guests obey ACPI; one that does ends at once. */
  guestsObeyAcpi?: boolean
  /** The images that its guests have open; default: none are looked at. */
  images?: FakeImages
}

interface Fault {
  op: Operation
  /** Only calls on the domain of this name; absent: every call of that operation. */
  name?: string
  failure: LibvirtFailure
  timesLeft: number
}

export class FakeLibvirt implements Libvirt {
  readonly #clock: LibvirtClock
  readonly #lifecycle = new Subscribers<LifecycleEvent>((error) => this.handlerErrors.push(error))
  readonly #states = new Subscribers<LibvirtState>((error) => this.handlerErrors.push(error))
  readonly #domains: FakeDomains
  readonly #devices: FakeDevices
  readonly #blocks: FakeBlocks
  readonly #run: ReturnType<typeof fakeOperations>
  readonly #faults = new Set<Fault>()
  readonly #held = new Map<Operation, { released: Promise<void>; release: () => void }>()
  #state: LibvirtState | 'closed' = 'connected'
  /** Awaited before each operation, within the deadline of its call: latency, or a hook that watches. */
  before: (op: Operation, args: unknown) => Promise<void> | undefined = () => undefined
  /** Every call that was made, in order. */
  readonly calls: { op: Operation; args: unknown }[] = []
  /** What handlers of events and states threw: tests expect it to be empty. */
  readonly handlerErrors: unknown[] = []

  constructor(options: FakeOptions = {}) {
    const { clock = systemClock, hostname = 'fake-host', guestsObeyAcpi = true } = options
    this.#clock = clock
    this.#domains = new FakeDomains({
      now: () => clock.wall(),
      emit: ({ uuid, name }, event, detail) => {
        if (this.#state === 'connected') this.#lifecycle.notify({ domainUuid: uuid, name, event, detail, at: clock.wall() })
      },
    })
    this.#devices = new FakeDevices(this.#domains)
    this.#blocks = new FakeBlocks(this.#domains, options.images)
    this.#run = fakeOperations({
      domains: this.#domains,
      devices: this.#devices,
      blocks: this.#blocks,
      hostname,
      guestsObeyAcpi,
      now: () => clock.wall(),
    })
  }

  async call<K extends Operation>(
    op: K,
    args: Calls[K]['args'],
    { timeoutMs }: { timeoutMs: number },
  ): Promise<Calls[K]['result']> {
    this.calls.push({ op, args })
    if (this.#state !== 'connected') throw disconnectedError(op, 'the fake is disconnected')
    const [held, hook] = [this.#held.get(op), this.before(op, args)]
    if (held || hook) await this.#deadline(op, timeoutMs, Promise.all([held?.released, hook]))
    else await Promise.resolve() // an answer always comes later, as it does from another process
    try {
      this.#failIfAsked(op, args)
      // What crosses the port is data: a caller must not be able to change the fake through a result.
      return structuredClone(this.#run[op](structuredClone(args)))
    } catch (error) {
      if (error instanceof FakeFailure) throw libvirtError(op, args, error.failure)
      throw error
    }
  }

  onLifecycle(handler: (event: LifecycleEvent) => void): () => void {
    return this.#lifecycle.add(handler)
  }

  onState(handler: (state: LibvirtState) => void): () => void {
    return this.#states.add(handler)
  }

  async close(): Promise<void> {
    this.#state = 'closed'
    for (const { release } of this.#held.values()) release()
  }

  /** The next `times` calls of `op` (on the domain `name`) fail without effect. Returns the function that ends it. */
  failOn(op: Operation, name?: string, options: { failure?: Partial<LibvirtFailure>; times?: number } = {}): () => void {
    const failure = {
      libvirtCode: libvirtCodes.operationFailed,
      libvirtDomain: 10,
      message: `${op} fails on demand`,
      ...options.failure,
    }
    const fault: Fault = { op, name, failure, timesLeft: options.times ?? Number.POSITIVE_INFINITY }
    this.#faults.add(fault)
    return () => void this.#faults.delete(fault)
  }

  /** Calls of `op` do not end until released; those whose deadline passes meanwhile have no effect. */
  hang(op: Operation): () => void {
    let open = (): void => undefined
    const released = new Promise<void>((resolve) => {
      open = resolve
    })
    const release = (): void => {
      this.#held.delete(op)
      open()
    }
    this.#held.set(op, { released, release })
    return release
  }

  /** Guests keep the devices that are taken from them while they run, until the returned function is called. */
  guestsKeepDevices(): () => void {
    this.#devices.obedient = false
    return () => {
      this.#devices.obedient = true
      for (const domain of this.#domains.all()) this.#devices.release(domain)
    }
  }

  /** Jobs on the chains of disks stand still, until the returned function is called. */
  holdBlockJobs(): () => void {
    this.#blocks.going = false
    return () => {
      this.#blocks.going = true
    }
  }

  /** The guest ends by itself. */
  guestPowersOff(uuid: string): void {
    this.#domains.stop(this.#domains.get(uuid), 'shutdown')
  }

  /** Its kernel panics; its qemu stays. */
  guestPanics(uuid: string): void {
    this.#domains.panic(this.#domains.get(uuid))
  }

  /** Its qemu dies. */
  guestCrashes(uuid: string): void {
    this.#domains.stop(this.#domains.get(uuid), 'crashed')
  }

  /** The host boots: nothing runs any more, transient domains are gone, nobody is told. */
  hostReboots(): void {
    const before = this.#state
    this.#state = 'disconnected'
    for (const domain of this.#domains.all()) if (domain.live) this.#domains.stop(domain, 'destroyed')
    this.#state = before
  }

  disconnect(): void {
    this.#state = 'disconnected'
    this.#states.notify('disconnected')
  }

  reconnect(): void {
    this.#state = 'connected'
    this.#states.notify('connected')
  }

  /** The names of everything that it can do. */
  operations(): Operation[] {
    return Object.keys(this.#run) as Operation[]
  }

  /** What the definition of a domain, or of what runs of it, says. */
  domain(uuid: string): ParsedDomain {
    return domainIn(this.#domains.readings.of(currentXml(this.#domains.get(uuid))))
  }

  /** What exists, for assertions. */
  inventory(): { uuid: string; name: string; state: string; persistent: boolean; xml: string }[] {
    return this.#domains.all().map((d) => ({
      uuid: d.uuid,
      name: d.name,
      state: d.state,
      persistent: d.xml !== null,
      xml: d.live?.xml ?? d.xml ?? '',
    }))
  }

  #failIfAsked(op: Operation, args: unknown): void {
    if (this.#faults.size === 0) return
    const uuid = (args as { uuid?: string }).uuid
    const xml = (args as { xml?: string | null }).xml
    const name = this.#domains.all().find((d) => d.uuid === uuid)?.name ?? xml?.match(/<name>([^<]*)<\/name>/)?.[1]
    for (const fault of this.#faults) {
      if (fault.op !== op || (fault.name !== undefined && fault.name !== name)) continue
      if (--fault.timesLeft <= 0) this.#faults.delete(fault)
      throw new FakeFailure(fault.failure.libvirtCode, fault.failure.message, fault.failure.libvirtDomain)
    }
  }

  #deadline(op: Operation, timeoutMs: number, released: Promise<unknown>): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.after(timeoutMs, () => reject(deadlineError(op, timeoutMs)))
      void released.then(() => {
        cancel()
        if (this.#state === 'connected') resolve()
        else reject(disconnectedError(op, 'the fake is disconnected'))
      }, reject)
    })
  }
}

export function fakeLibvirt(options: FakeOptions = {}): FakeLibvirt {
  return new FakeLibvirt(options)
}
