/** The loop: wakes by signal and by timer, runs one pass at a time. Carries no input: a pass looks at everything. */
import { type Document, isTombstone, type Status, type Tombstone } from '@skerry/contract'
import { Backoff } from './backoff.ts'
import { contextOf, type DesiredEntry, type DesiredSource, type NounDesired, readNoun } from './desired.ts'
import type { AnyModule, Change } from './module.ts'
import { Pass } from './pass.ts'
import { StatusBook } from './statuses.ts'

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
  onStatus(status: Status): void
  /** What no status can tell: a host that can't be observed, a defect of a module. */
  onFault(error: unknown, where: Record<string, unknown>): void
  /** A pass runs at least this often. */
  intervalMs: number
}

export interface PlannedChange {
  noun: string
  uuid: string
  change: Change
}

export interface Reconciler {
  /** The first pass begins now. */
  start(): void
  /** Something may have changed: a pass begins, or another one after the one that runs. */
  signal(): void
  /** A whole pass that begins after this call. Only between start and stop. */
  pass(): Promise<void>
  statuses(): Status[]
  statusDigest(): string
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
  #due = false
  #running: Promise<void> | undefined
  #timer: unknown
  #waiters: (() => void)[] = []

  constructor(ports: ReconcilerPorts) {
    this.#p = ports
    this.#book = new StatusBook(
      () => ({ at: ports.clock.now(), bootId: ports.bootId }),
      (status) => ports.onStatus(status),
    )
  }

  start(): void {
    if (this.#state === 'new') this.#state = 'started'
    this.signal()
  }

  signal(): void {
    this.#due = true
    if (this.#state !== 'started' || this.#running) return
    this.#running = this.#loop()
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

  async dryRun(documents: readonly (Document | Tombstone)[]): Promise<PlannedChange[]> {
    const desired = this.#read(documents.length === 0 ? this.#p.ledger : overlay(this.#p.ledger, documents))
    const at = { bootId: this.#p.bootId, nowMs: this.#p.clock.now() }
    const asked = new Set(documents.map((d) => `${d.noun}/${d.uuid}`))
    const planned: PlannedChange[] = []
    for (const module of this.#p.modules) {
      const context = contextOf(module.noun, desired, at)
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
    while (this.#due && this.#state === 'started') {
      this.#due = false
      const waiters = this.#waiters.splice(0)
      try {
        if (await this.#pass()) this.#due = true
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
    const untilRetryMs = next === undefined ? this.#p.intervalMs : Math.max(10, next - this.#p.timers.nowMs())
    this.#timer = this.#p.timers.set(() => this.signal(), Math.min(this.#p.intervalMs, untilRetryMs))
  }

  async #pass(): Promise<boolean> {
    const desired = this.#read(this.#p.ledger)
    this.#forget(desired)
    const { modules, timers } = this.#p
    return new Pass({
      modules,
      desired,
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
    }).run()
  }

  #read(source: DesiredSource): Map<string, NounDesired> {
    return new Map(this.#p.modules.map((module) => [module.noun, readNoun(module, source)]))
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
