/**
 * Tokens that open one session each, at the agent that sees every use of them. In memory only: a restart forgets them, and another
 * has to be asked for.
 */
import { SkerryError } from '@skerry/contract'
import { hashOfSecret } from './token.ts'

interface Allowed<T> {
  uuid: string
  what: T
  untilMs: number
}

export class OneTimeTokens<T> {
  readonly #nowMs: () => number
  /** By the hash of the token. */
  readonly #allowed = new Map<string, Allowed<T>>()

  /** `nowMs`: monotonic */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** `what` is handed to whoever shows the token for the resource `uuid` within `ttlMs`. */
  allow(uuid: string, { tokenHash, ttlMs }: { tokenHash: string; ttlMs: number }, what: T): void {
    const now = this.#nowMs()
    for (const [hash, { untilMs }] of this.#allowed) if (untilMs <= now) this.#allowed.delete(hash)
    this.#allowed.set(tokenHash, { uuid, what, untilMs: now + ttlMs })
  }

  /** Uses the token up, also when nothing can be opened with it then. Throws `session-invalid`. */
  redeem(uuid: string, token: string): T {
    const hash = hashOfSecret(token)
    const allowed = this.#allowed.get(hash)
    if (allowed?.uuid !== uuid || allowed.untilMs <= this.#nowMs())
      throw new SkerryError('session-invalid', 'this token is unknown, used or expired: ask for another', { uuid })
    this.#allowed.delete(hash)
    return allowed.what
  }
}
