/** Time as a port, so that deadlines can be tested without waiting. */
export interface LibvirtClock {
  /** Unix ms. */
  wall(): number
  /** Calls `run` once after `ms`; the returned function calls it off. */
  after(ms: number, run: () => void): () => void
}

export const systemClock: LibvirtClock = {
  wall: () => Date.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
}
