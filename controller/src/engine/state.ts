/**
 * Commits with their consequences. A change of the graph changes the desired documents that are projections of it; both go
 * into the log one behind the other, before anything else can happen. A power cut between the two is mended at start
 * (`reprojectAll`), because the second follows from the first.
 */
import { createHash } from 'node:crypto'
import { type Change, canonicalJson, type Op, type Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { everything, reproject, touched } from '../desired/project.ts'
import type { CommittedBy, Store } from '../store/index.ts'

/** `hash` of a desired document: SHA-256 of the canonical JSON of its spec. */
export const specHash = (spec: Row): string => createHash('sha256').update(canonicalJson(spec)).digest('hex')

/** A record of the log is one piece: a large site's documents go into several. */
const OPS_A_COMMIT = 1_000

export class State {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  get graph(): Graph {
    return this.#store.graph
  }

  get store(): Store {
    return this.#store
  }

  /** Resolves when the change and what follows from it are durable; rejects as `Store.commit`, with nothing changed. */
  async commit(change: Change, by: CommittedBy): Promise<void> {
    if (change.ops.length === 0 && !change.facts?.length) return
    const { graph } = this
    const names = touched(change.ops, graph)
    const seq = graph.seq
    const first = this.#store.commit(change, by)
    // Nothing was applied: the guards failed, and `first` says which.
    if (graph.seq === seq) return void (await first)
    for (const name of touched(change.ops, graph)) names.add(name)
    const second = this.#follow(names, by)
    await first
    await second
  }

  /** Brings the documents in line with the graph, after the code that projects may have changed. Gives how many did. */
  async reprojectAll(): Promise<number> {
    const ops = this.#ops(everything(this.graph), null)
    for (let at = 0; at < ops.length; at += OPS_A_COMMIT)
      await this.#store.commit({ ops: ops.slice(at, at + OPS_A_COMMIT) }, { actor: 'system' })
    return ops.length
  }

  #follow(names: Iterable<string>, by: CommittedBy): Promise<unknown> | undefined {
    const ops = this.#ops(names, by.job ?? null)
    // The first commit is in memory by now: this one must not be refused for want of space, it is the other half.
    return ops.length > 0 ? this.#store.commit({ ops }, { ...by, urgent: true }) : undefined
  }

  #ops(names: Iterable<string>, job: string | null): Op[] {
    return reproject(this.graph, names, job, specHash)
  }
}
