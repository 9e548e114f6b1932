/**
 * Events to a plugin that only observes. Nobody waits for it: what comes faster than it takes is dropped beyond a bound, and counted;
 * so is what it fails at. It is told of events once at most, and of none from before it was begun.
 */
import type { Row } from '@skerry/contract'
import type { ServedFact } from '../tasks/facts.ts'
import { coversEvent } from '../webhooks/pattern.ts'

export interface ObserverPorts {
  patterns: readonly string[]
  tell(events: readonly Row[], timeoutMs: number): Promise<unknown>
  isOn(): boolean
  timers: { set(run: () => void, ms: number): unknown; clear(handle: unknown): void }
  /** How many were dropped so far. At most once in `COUNT_EVERY_MS`. */
  onDropped(count: number): void
}

export const QUEUED = 1_000
export const AT_ONCE = 100
export const OBSERVE_MS = 5_000
/** After a failure: it may be on its way to begin again. */
const PAUSE_MS = 1_000
export const COUNT_EVERY_MS = 5_000

export class Observer {
  readonly #p: ObserverPorts
  #queue: ServedFact[] = []
  #telling = false
  #dropped = 0
  #counting: unknown
  #pausing: unknown
  #stopped = false

  constructor(ports: ObserverPorts) {
    this.#p = ports
  }

  /** Returns at once, whatever the plugin does. */
  take(facts: readonly ServedFact[]): void {
    if (this.#stopped || !this.#p.isOn()) return
    const heard = facts.filter(({ subject }) => coversEvent(this.#p.patterns, subject))
    const room = Math.max(0, QUEUED - this.#queue.length)
    this.#queue.push(...heard.slice(0, room))
    this.#drop(heard.length - Math.min(room, heard.length))
    this.#next()
  }

  stop(): void {
    this.#stopped = true
    this.#queue = []
    for (const handle of [this.#counting, this.#pausing]) if (handle !== undefined) this.#p.timers.clear(handle)
  }

  #next(): void {
    if (this.#telling || this.#pausing !== undefined || this.#stopped) return
    // What it was not told before it was switched off, nobody wants it to hear any more.
    if (!this.#p.isOn()) this.#queue = []
    const batch = this.#queue.splice(0, AT_ONCE)
    if (batch.length === 0) return
    this.#telling = true
    const facts = batch.map(({ data }) => data)
    this.#p.tell(facts, OBSERVE_MS).then(
      () => this.#told(),
      // Its health says why; these may have been heard or not.
      () => this.#failed(batch.length),
    )
  }

  #told(): void {
    this.#telling = false
    this.#next()
  }

  #failed(count: number): void {
    this.#telling = false
    if (this.#stopped) return
    if (this.#p.isOn()) this.#drop(count)
    this.#pausing = this.#p.timers.set(() => {
      this.#pausing = undefined
      this.#next()
    }, PAUSE_MS)
  }

  #drop(count: number): void {
    if (count === 0) return
    this.#dropped += count
    this.#counting ??= this.#p.timers.set(() => {
      this.#counting = undefined
      this.#p.onDropped(this.#dropped)
    }, COUNT_EVERY_MS)
  }
}
