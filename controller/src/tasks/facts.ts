/** Facts of the log to NATS and to `/v1/events`: ids `<seq>.<n>`, derived from the log; at least once. */
import type { Bus } from '@skerry/bus'
import { type Commit, type Row, SkerryError, subjects } from '@skerry/contract'
import type { Store } from '../store/index.ts'

export interface ServedFact {
  id: string
  subject: string
  data: Row
}

export function factsOf(commit: Commit, seq: number): ServedFact[] {
  return commit.facts.map((fact, n) => ({
    id: `${seq}.${n}`,
    subject: subjects.event(fact.noun, fact.uuid.replace(/[^0-9a-zA-Z_-]/g, '-'), fact.event),
    data: {
      id: `${seq}.${n}`,
      at: commit.at,
      noun: fact.noun,
      uuid: fact.uuid,
      event: fact.event,
      actor: commit.actor,
      ...(commit.job ? { job: commit.job } : {}),
      ...(fact.data ? { data: fact.data } : {}),
    },
  }))
}

/** Publishes from `from` on (what an ended process may not have published), then every commit as it becomes durable. */
export async function publishFacts(store: Store, bus: Bus, from: number, published: (seq: number) => void): Promise<() => void> {
  const send = (commit: Commit, seq: number) => {
    for (const fact of factsOf(commit, seq)) bus.publish(fact.subject, fact.data, { 'Nats-Msg-Id': fact.id })
    published(seq)
  }
  const off = store.onCommit(send)
  const oldest = store.status().oldestSeq
  if (from > 0) for await (const { seq, commit } of store.read(Math.max(from, oldest))) send(commit, seq)
  return off
}

const MAX_QUEUED = 10_000

/** Facts after `lastId`, then live ones, until `signal` aborts. A reader that is too slow is cut off and comes back with its last id. */
export async function* factsSince(store: Store, lastId: string | undefined, signal: AbortSignal): AsyncIterable<ServedFact> {
  const queue: ServedFact[] = []
  let wake: () => void = () => undefined
  let overrun = false
  const off = store.onCommit((commit, seq) => {
    if (queue.length > MAX_QUEUED) overrun = true
    else queue.push(...factsOf(commit, seq))
    wake()
  })
  signal.addEventListener('abort', () => wake(), { once: true })
  let last = lastId ? parseId(lastId) : undefined
  try {
    if (last) {
      for await (const { seq, commit } of store.read(last.seq)) {
        for (const fact of factsOf(commit, seq)) if (after(fact.id, last)) yield fact
        if (signal.aborted) return
      }
      const newest = store.status().durableSeq
      while (queue[0] && parseId(queue[0].id).seq <= newest) queue.shift()
      last = undefined
    }
    while (!signal.aborted && !overrun) {
      const next = queue.shift()
      if (next) yield next
      else await new Promise<void>((resolve) => (wake = resolve))
    }
  } finally {
    off()
  }
}

function parseId(id: string): { seq: number; n: number } {
  const match = /^(\d{1,15})\.(\d{1,6})$/.exec(id)
  if (!match) throw new SkerryError('invalid-argument', `'${id}' is no event id: they look like 1204.0`)
  return { seq: Number(match[1]), n: Number(match[2]) }
}

const after = (id: string, last: { seq: number; n: number }) => {
  const { seq, n } = parseId(id)
  return seq > last.seq || (seq === last.seq && n > last.n)
}
