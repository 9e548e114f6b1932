/**
 * Commits with their consequences. A change of the graph changes the desired documents that are projections of it; both go
 * into the log one behind the other, before anything else can happen. A power cut between the two is mended at start
 * (`reprojectAll`), because the second follows from the first.
 */
import { hash } from 'node:crypto'
import { type Change, canonicalJson, type Op, type Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { everything, reproject, touched } from '../desired/project.ts'
import { owned } from '../identity/owned.ts'
import { keptUsage } from '../identity/usage.ts'
import { followCpuRatio } from '../place/cpus.ts'
import type { CommittedBy, Store } from '../store/index.ts'
import { goneWith } from './gone.ts'
import type { Follow } from './long-jobs.ts'

/** `hash` of a desired document: SHA-256 of the canonical JSON of its spec. */
export const specHash = (spec: Row): string => hash('sha256', canonicalJson(spec))

/** A record of the log is one piece: a large site's documents go into several. */
const OPS_A_COMMIT = 1_000

/** Sessions in memory, the oldest forgotten first. */
const MAX_SESSIONS = 1_000

export class State {
  readonly #store: Store
  readonly #rows: Follow
  readonly #sessions = new Map<string, Row>()

  /** `follow`: rows that follow other rows, besides documents. */
  constructor(store: Store, follow: Follow = () => []) {
    this.#store = store
    // Counted now, not within the first commit of an account.
    keptUsage(store.graph)
    this.#rows = (graph, ops) => [...follow(graph, ops), ...followCpuRatio(graph, ops)]
  }

  get graph(): Graph {
    return this.#store.graph
  }

  get store(): Store {
    return this.#store
  }

  /** A session by its key. */
  session(key: string): Readonly<Row> | undefined {
    return this.graph.get('session', key) ?? this.#sessions.get(key)
  }

  /** Keys of the sessions of an account, or of a user, that have not ended by then. */
  sessionsOf(userUuid: string, now: number): string[] {
    const recorded = [...this.graph.by('session', 'userUuid', userUuid)]
    const held = [...this.#sessions].filter(([key, row]) => row['userUuid'] === userUuid && !recorded.includes(key))
    return [...recorded, ...held.map(([key]) => key)].filter((key) => (this.session(key)!['expiredDate'] as number) > now)
  }

  /**
   * Records a session, and ends others with it. While nothing can be recorded it is held in memory instead, until this process
   * ends: somebody must be able to look at a site whose disk is full or broken.
   */
  async addSession(key: string, row: Row, by: CommittedBy, ends: readonly string[] = []): Promise<void> {
    const ended = ends.filter((k) => this.graph.get('session', k)).map((k) => ({ o: 'del' as const, t: 'session', k }))
    try {
      await this.commit({ ops: [{ o: 'put', t: 'session', k: key, v: row }, ...ended] }, by)
    } catch (error) {
      if (this.#store.status().writable) throw error
      this.#sessions.set(key, row)
      if (this.#sessions.size > MAX_SESSIONS) this.#sessions.delete(this.#sessions.keys().next().value!)
    }
    for (const k of ends) this.#sessions.delete(k)
  }

  async endSession(key: string): Promise<void> {
    const row = this.graph.get('session', key)
    this.#sessions.delete(key)
    if (row) await this.commit({ ops: [{ o: 'del', t: 'session', k: key }] }, { actor: row['accountUuid'] as string })
  }

  /** Resolves when the change and what follows from it are durable; rejects as `Store.commit`, with nothing changed. */
  async commit(asked: Change, by: CommittedBy): Promise<void> {
    if (asked.ops.length === 0 && !asked.facts?.length) return
    const { graph } = this
    const mine = owned(graph, asked, by)
    const change = { ...mine, ops: [...mine.ops, ...goneWith(graph, asked.ops)] }
    const names = touched(change.ops, graph)
    const seq = graph.seq
    const first = this.#store.commit(change, by)
    // Nothing was applied: the guards failed, and `first` says which.
    if (graph.seq === seq) return void (await first)
    for (const name of touched(change.ops, graph)) names.add(name)
    // Both are heard from the beginning: where the log stops between them, each is refused.
    await Promise.all([first, this.#follow(change.ops, names, by)])
  }

  /** Brings the documents in line with the graph, after the code that projects may have changed. Gives how many did. */
  async reprojectAll(): Promise<number> {
    const ops = [...this.#rows(this.graph, 'everything'), ...this.#ops(everything(this.graph), null)]
    for (let at = 0; at < ops.length; at += OPS_A_COMMIT)
      await this.#store.commit({ ops: ops.slice(at, at + OPS_A_COMMIT) }, { actor: 'system', urgent: true })
    return ops.length
  }

  #follow(changed: readonly Op[], names: Iterable<string>, by: CommittedBy): Promise<unknown> | undefined {
    const ops = [...this.#rows(this.graph, changed), ...this.#ops(names, by.job ?? null)]
    // The first commit is in memory by now: this one must not be refused for want of space, it is the other half.
    return ops.length > 0 ? this.#store.commit({ ops }, { ...by, urgent: true }) : undefined
  }

  #ops(names: Iterable<string>, job: string | null): Op[] {
    return reproject(this.graph, names, job, specHash)
  }
}
