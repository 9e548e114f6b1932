/** Time of a simulation: it stands while anything has something to do, and jumps to the next timer when nothing has. */
import { SimTimers, type Timer } from '../harness/sim-timers.ts'

/** So often may something run within one moment; more is a loop that waits for nothing. */
const MOST_IN_A_MOMENT = 50_000

export class Scheduler extends SimTimers {
  #soon: Timer[] = []
  #running = true
  #inMoment = 0
  #overrun: (error: Error) => void = () => undefined
  /** Rejects when time stands still though much happens. */
  readonly overrun: Promise<never>
  readonly #turn: (fn: () => void) => void

  /** @param turn runs a function when all promises that can go on have gone on: Node's own `setImmediate` */
  constructor(turn: (fn: () => void) => void) {
    super()
    this.#turn = turn
    this.overrun = new Promise((_, reject) => (this.#overrun = reject))
    this.overrun.catch(() => undefined) // told to whoever races it
    turn(() => this.#step())
  }

  /** In this same moment, after what already waits for it. */
  readonly soon = (fn: () => void): object => {
    const timer = this.timer(fn, this.now)
    this.#soon.push(timer)
    return timer
  }

  /** Until it gives something true; false after `ms` of simulated time. */
  async until(ms: number, probe: () => boolean | Promise<boolean>, everyMs = 50): Promise<boolean> {
    return (await this.waitFor(probe, { ms, everyMs })) === true
  }

  stop(): void {
    this.#running = false
    this.forgetAll()
    this.#soon = []
  }

  #step(): void {
    if (!this.#running) return
    const batch = this.#soon.length > 0 ? this.#soon.splice(0) : [this.next()].filter((timer) => timer !== undefined)
    if (batch.every(({ at }) => at <= this.now)) this.#inMoment += batch.length
    else this.#inMoment = 0
    if (this.#inMoment > MOST_IN_A_MOMENT) {
      this.stop()
      const looping = `${MOST_IN_A_MOMENT} things ran at ${this.now} ms, and none of them waits: ${batch[0]?.fn}`
      this.#overrun(new Error(looping))
      return
    }
    for (const timer of batch) this.run(timer)
    this.#turn(() => this.#step())
  }
}
