/**
 * Time that a wall clock set wrong must not touch: deadlines of jobs, and what is deleted because it is old. A board without a
 * battery starts in the past, an operator's typing error is a year: neither may fail jobs or delete what can still be recovered.
 */

/** Wall time as it was when this began, plus what has passed on the monotonic clock since. Whole epoch milliseconds, as every date is. */
export function steadyClock(now: () => number, monotonic: () => number): { now(): number } {
  const [wall, began] = [now(), monotonic()]
  return { now: () => Math.floor(wall + monotonic() - began) }
}

/** Slewing and the second that NTP adds are no jumps. */
const JUMP_MS = 3_600_000
/** After so long without another jump the clock is believed: by then somebody has had the time to set it right. */
const BELIEVED_AFTER_MS = 24 * 3_600_000
/** A process that finds the last one longer ago than this can't tell a machine that was off from a clock that is wrong. */
const AWAY_MS = 24 * 3_600_000

export interface ClockWatchPorts {
  now(): number
  monotonic(): number
  /** The wall clock was moved by so much, forth or back. */
  jumped(byMs: number): void
  /** What the wall clock said when the last process was seen alive. */
  before?: number | undefined
}

/** Compares the wall clock with the monotonic one each time it is asked. */
export class ClockWatch {
  readonly #p: ClockWatchPorts
  #offset: number
  #jumpedAt: number | undefined

  constructor(ports: ClockWatchPorts) {
    this.#p = ports
    this.#offset = ports.now() - ports.monotonic()
    const awayMs = ports.before === undefined ? 0 : ports.now() - ports.before
    if (awayMs >= AWAY_MS || awayMs <= -JUMP_MS) this.#jumpedAt = ports.monotonic()
    if (awayMs <= -JUMP_MS) ports.jumped(awayMs)
  }

  /** Whether the wall clock may decide what is old. */
  believed(): boolean {
    const monotonic = this.#p.monotonic()
    const offset = this.#p.now() - monotonic
    const byMs = offset - this.#offset
    this.#offset = offset
    if (Math.abs(byMs) >= JUMP_MS) {
      this.#jumpedAt = monotonic
      this.#p.jumped(byMs)
    }
    return this.#jumpedAt === undefined || monotonic - this.#jumpedAt >= BELIEVED_AFTER_MS
  }
}
