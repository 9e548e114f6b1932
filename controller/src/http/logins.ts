/** Slows down guessing: so many failed logins per account and address within a minute, then 429 until the oldest is a minute old. */
import { SkerryError } from '@skerry/contract'
import type { Clock } from './ports.ts'

const WINDOW_MS = 60_000
/** Account names come from outside: no more of them are remembered than this, the oldest are forgotten first. */
const MAX_KEYS = 10_000

export class LoginLimiter {
  private readonly attempts = new Map<string, number[]>()
  private readonly clock: Clock
  private readonly limit: number
  constructor(clock: Clock, limit: number) {
    this.clock = clock
    this.limit = limit
  }

  /** Counts an attempt as failed until `succeeded` says otherwise, so that attempts in parallel count too. Throws `too-many-requests`. */
  attempt(account: string, address: string): void {
    const key = keyOf(account, address)
    const now = this.clock.now()
    // an attempt of the future was made before the clock was set back: it would count for as long as that
    const recent = (this.attempts.get(key) ?? []).filter((at) => at <= now && now - at < WINDOW_MS)
    const oldest = recent[0]
    if (recent.length >= this.limit && oldest !== undefined) {
      const retryAfterMs = oldest + WINDOW_MS - now
      throw new SkerryError('too-many-requests', 'too many failed logins for this account from this address', { retryAfterMs })
    }
    this.attempts.delete(key)
    this.attempts.set(key, [...recent, now])
    const first = this.attempts.keys().next().value
    if (this.attempts.size > MAX_KEYS && first !== undefined) this.attempts.delete(first)
  }

  /** Forgets the failed logins of whoever this is said of. */
  unlock(is: (account: string) => boolean): void {
    for (const key of this.attempts.keys()) if (is((JSON.parse(key) as string[])[0]!)) this.attempts.delete(key)
  }

  succeeded(account: string, address: string): void {
    this.attempts.delete(keyOf(account, address))
  }
}

const keyOf = (account: string, address: string) => JSON.stringify([account, address])
