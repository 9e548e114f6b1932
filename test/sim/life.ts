/**
 * One process of the simulated site. When it is killed it is cut off from all of its ports at once: what it awaits never comes, what
 * it calls does nothing, its timers don't run. So it may be killed at any await, and whatever its code still does is seen by nobody.
 */
import type { Timers } from '@skerry/bus'
import type { Scheduler } from './scheduler.ts'

/** Another one each time: one for all would keep whatever waited for it, history by history. */
const never = () => new Promise<never>(() => undefined)

export class Life implements Timers {
  #alive = true
  readonly #scheduler: Scheduler
  readonly #ends: (() => void)[] = []
  /** calls to guarded ports, so far */
  calls = 0
  /** dies at this call */
  diesAt = Number.POSITIVE_INFINITY

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler
  }

  get alive(): boolean {
    return this.#alive
  }

  kill(): void {
    if (!this.#alive) return
    this.#alive = false
    for (const end of this.#ends) end()
  }

  /** Called at the moment of the kill. */
  onKill(end: () => void): void {
    this.#ends.push(end)
  }

  readonly nowMs = (): number => this.#scheduler.nowMs()
  readonly clear = (handle: unknown): void => this.#scheduler.clear(handle)
  readonly set = (fn: () => void, ms: number): unknown => this.#scheduler.set(() => this.#alive && fn(), ms)
  readonly sleep = (ms: number): Promise<void> => new Promise((resolve) => void this.set(resolve, ms))
  readonly every = (ms: number, run: () => void): (() => void) => this.#scheduler.every(ms, () => this.#alive && run())

  /** A port as this process sees it. */
  guard<T extends object>(port: T): T {
    return new Proxy(port, {
      get: (target, name) => {
        const value = Reflect.get(target, name, target) as unknown
        if (typeof value === 'function') return this.#method(target, value as (...args: unknown[]) => unknown)
        return isPlain(value) ? this.guard(value) : value
      },
      set: (target, name, value) => Reflect.set(target, name, value, target),
    })
  }

  #method(target: object, method: (...args: unknown[]) => unknown): unknown {
    return (...args: unknown[]) => {
      if (++this.calls >= this.diesAt) this.kill()
      if (!this.#alive) return never()
      const made = method.apply(
        target,
        args.map((arg) => (typeof arg === 'function' ? this.#heard(arg as never) : arg)),
      )
      return made instanceof Promise ? this.#answered(made) : isPort(made) ? this.guard(made) : made
    }
  }

  #heard(listener: (...args: unknown[]) => unknown): unknown {
    return (...args: unknown[]) => (this.#alive ? listener(...args) : undefined)
  }

  #answered(made: Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      made.then(
        (value) => this.#alive && resolve(isPort(value) ? this.guard(value) : value),
        (error) => this.#alive && reject(error),
      )
    })
  }
}

const isPlain = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && [Object.prototype, null].includes(Object.getPrototypeOf(value))
/** What a port gives that is one itself, such as an open file. */
const isPort = (value: unknown): value is object =>
  isPlain(value) && Object.values(value).some((part) => typeof part === 'function')
