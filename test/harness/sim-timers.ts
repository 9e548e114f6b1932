/**
 * Timers in simulated time, and waiting by them. They stand for themselves: who extends this moves the time on (`sim-time.ts` beside
 * real sockets, `../sim/scheduler.ts` alone).
 */
import type { Timers } from '@skerry/bus'

export interface Timer {
  readonly at: number
  readonly n: number
  readonly fn: () => void
  cleared: boolean
}

export class SimTimers implements Timers {
  protected now = 0
  #count = 0
  /** a heap, the next one first */
  #heap: Timer[] = []

  readonly nowMs = (): number => this.now

  readonly set = (fn: () => void, ms: number): object => {
    const timer = this.timer(fn, this.now + Math.max(0, ms || 0))
    this.#push(timer)
    return timer
  }

  readonly clear = (handle: unknown): void => {
    if (typeof handle === 'object' && handle !== null) (handle as Timer).cleared = true
  }

  readonly sleep = (ms: number): Promise<void> => new Promise((resolve) => void this.set(resolve, ms))

  readonly every = (ms: number, run: () => void): (() => void) => {
    let handle: unknown
    const again = () => {
      handle = this.set(() => {
        again()
        run()
      }, ms)
    }
    again()
    return () => this.clear(handle)
  }

  /** What it gives when that is something true; undefined when it was not after `ms` of simulated time. */
  async waitFor<T>(
    probe: () => T | Promise<T>,
    { ms, everyMs }: { ms: number; everyMs: number },
  ): Promise<NonNullable<T> | undefined> {
    const end = this.now + ms
    for (;;) {
      const found = await probe()
      if (found) return found
      if (this.now > end) return undefined
      await this.sleep(everyMs)
    }
  }

  protected timer(fn: () => void, at: number): Timer {
    return { at, n: this.#count++, fn, cleared: false }
  }

  /** Time is this timer's now, and it runs, if nobody has cleared it. */
  protected run(timer: Timer): void {
    if (timer.cleared) return
    this.now = Math.max(this.now, timer.at)
    timer.fn()
  }

  /** Takes the next one out that nobody has cleared; none when that one is later than `until`. */
  protected next(until = Number.POSITIVE_INFINITY): Timer | undefined {
    for (;;) {
      const [first] = this.#heap
      if (!first || (first.at > until && !first.cleared)) return undefined
      this.#pop()
      if (!first.cleared) return first
    }
  }

  protected forgetAll(): void {
    this.#heap = []
  }

  #push(timer: Timer): void {
    const heap = this.#heap
    let at = heap.push(timer) - 1
    while (at > 0) {
      const up = (at - 1) >> 1
      if (!before(timer, heap[up]!)) break
      heap[at] = heap[up]!
      at = up
    }
    heap[at] = timer
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (!last || heap.length === 0) return
    let at = 0
    for (;;) {
      let down = 2 * at + 1
      if (down >= heap.length) break
      if (down + 1 < heap.length && before(heap[down + 1]!, heap[down]!)) down += 1
      if (before(last, heap[down]!)) break
      heap[at] = heap[down]!
      at = down
    }
    heap[at] = last
  }
}

const before = (a: Timer, b: Timer) => a.at < b.at || (a.at === b.at && a.n < b.n)
