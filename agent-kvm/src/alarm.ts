/** Wakes the reconciler at a moment that no event announces: the end of a guest's grace time, a port that may have gone. */
import type { Timers } from '@skerry/reconcile'

export class Alarm {
  readonly #timers: Timers
  readonly #wake: () => void
  readonly #set = new Map<string, { dueMs: number; handle: unknown }>()

  constructor(timers: Timers, wake: () => void) {
    this.#timers = timers
    this.#wake = wake
  }

  /** Wakes in `inMs`; an earlier alarm of the same key stands. */
  in(key: string, inMs: number): void {
    const dueMs = this.#timers.nowMs() + Math.max(0, inMs)
    const before = this.#set.get(key)
    if (before && before.dueMs <= dueMs) return
    if (before) this.#timers.clear(before.handle)
    const ring = () => {
      this.#set.delete(key)
      this.#wake()
    }
    // One millisecond more: a timer may fire early, and then the time would not be over yet.
    this.#set.set(key, { dueMs, handle: this.#timers.set(ring, Math.max(0, inMs) + 1) })
  }

  clear(): void {
    for (const { handle } of this.#set.values()) this.#timers.clear(handle)
    this.#set.clear()
  }
}
