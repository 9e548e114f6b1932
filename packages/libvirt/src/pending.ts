/** Calls that wait for an answer, each with its deadline. After it the caller is free; the backend has some more time. */
import type { LibvirtClock } from './clock.ts'
import { deadlineError, disconnectedError, libvirtError } from './failure.ts'
import type { LibvirtFailure, Operation } from './port.ts'

interface Entry {
  readonly op: Operation
  readonly args: unknown
  readonly expiresAt: number
  settle: ((outcome: { result: unknown } | { error: Error }) => void) | null
  sent: boolean
  cancelTimer: () => void
}

export interface PendingOptions {
  clock: LibvirtClock
  /** How long the backend may be late before it counts as stuck. */
  stuckAfterMs: number
  onStuck(op: Operation): void
  /** Monotonic ms. */
  monotonic(): number
}

export class PendingCalls {
  readonly #options: PendingOptions
  readonly #entries = new Map<number, Entry>()
  #next = 1

  constructor(options: PendingOptions) {
    this.#options = options
  }

  add(op: Operation, args: unknown, timeoutMs: number): { id: number; done: Promise<unknown> } {
    const id = this.#next++
    const done = new Promise<unknown>((resolve, reject) => {
      const cancelTimer = this.#options.clock.after(timeoutMs, () => this.#overdue(id, timeoutMs))
      const settle: Entry['settle'] = (outcome) => ('error' in outcome ? reject(outcome.error) : resolve(outcome.result))
      this.#entries.set(id, { op, args, expiresAt: this.#options.monotonic() + timeoutMs, settle, sent: false, cancelTimer })
    })
    return { id, done }
  }

  /** Hands each call that was not yet sent to `send`, with the time it has left. */
  sendWaiting(send: (call: { id: number; op: Operation; args: unknown; remainingMs: number }) => void): void {
    for (const [id, entry] of this.#entries) {
      if (entry.sent) continue
      entry.sent = true
      send({ id, op: entry.op, args: entry.args, remainingMs: Math.max(0, entry.expiresAt - this.#options.monotonic()) })
    }
  }

  /** Whether the backend is at work on a call. */
  anySent(): boolean {
    return [...this.#entries.values()].some((entry) => entry.sent)
  }

  resolve(id: number, result: unknown): void {
    this.#take(id)?.settle?.({ result })
  }

  fail(id: number, failure: LibvirtFailure): void {
    const entry = this.#take(id)
    entry?.settle?.({ error: libvirtError(entry.op, entry.args, failure) })
  }

  /** The backend is gone: what it was asked fails, what was not sent yet may wait for the next one. */
  failSent(reason: string): void {
    this.#fail(reason, (entry) => entry.sent)
  }

  failAll(reason: string): void {
    this.#fail(reason, () => true)
  }

  #fail(reason: string, chosen: (entry: Entry) => boolean): void {
    for (const [id] of [...this.#entries].filter(([, entry]) => chosen(entry))) {
      const entry = this.#take(id)
      entry?.settle?.({ error: disconnectedError(entry.op, reason) })
    }
  }

  #overdue(id: number, timeoutMs: number): void {
    const entry = this.#entries.get(id)
    if (!entry) return
    entry.settle?.({ error: deadlineError(entry.op, timeoutMs) })
    entry.settle = null
    if (!entry.sent) this.#entries.delete(id)
    else entry.cancelTimer = this.#options.clock.after(this.#options.stuckAfterMs, () => this.#options.onStuck(entry.op))
  }

  #take(id: number): Entry | undefined {
    const entry = this.#entries.get(id)
    entry?.cancelTimer()
    this.#entries.delete(id)
    return entry
  }
}
