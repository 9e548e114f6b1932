/** Points of the log as clients name them, and what is asked of the past by them: `at=`, `/v1/diff`, `since=`. */
import { type DiffEntry, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Engine } from '../engine/port.ts'

/** The log as a door sees it. */
export interface PastSource {
  /** the newest commit that is durable */
  newest(): number
  /** the oldest commit that is kept */
  oldest(): number
  /** The newest commit that is not later than this time (epoch ms). Throws `history-gone`. */
  seqAt(time: number): Promise<number>
  /** Throws `history-gone`. */
  graphAt(seq: number): Promise<Graph>
  /** `complete`: these are all */
  diff(
    range: { from: number; to: number },
    only: { noun?: string; uuid?: string; limit?: number },
  ): Promise<{ entries: DiffEntry[]; complete: boolean }>
}

const TIME = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/

const wrongBy = (text: string, field: string) => (why: string) =>
  new SkerryError('invalid-argument', `${field}: ${JSON.stringify(text.slice(0, 64))} ${why}`, { field })

/** Epoch ms of a time (ISO 8601; a day alone is its beginning in UTC). Throws `invalid-argument` for what is none, or is still to come. */
export function timeFrom(text: string, { field, now, or = 'not' }: { field: string; now: number; or?: string }): number {
  const time = TIME.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(time)) throw wrongBy(text, field)(`is ${or} a time such as 2026-11-23T12:00:00Z`)
  if (time > now) throw wrongBy(text, field)('is still to come')
  return time
}

/**
 * The commit that a text names: its sequence, or the newest that is not later than a time (ISO 8601; a day alone is its beginning in
 * UTC). Throws `invalid-argument` for what is neither, or is still to come.
 */
export async function momentFrom(
  past: PastSource,
  text: string,
  { field, now }: { field: string; now: number },
): Promise<number> {
  const wrong = wrongBy(text, field)
  if (/^\d{1,15}$/.test(text)) {
    if (Number(text) > past.newest()) throw wrong(`is a sequence that is still to come: the newest is ${past.newest()}`)
    return Number(text)
  }
  return past.seqAt(timeFrom(text, { field, now, or: 'neither a sequence nor' }))
}

/** The same engine over another graph, to look at. */
export const asOf = (engine: Engine, graph: Graph): Engine =>
  new Proxy(engine, {
    get(target, name) {
      if (name === 'graph') return graph
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
