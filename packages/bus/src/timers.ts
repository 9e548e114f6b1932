/** The clock and timers of a bus, a port so that simulations run on their own time. */
export interface Timers {
  /** Runs `fn` once after `ms` milliseconds, unless cleared. */
  set(fn: () => void, ms: number): unknown
  clear(handle: unknown): void
  /** Monotonic, in milliseconds. */
  nowMs(): number
}

export const realTimers: Timers = {
  set: (fn, ms) => setTimeout(fn, ms),
  clear: (handle) => clearTimeout(handle as NodeJS.Timeout),
  nowMs: () => performance.now(),
}

/** Resolves with whether `work` settled within `ms`; a rejection of `work` is passed on. */
export async function within(timers: Timers, work: Promise<unknown>, ms: number): Promise<boolean> {
  let handle: unknown
  const late = new Promise<false>((resolve) => {
    handle = timers.set(() => resolve(false), ms)
  })
  try {
    return await Promise.race([work.then(() => true), late])
  } finally {
    timers.clear(handle)
  }
}
