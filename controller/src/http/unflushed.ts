/** Answers that are on their way out: a webhook must not overtake the 202 of its own call (zstack-wire). */
import type { ServerResponse } from 'node:http'

export class Unflushed {
  readonly #under = new Map<string, Promise<void>>()

  /** The answer to this job's call is about to be made; it has left when `outgoing` has, or at once where there is no socket. */
  begin(job: string, outgoing: ServerResponse | undefined): void {
    if (this.#under.has(job)) return
    let settle: () => void = () => undefined
    const left = new Promise<void>((resolve) => (settle = resolve))
    this.#under.set(job, left)
    const leave = () => {
      this.#under.delete(job)
      settle()
    }
    if (!outgoing) return void setImmediate(leave)
    // `close` alone when the client went before its answer came.
    outgoing.once('finish', leave).once('close', leave)
  }

  until(job: string): Promise<void> {
    return this.#under.get(job) ?? Promise.resolve()
  }
}
