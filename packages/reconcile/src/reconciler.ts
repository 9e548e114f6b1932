/**
 * The loop: wakes by signal and by timer, runs one pass at a time. A pass looks at everything, but for one after a signal that names
 * a few documents whose module can look at these alone: it is over in the time of these few, whatever else is on the host.
 */
import { type Document, isTombstone, type Status, type Tombstone, toErrorBody } from '@skerry/contract'
import { Backoff } from './backoff.ts'
import { contextOf, type DesiredEntry, type DesiredSource, type NounDesired, readNoun, SpecCache } from './desired.ts'
import type { AnyModule, Change } from './module.ts'
import { Pass, type PassPorts } from './pass.ts'
import { type Stamp, StatusBook } from './statuses.ts'

export interface Clock {
  /** Wall clock, epoch milliseconds. */
  now(): number
}

/** As the bus's timers. */
export interface Timers {
  set(fn: () => void, ms: number): unknown
  clear(handle: unknown): void
  /** Monotonic milliseconds. */
  nowMs(): number
}

export interface ReconcilerPorts {
  /** In the order in which nouns are made; they are removed in the opposite order. */
  modules: readonly AnyModule[]
  ledger: DesiredSource
  clock: Clock
  timers: Timers
  /** Of this boot of the host. */
  bootId: string
  /** Milliseconds since the boot of the host, going on over restarts of the agent: orders its statuses. Without it they have no `seq`. */
  sinceBootMs?: () => number
  onStatus(status: Status): void
  /** What no status can tell: a host that can't be observed, a defect of a module. */
  onFault(error: unknown, where: Record<string, unknown>): void
  /** A pass runs at least this often. A function is asked before each wait. */
  intervalMs: number | (() => number)
}

export interface Blind {
  noun: string
  /** an ErrorBody */
  error: Record<string, unknown>
}

export interface DocumentName {
  noun: string
  uuid: string
}

export interface PlannedChange {
  noun: string
  uuid: string
  change: Change
}

export interface Reconciler {
  /** The first pass begins now. */
  start(): void
  /** Something may have changed: a pass begins, or another one after the one that runs. `of`: with these documents only. */
  signal(of?: readonly DocumentName[]): void
  /** A whole pass that begins after this call. Only between start and stop. */
  pass(): Promise<void>
  statuses(): Status[]
  statusDigest(): string
  /** Nouns that the last pass could not observe, and why: nothing is made or removed of them, and their statuses are of before. */
  blind(): Blind[]
  /** What a sync of these documents would change (without documents: what the next pass would). Changes nothing. */
  dryRun(documents: readonly (Document | Tombstone)[]): Promise<PlannedChange[]>
  /** Ends after the change that is being applied. Undoes nothing. */
  stop(): Promise<void>
}

export function createReconciler(ports: ReconcilerPorts): Reconciler {
  return new Loop(ports)
}

class Loop implements Reconciler {
  readonly #p: ReconcilerPorts
  readonly #backoff = new Backoff()
  readonly #book: StatusBook
  #state: 'new' | 'started' | 'stopped' = 'new'
  readonly #specs = new SpecCache()
  /** A pass over everything is due. */
  #due = false
  /** By noun: documents with which something may have changed. */
  #touched = new Map<string, Set<string>>()
  #seq = 0
  readonly #blind = new Map<string, Record<string, unknown>>()
  #running: Promise<void> | undefined
  #timer: unknown
  #waiters: (() => void)[] = []

