/** Progress of a command, thinned: at most two messages a second, and always the last one. */
import type { Progress } from '@skerry/contract'
import type { Clock, Timers } from '@skerry/reconcile'

const EVERY_MS = 500

export function progressSender({ clock, timers }: { clock: Clock; timers: Timers }, publish: (progress: Progress) => void) {
  let lastMs = Number.NEGATIVE_INFINITY
  let waiting: Progress | undefined
  let timer: unknown
  let ended = false
  const flush = () => {
    if (waiting === undefined) return
    const next = waiting
    waiting = undefined
    lastMs = timers.nowMs()
    publish(next)
  }
  return {
    send(step: Omit<Progress, 'at'>): void {
      if (ended) return
      const due = waiting === undefined
      waiting = { ...step, at: clock.now() }
      const inMs = lastMs + EVERY_MS - timers.nowMs()
      if (inMs <= 0) flush()
      else if (due) timer = timers.set(flush, inMs)
    },
    /** Sends what waits. Later steps are of no interest. */
    end(): void {
      ended = true
      timers.clear(timer)
      flush()
    },
  }
}
