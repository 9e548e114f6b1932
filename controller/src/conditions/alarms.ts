/** Conditions as they are raised and cleared: to NATS, and to readers of `/v1/conditions/stream`. */
import type { Bus } from '@skerry/bus'
import { type Alarm, subjects } from '@skerry/contract'
import type { Board } from './board.ts'

const subjectOf = ({ change, condition }: Alarm) => subjects.alarm(condition.code, condition.uuid ?? undefined, change)

/** What happens while NATS is away is published when it is back: of each condition the last change. Gives the function that ends it. */
export function publishAlarms(board: Board, bus: Bus): () => void {
  let up = false
  const missed = new Map<string, Alarm>()
  const offAlarm = board.onAlarm((alarm) => {
    if (up) bus.publish(subjectOf(alarm), alarm)
    else missed.set(alarm.condition.id, alarm)
  })
  const offState = bus.onState((state) => {
    up = state === 'connected'
    if (!up) return
    for (const alarm of missed.values()) bus.publish(subjectOf(alarm), alarm)
    missed.clear()
  })
  return () => {
    offAlarm()
    offState()
  }
}

const MAX_QUEUED = 10_000

/** What holds now, as raised; then each change, until `signal` aborts. A reader that is too slow is cut off and comes back. */
export async function* alarmsFrom(board: Board, signal: AbortSignal, now: () => number): AsyncGenerator<Alarm> {
  const queue: Alarm[] = [...board.all()].map((condition) => ({ change: 'raised', at: now(), condition }))
  const most = queue.length + MAX_QUEUED
  let wake: () => void = () => undefined
  let overrun = false
  const off = board.onAlarm((alarm) => {
    if (queue.length >= most) overrun = true
    else queue.push(alarm)
    wake()
  })
  signal.addEventListener('abort', () => wake(), { once: true })
  try {
    while (!signal.aborted && !overrun) {
      const next = queue.shift()
      if (next) yield next
      else await new Promise<void>((resolve) => (wake = resolve))
    }
  } finally {
    off()
  }
}

export { subjectOf }