  constructor(ports: ReconcilerPorts) {
    this.#p = ports
    this.#book = new StatusBook(
      () => this.#stamp(),
      (status) => ports.onStatus(status),
    )
  }

  /** Microseconds since boot, and never the same twice: the wall clock may jump, and an agent that starts again goes on above. */
  #stamp(): Stamp {
    const { clock, bootId, sinceBootMs } = this.#p
    if (!sinceBootMs) return { at: clock.now(), bootId }
    this.#seq = Math.max(this.#seq + 1, Math.floor(sinceBootMs() * 1000))
    return { at: clock.now(), bootId, seq: this.#seq }
  }

  start(): void {
    if (this.#state === 'new') this.#state = 'started'
    this.signal()
  }

  signal(of?: readonly DocumentName[]): void {
    const all = !of || of.some(({ noun }) => !this.#p.modules.find((module) => module.noun === noun)?.single)
    if (all) this.#due = true
    else this.#touch(of)
    if (this.#state !== 'started' || this.#running) return
    this.#running = this.#loop()
  }

  #touch(of: readonly DocumentName[]): void {
    for (const { noun, uuid } of of) {
      const uuids = this.#touched.get(noun) ?? new Set()
      this.#touched.set(noun, uuids.add(uuid))
    }
  }

  pass(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.push(resolve)
      this.signal()
    })
  }

  statuses(): Status[] {
    return this.#book.all()
  }

  statusDigest(): string {
    return this.#book.digest()
  }

  blind(): Blind[] {
    return [...this.#blind].map(([noun, error]) => ({ noun, error }))
  }

  async dryRun(documents: readonly (Document | Tombstone)[]): Promise<PlannedChange[]> {
    const desired = this.#read(documents.length === 0 ? this.#p.ledger : overlay(this.#p.ledger, documents))
    const whole = (noun: string) => desired.get(noun)
    const at = { bootId: this.#p.bootId, nowMs: this.#p.clock.now() }
    const asked = new Set(documents.map((d) => `${d.noun}/${d.uuid}`))
    const planned: PlannedChange[] = []
    for (const module of this.#p.modules) {
      const context = contextOf(desired.get(module.noun), whole, at)
      const have = await module.observe(context)
      for (const change of module.plan(desired.get(module.noun)?.want ?? [], have, context)) {
        if (asked.size > 0 && !asked.has(`${module.noun}/${change.uuid}`)) continue
        planned.push({ noun: module.noun, uuid: change.uuid, change })
      }
    }
    return planned
  }

  async stop(): Promise<void> {
    this.#state = 'stopped'
    this.#p.timers.clear(this.#timer)
    await this.#running
    for (const resolve of this.#waiters.splice(0)) resolve()
  }

  async #loop(): Promise<void> {
    await Promise.resolve() // a pass begins in a turn of its own: signals of the same turn are one
    this.#p.timers.clear(this.#timer)
    while ((this.#due || this.#touched.size > 0) && this.#state === 'started') {
      const only = this.#due ? undefined : this.#touched
      this.#due = false
      this.#touched = new Map()
      const waiters = only ? [] : this.#waiters.splice(0)
      try {
        await this.#pass(only)
      } catch (error) {
        this.#p.onFault(error, { doing: 'pass' })
      }
      for (const resolve of waiters) resolve()
    }
    this.#running = undefined
    if (this.#state === 'started') this.#schedule()
  }

  #schedule(): void {
    const next = this.#backoff.next()
    const { intervalMs: interval, timers } = this.#p
    const intervalMs = typeof interval === 'function' ? interval() : interval
    const untilRetryMs = next === undefined ? intervalMs : Math.max(10, next - timers.nowMs())
    this.#timer = timers.set(() => this.signal(), Math.min(intervalMs, untilRetryMs))
  }

  async #pass(only: ReadonlyMap<string, ReadonlySet<string>> | undefined): Promise<void> {
    const desired = this.#read(this.#p.ledger, only)
    // What is buried may leave something to others; what could not be seen is looked at as a whole.
    if (only && (this.#blind.size > 0 || [...desired.values()].some(({ buried }) => buried.size > 0)))
      return this.#pass(undefined)
    if (!only) this.#forget(desired)
    const more = await new Pass(this.#passPorts(desired, only)).run()
    if (!more) return
    if (only) for (const [noun, uuids] of only) this.#touch([...uuids].map((uuid) => ({ noun, uuid })))
    else this.#due = true
  }

  #passPorts(desired: ReadonlyMap<string, NounDesired>, only: ReadonlyMap<string, ReadonlySet<string>> | undefined): PassPorts {
    const { modules, timers, ledger } = this.#p
    const whole = new Map<string, NounDesired>(only ? [] : desired)
    return {
      modules: only ? modules.filter(({ noun }) => only.has(noun)) : modules,
      desired,
      only,
      whole: (noun) => {
        const module = modules.find((one) => one.noun === noun)
        if (module && !whole.has(noun)) whole.set(noun, readNoun(module, ledger, this.#specs))
        return whole.get(noun)
      },
      backoff: this.#backoff,
      book: this.#book,
      at: { bootId: this.#p.bootId, nowMs: this.#p.clock.now() },
      nowMs: () => timers.nowMs(),
      later: (fn, ms) => {
        const handle = timers.set(fn, ms)
        return () => timers.clear(handle)
      },
      stopping: () => this.#state === 'stopped',
      onFault: (error, where) => this.#p.onFault(error, where),
      sight: (noun, error) => {
        if (error === undefined) this.#blind.delete(noun)
        else this.#blind.set(noun, { ...toErrorBody(error) })
      },
    }
  }

  #read(source: DesiredSource, only?: ReadonlyMap<string, ReadonlySet<string>>): Map<string, NounDesired> {
    const modules = this.#p.modules.filter(({ noun }) => !only || only.has(noun))
    return new Map(modules.map((module) => [module.noun, readNoun(module, source, this.#specs, only?.get(module.noun))]))
  }

  /** A resource that is no longer desired has nothing to wait for. */
  #forget(desired: ReadonlyMap<string, NounDesired>): void {
    const known = new Set<string>()
    for (const [noun, { want, buried }] of desired) {
      known.add(`${noun}/`)
      for (const { uuid } of [...want, ...buried.values()]) known.add(`${noun}/${uuid}`)
    }
    this.#backoff.retain((key) => known.has(key))
  }
}

/** The ledger as it would be with these documents in it. */
function overlay(ledger: DesiredSource, documents: readonly (Document | Tombstone)[]): DesiredSource {
  return {
    *entries(noun) {
      const fresh = new Map(documents.filter((d) => d.noun === noun).map((d) => [d.uuid, d]))
      for (const entry of ledger.entries(noun)) {
        const document = fresh.get(entry.uuid)
        fresh.delete(entry.uuid)
        yield document ? asEntry(document, entry) : entry
      }
      for (const document of fresh.values()) yield asEntry(document, undefined)
    },
  }
}

function asEntry(document: Document | Tombstone, before: DesiredEntry | undefined): DesiredEntry {
  const { uuid, generation } = document
  const facts = before?.facts ?? {}
  if (isTombstone(document)) return { uuid, generation, tombstone: true, schema: before?.schema, spec: before?.spec, facts }
  return { uuid, generation, tombstone: false, schema: document.schema, spec: document.spec, facts }
}
