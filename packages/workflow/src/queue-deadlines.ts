/** Timers of waiting and running tasks. */

/** The shape of the bus's `Timers`, so that one real and one simulated clock serve both. */
export interface QueueTimers {
  /** Runs `fn` once after `ms` milliseconds, unless cleared. */
  set(fn: () => void, ms: number): unknown
  clear(handle: unknown): void
  /** Monotonic, in milliseconds. */
  nowMs(): number
}

/** Node's timers overflow (and fire at once) beyond this. */
const LONGEST_MS = 2 ** 31 - 1

export class Deadlines<T extends object> {
  readonly #timers: QueueTimers
  readonly #expired: (item: T) => void
  readonly #handles = new Map<T, unknown>()

  constructor(timers: QueueTimers, expired: (item: T) => void) {
    this.#timers = timers
    this.#expired = expired
  }

  set(item: T, ms: number): void {
    const atMs = this.#timers.nowMs() + ms
    const arm = () => {
      const leftMs = atMs - this.#timers.nowMs()
      if (leftMs > LONGEST_MS) this.#handles.set(item, this.#timers.set(arm, LONGEST_MS))
      else
        this.#handles.set(
          item,
          this.#timers.set(() => this.#expire(item), Math.max(0, leftMs)),
        )
    }
    arm()
  }

  clear(item: T): void {
    if (!this.#handles.has(item)) return
    this.#timers.clear(this.#handles.get(item))
    this.#handles.delete(item)
  }

  #expire(item: T): void {
    this.#handles.delete(item)
    this.#expired(item)
  }
}
