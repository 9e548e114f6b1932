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
}

export interface Failure {
  nowMs: number
  /** Undefined: it was done, but the host isn't yet as wanted (a guest that is shutting down). */
  error?: ErrorBody
}

export class Backoff {
  readonly #waits = new Map<string, Wait>()

  /** An error that says `retry: never` blames the document, so the longest delay is taken at once. */
  failed(key: string, version: string, { nowMs, error }: Failure): void {
    const before = this.#waits.get(key)
    const failures = before?.version === version ? before.failures + 1 : 1
    const delayMs = error?.retry === 'never' ? LAST_MS : Math.min(LAST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 16))
    this.#waits.set(key, { version, failures, untilMs: nowMs + delayMs, error })
  }

  succeeded(key: string): void {
    this.#waits.delete(key)
  }

  /** Whether this version of the resource has to wait still. */
  waits(key: string, version: string, nowMs: number): boolean {
    const wait = this.#waits.get(key)
    return wait !== undefined && wait.version === version && nowMs < wait.untilMs
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
