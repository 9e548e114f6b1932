/** When a resource that failed is tried again: 1 s, doubled at each failure, at most 60 s; at once for another document. */
import type { ErrorBody } from '@skerry/contract'

const FIRST_MS = 1_000
const LAST_MS = 60_000

interface Wait {
  /** Of the document that failed: another one starts afresh. */
  version: string
  failures: number
  untilMs: number
  error: ErrorBody | undefined
  ops: string
}

export interface Failure {
  nowMs: number
  /** What was planned for it, as the names of its operations: something else need not wait, unless the document was at fault. */
  ops?: string
  /** Undefined: it was done, but the host isn't yet as wanted (a guest that is shutting down). */
  error?: ErrorBody
}

export class Backoff {
  readonly #waits = new Map<string, Wait>()

  /** An error that says `retry: never` blames the document, so the longest delay is taken at once. */
  failed(key: string, version: string, { nowMs, error, ops = '' }: Failure): void {
    const before = this.#waits.get(key)
    const failures = before?.version === version ? before.failures + 1 : 1
    const delayMs = error?.retry === 'never' ? LAST_MS : Math.min(LAST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 16))
    this.#waits.set(key, { version, failures, untilMs: nowMs + delayMs, error, ops })
  }

  succeeded(key: string): void {
    this.#waits.delete(key)
  }

  /**
   * Whether this version of the resource has to wait still. Something that only took its time (a guest that was asked to shut down)
   * and now calls for other operations has moved on: it does not wait.
   */
  waits(key: string, version: string, { nowMs, ops }: { nowMs: number; ops: string }): boolean {
    const wait = this.#waits.get(key)
    if (wait === undefined || wait.version !== version || nowMs >= wait.untilMs) return false
    return wait.error !== undefined || wait.ops === ops
  }

  /** Why this version of the resource failed when it was last tried. */
  error(key: string, version: string): ErrorBody | undefined {
    const wait = this.#waits.get(key)
    return wait?.version === version ? wait.error : undefined
  }

  /** The first moment at which somebody may be tried again; undefined: nobody waits. */
  next(): number | undefined {
    let first: number | undefined
    for (const { untilMs } of this.#waits.values()) if (first === undefined || untilMs < first) first = untilMs
    return first
  }

  /** Forgets whom `keep` doesn't name. */
  retain(keep: (key: string) => boolean): void {
    for (const key of [...this.#waits.keys()]) if (!keep(key)) this.#waits.delete(key)
  }
}
