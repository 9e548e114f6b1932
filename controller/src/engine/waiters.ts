/** Those who wait for the end of a job. */
import type { EnginePorts } from './engine.ts'

export class Waiters {
  readonly #timers: EnginePorts['timers']
  readonly #byJob = new Map<string, Set<() => void>>()

  constructor(timers: EnginePorts['timers']) {
    this.#timers = timers
  }

  /** Resolves with `wake` of this job, or after `ms`. */
  async until(job: string, ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      let set = this.#byJob.get(job)
      if (!set) this.#byJob.set(job, (set = new Set()))
      // Cleared when the job ends first: a waiting time is long, and jobs are many.
      const timer = this.#timers.set(() => {
        set.delete(wake)
        if (set.size === 0) this.#byJob.delete(job)
        resolve()
      }, ms)
      const wake = () => {
        this.#timers.clear(timer)
        resolve()
      }
      set.add(wake)
    })
  }

  wake(job: string): void {
    for (const wake of this.#byJob.get(job) ?? []) wake()
    this.#byJob.delete(job)
  }
}
