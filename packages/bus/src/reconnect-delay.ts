/**
 * When the nats client tries again. It compares wall clocks by itself (time of the last attempt + delay ≤ now), so a clock that is
 * set back would keep it from trying until it is that late again: for years. Here it is told what to wait by a monotonic clock.
 */

export interface Clocks {
  /** Milliseconds of the wall clock, as the client reads it. */
  wall(): number
  monotonic(): number
}

const realClocks: Clocks = { wall: Date.now, monotonic: () => performance.now() }

/**
 * A `reconnectDelayHandler`, which the client asks before each decision: `now`, when the delay that was drawn at the last attempt is
 * over by the monotonic clock, else what makes the client wait for the rest of it.
 */
export function reconnectDelay(draw: () => number, clocks: Clocks = realClocks): () => number {
  const attempt = { wall: 0, dueMs: Number.NEGATIVE_INFINITY }
  return () => {
    const [wall, monotonic] = [clocks.wall(), clocks.monotonic()]
    const leftMs = attempt.dueMs - monotonic
    if (leftMs > 0) return leftMs + Math.max(0, wall - attempt.wall)
    Object.assign(attempt, { wall, dueMs: monotonic + draw() })
    return Number.NEGATIVE_INFINITY
  }
}
