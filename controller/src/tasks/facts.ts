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
      ...(fact.account ? { account: fact.account } : {}),
      ...(fact.data ? { data: fact.data } : {}),
    },
  }))
}

/**
 * Publishes from `from` on (what an ended process may not have published; 0: nothing before now), then every commit as it becomes
 * durable, and after a break what was committed meanwhile.
 */
export async function publishFacts(store: Store, bus: Bus, ports: FactPorts): Promise<() => void> {
  const publisher = new FactPublisher(store, bus, ports)
  await publisher.start(ports.from)
  return () => publisher.stop()
}

export interface FactPorts {
  from: number
  /** NATS has taken the facts of all commits up to this one. */
  published(seq: number): void
  report(error: unknown, facts: Row): void
}

class FactPublisher {
  readonly #store: Store
  readonly #bus: Bus
  readonly #p: FactPorts
  /** Up to here the server has taken everything. */
  #taken = 0
  #sent = 0
  #newest = 0
  #up = false
  /** Raised at each break: what was sent before one may be lost. */
  #session = 0
  #replaying = false
  #confirming = false
  #offs: (() => void)[] = []

  constructor(store: Store, bus: Bus, ports: FactPorts) {
    this.#store = store
    this.#bus = bus
    this.#p = ports
  }

  async start(from: number): Promise<void> {
    this.#newest = this.#store.status().durableSeq
    this.#taken = from > 0 ? from - 1 : this.#newest
    this.#offs = [
      this.#store.onCommit((commit, seq) => {
        this.#newest = seq
        if (this.#up && !this.#replaying) this.#send(commit, seq)
      }),
    ]
    let first: Promise<void> | undefined
    const off = this.#bus.onState((state) => {
      this.#up = state === 'connected'
      this.#session += 1
      if (!this.#up) return
      first = this.#replay().catch((error) => this.#p.report(error, { doing: 'publishing what was not published yet' }))
    })
    this.#offs.push(off)
    await first
  }

  stop(): void {
    for (const off of this.#offs) off()
    this.#up = false
  }

  /** From what the server is known to have: some are sent twice, under the same id. */
  async #replay(): Promise<void> {
    if (this.#replaying) return
    this.#replaying = true
    try {
      let session = -1
      while (this.#up && (session !== this.#session || this.#sent < this.#newest)) {
        session = this.#session
        this.#sent = this.#taken
        const from = Math.max(this.#taken + 1, this.#store.status().oldestSeq)
        for await (const { seq, commit } of this.#store.read(from)) {
          if (session !== this.#session) break
          this.#send(commit, seq)
        }
      }
    } finally {
      this.#replaying = false
    }
  }

  #send(commit: Commit, seq: number): void {
    for (const fact of factsOf(commit, seq)) this.#bus.publish(fact.subject, fact.data, { 'Nats-Msg-Id': fact.id })
    this.#sent = Math.max(this.#sent, seq)
    this.#confirm().catch((error) => {
      if (this.#up) this.#p.report(error, { doing: 'publishing events' })
    })
  }

  /** Asks the server, one question at a time, whether it has taken what was sent. A question that breaks off is settled by the replay. */
  async #confirm(): Promise<void> {
    if (this.#confirming) return
    this.#confirming = true
    try {
      while (this.#up && this.#taken < this.#sent) {
        const [session, sent] = [this.#session, this.#sent]
        await this.#bus.flush()
        if (session !== this.#session) continue
        this.#taken = Math.max(this.#taken, sent)
        this.#p.published(this.#taken)
      }
    } finally {
      this.#confirming = false
    }
  }
}

const MAX_QUEUED = 10_000

/** Facts after `lastId`, then with `live` those that come, until `signal` aborts; `only` these. A reader that is too slow is cut off and comes back with its last id. */
export async function* factsSince(
  store: Store,
  lastId: string | undefined,
  signal: AbortSignal,
  { only = () => true, live = true }: { only?: (fact: ServedFact) => boolean; live?: boolean } = {},
): AsyncIterable<ServedFact> {
  const queue: ServedFact[] = []
  let wake: () => void = () => undefined
  let overrun = false
  const off = store.onCommit((commit, seq) => {
    if (queue.length > MAX_QUEUED) overrun = true
    else if (live) queue.push(...factsOf(commit, seq).filter(only))
    wake()
  })
  signal.addEventListener('abort', () => wake(), { once: true })
  const last = lastId ? parseId(lastId) : undefined
  try {
    if (last) {
      let read = last.seq
      for await (const { seq, commit } of store.read(Math.max(1, last.seq))) {
        read = seq
        for (const fact of factsOf(commit, seq)) if (after(fact.id, last) && only(fact)) yield fact
        if (signal.aborted) return
      }
      // What came while the log was read may lie in both.
      while (queue[0] && parseId(queue[0].id).seq <= read) queue.shift()
    }
    while (live && !signal.aborted && !overrun) {
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
