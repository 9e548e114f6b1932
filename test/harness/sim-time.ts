/**
 * Time of a simulation: many times faster than real time, and at most a step in each turn of the event loop. A slow machine only
 * makes it slower, so nothing is ever late that would not be late in truth. Sockets and files go on working meanwhile.
 */
import { SimTimers, type Timer } from './sim-timers.ts'

const STEP_MS = 20
/** Simulated milliseconds in a real one, at most: what waits for a socket must not wait for minutes. */
const MAX_SPEED = 1_000

export class SimTime extends SimTimers {
  #running = true
  #turnedAt = performance.now()

  constructor() {
    super()
    this.#turn()
  }

  /** Until it gives something true; `ms` of simulated time are a ceiling. */
  async until<T>(what: string, ms: number, probe: () => T | Promise<T>): Promise<NonNullable<T>> {
    const found = await this.waitFor(probe, { ms, everyMs: STEP_MS })
    if (found === undefined) throw new Error(`waited ${ms} simulated ms in vain for ${what}`)
    return found
  }

  stop(): void {
    this.#running = false
  }

  #turn(): void {
    setImmediate(() => {
      if (!this.#running) return
      const real = performance.now()
      const end = this.now + Math.min(STEP_MS, (real - this.#turnedAt) * MAX_SPEED)
      this.#turnedAt = real
      // Those of this step; what they set waits for another, however soon.
      const due: Timer[] = []
      for (let timer = this.next(end); timer; timer = this.next(end)) due.push(timer)
      for (const timer of due) this.run(timer)
      this.now = end
      this.#turn()
    })
  }
}
