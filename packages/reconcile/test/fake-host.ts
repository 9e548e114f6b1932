/** A host of named things, a module for them, manual time, and a ledger in memory: all that a reconciler needs. */
import { canonicalJson, type Status } from '@skerry/contract'
import { z } from 'zod'
import { type Change, createReconciler, type DesiredEntry, type Module, type Reconciler } from '../src/index.ts'

export const id = (n: number) => n.toString(16).padStart(32, '0')

export interface Thing {
  uuid: string
  size: number
}
const spec = z.object({ size: z.number() })
type Spec = z.infer<typeof spec>
type ThingChange = (Change & { op: 'make' | 'resize'; size: number }) | (Change & { op: 'remove' })

/** Fails on demand: `failOn` names uuids, `blind` makes observing fail. */
export class FakeHost {
  things = new Map<string, number>()
  log: string[] = []
  failOn = new Map<string, Error>()
  blind: Error | undefined
  before: (change: ThingChange) => Promise<void> = async () => {}

  module(noun: string, over: Partial<Module<Spec, Thing, ThingChange>> = {}): Module<Spec, Thing, ThingChange> {
    const key = (uuid: string) => `${noun}/${uuid}`
    return {
      noun,
      schema: 1,
      spec,
      observe: async () => {
        if (this.blind) throw this.blind
        return [...this.things]
          .filter(([k]) => k.startsWith(`${noun}/`))
          .map(([k, size]) => ({ uuid: k.slice(noun.length + 1), size }))
      },
      plan: (want, have, context) => {
        const there = new Map(have.map((h) => [h.uuid, h.size]))
        const changes: ThingChange[] = have.filter((h) => context.buried.has(h.uuid)).map(({ uuid }) => ({ uuid, op: 'remove' }))
        for (const { uuid, spec: s } of want) {
          const size = there.get(uuid)
          if (size === undefined) changes.push({ uuid, op: 'make', size: s.size })
          else if (size !== s.size) changes.push({ uuid, op: 'resize', size: s.size })
        }
        return changes
      },
      apply: async (change) => {
        await this.before(change)
        this.log.push(`${change.op} ${noun} ${Number.parseInt(change.uuid, 16)}`)
        const error = this.failOn.get(change.uuid)
        if (error) throw error
        if (change.op === 'remove') this.things.delete(key(change.uuid))
        else this.things.set(key(change.uuid), change.size)
      },
      report: (want, have) => ({
        condition: want && have?.size === want.spec.size ? 'Ready' : 'Working',
        observed: have ? { size: have.size } : {},
      }),
      ...over,
    }
  }
}

export class MemoryLedger {
  readonly #all = new Map<string, Map<string, DesiredEntry>>()
  entries(noun: string): Iterable<DesiredEntry> {
    return this.#all.get(noun)?.values() ?? []
  }
  want(noun: string, uuid: string, size: unknown, seq = 1): void {
    this.#put(noun, { uuid, generation: { incarnation: 1, seq }, tombstone: false, schema: 1, spec: { size }, facts: {} })
  }
  bury(noun: string, uuid: string, seq = 2): void {
    this.#put(noun, { uuid, generation: { incarnation: 1, seq }, tombstone: true, schema: undefined, spec: undefined, facts: {} })
  }
  #put(noun: string, entry: DesiredEntry): void {
    const entries = this.#all.get(noun) ?? new Map()
    entries.set(entry.uuid, entry)
    this.#all.set(noun, entries)
  }
}

export class ManualTime {
  #now = 0
  #timers: { at: number; fn: () => void }[] = []
  nowMs = () => this.#now
  now = () => 1_700_000_000_000 + this.#now
  set = (fn: () => void, ms: number) => {
    const timer = { at: this.#now + ms, fn }
    this.#timers.push(timer)
    return timer
  }
  clear = (handle: unknown) => {
    this.#timers = this.#timers.filter((t) => t !== handle)
  }
  /** Runs what is due, in order, and lets promises settle after each. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    for (;;) {
      await settle()
      const next = this.#timers.filter((t) => t.at <= end).sort((a, b) => a.at - b.at)[0]
      if (!next) break
      this.clear(next)
      this.#now = Math.max(this.#now, next.at)
      next.fn()
    }
    this.#now = end
    await settle()
  }
}

export const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

type Over = Partial<Module<Spec, Thing, ThingChange>>

/** `each`: what is other in the module of one noun. */
export function bench(nouns: string[], over: Over = {}, each: (noun: string) => Over = () => ({})) {
  const host = new FakeHost()
  const ledger = new MemoryLedger()
  const time = new ManualTime()
  const told: Status[] = []
  const interval = { ms: 30_000 }
  const faults: { error: unknown; where: Record<string, unknown> }[] = []
  const reconciler: Reconciler = createReconciler({
    modules: nouns.map((noun) => host.module(noun, { ...over, ...each(noun) })),
    ledger,
    clock: time,
    timers: time,
    bootId: 'boot-1',
    onStatus: (status) => told.push(status),
    onFault: (error, where) => faults.push({ error, where }),
    intervalMs: () => interval.ms,
  })
  const short = () =>
    told.splice(0).map((s) => `${s.noun} ${Number.parseInt(s.uuid, 16)} ${s.condition} ${canonicalJson(s.observed)}`)
  return { host, ledger, time, told, faults, reconciler, short, interval }
}
