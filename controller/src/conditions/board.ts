/**
 * The conditions of the site, kept up to date: what a commit or a report has touched is looked at again, the site itself and
 * the agents each second. Work is done in slices, so that a hundred thousand resources never stall the event loop.
 */
import type { Alarm, Commit, ErrorBody, SiteCondition } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { AgentBook } from '../agents/book.ts'
import { conditionOf } from './finding.ts'
import { allScopes, findingsOf, SITE, type Sources, scopeOf, scopeOfTable } from './scopes.ts'
import type { SiteFacts } from './site.ts'

export interface BoardPorts {
  graph: Graph
  book: AgentBook
  site(): SiteFacts
  /** epoch ms */
  now(): number
  monotonic(): number
  /** runs `fn` when other work had its turn */
  later(fn: () => void): void
  report(error: unknown, facts: Record<string, unknown>): void
  /** longest slice of work, ms */
  sliceMs?: number
}

const SLICE_MS = 4
/** Names in messages follow a rename in time: so many scopes that have conditions are looked at again each second. */
const AGAIN = 200
type Listener = (alarm: Alarm) => void

export class Board {
  readonly #p: BoardPorts
  readonly #sources: Sources
  readonly #active = new Map<string, Map<string, SiteCondition>>()
  readonly #all = new Map<string, SiteCondition>()
  readonly #dirty = new Set<string>()
  /** where the work on them has come: a new iterator would step over all that was removed before, each time */
  #queue: Iterator<string> | undefined
  readonly #refusals = new Map<string, ErrorBody>()
  readonly #tombstones = new Map<string, Set<string>>()
  readonly #listeners = new Set<Listener>()
  /** the first look at everything; undefined when it is over */
  #first: Iterator<string | undefined> | undefined
  #working = false
  /** where the round over scopes with conditions has come */
  #turn: Iterator<string> | undefined

  constructor(ports: BoardPorts) {
    this.#p = ports
    const { graph, book } = ports
    const removals = (agentUuid: string) => this.#tombstones.get(agentUuid)?.size ?? 0
    this.#sources = { graph, book, refusals: this.#refusals, removals, site: () => ports.site() }
    this.#first = this.#everything()
  }

  /** Whether everything has been looked at once, and nothing waits. */
  get settled(): boolean {
    return this.#first === undefined && this.#dirty.size === 0
  }

  all(): IterableIterator<SiteCondition> {
    return this.#all.values()
  }

  get size(): number {
    return this.#all.size
  }

  /** Called by a timer. What has changed by itself, and not by a commit or report, is found here. */
  tick(): void {
    this.#dirty.add(SITE)
    for (let n = 0; n < AGAIN; n++) {
      this.#turn ??= this.#active.keys()
      const { value, done } = this.#turn.next()
      if (done) {
        this.#turn = undefined
        break
      }
      this.#dirty.add(value)
    }
    for (const [uuid] of this.#p.graph.rows('agent')) this.#dirty.add(scopeOf.agent(uuid))
    this.#begin()
  }

  committed(commit: Pick<Commit, 'ops'>): void {
    for (const op of commit.ops) {
      const scope = scopeOfTable[op.t]
      if (!scope) continue
      this.#dirty.add(scope(op.k))
      if (op.t === 'desired') this.#noteTombstone(op.k)
      else if (op.t === 'agent' && op.o === 'del') this.#dropAgent(op.k)
    }
    this.#begin()
  }

  reported(agentUuid: string, noun: string, uuid: string): void {
    this.#dirty.add(scopeOf.document(`${agentUuid}/${noun}/${uuid}`))
    this.#begin()
  }

  /** An agent answered a document with an error; undefined: it took it. */
  answered(key: string, error: ErrorBody | undefined): void {
    if (error) this.#refusals.set(key, error)
    else if (!this.#refusals.delete(key)) return
    this.#dirty.add(scopeOf.document(key))
    this.#begin()
  }

  /** Called with each condition that is raised or cleared. Gives the function that ends it. */
  onAlarm(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  *#everything(): Generator<string | undefined> {
    for (const [key, row] of this.#p.graph.rows('desired')) {
      if (row['tombstone']) this.#noteTombstone(key)
      yield undefined
    }
    yield* allScopes(this.#sources)
  }

  #noteTombstone(key: string): void {
    const agentUuid = key.slice(0, key.indexOf('/'))
    const row = this.#p.graph.get('desired', key)
    if (!row) this.#refusals.delete(key)
    let mine = this.#tombstones.get(agentUuid)
    if (row?.['tombstone']) {
      if (!mine) this.#tombstones.set(agentUuid, (mine = new Set()))
      mine.add(key)
    } else if (mine?.delete(key) && mine.size === 0) this.#tombstones.delete(agentUuid)
    else return
    this.#dirty.add(scopeOf.agent(agentUuid))
  }

  #dropAgent(agentUuid: string): void {
    this.#tombstones.delete(agentUuid)
    const prefix = scopeOf.document(`${agentUuid}/`)
    for (const scope of this.#active.keys()) if (scope.startsWith(prefix)) this.#dirty.add(scope)
  }

  #begin(): void {
    if (this.#working) return
    this.#working = true
    this.#p.later(() => this.#work())
  }

  #work(): void {
    const { monotonic, later, sliceMs = SLICE_MS } = this.#p
    const until = monotonic() + sliceMs
    do {
      if (!this.#step()) {
        this.#working = false
        return
      }
    } while (monotonic() < until)
    later(() => this.#work())
  }

  /** False: nothing is left to do. */
  #step(): boolean {
    this.#queue ??= this.#dirty.values()
    const { value: scope, done } = this.#queue.next()
    if (!done) {
      this.#dirty.delete(scope)
      this.#look(scope)
      return true
    }
    this.#queue = undefined
    const next = this.#first?.next()
    if (!next || next.done) {
      this.#first = undefined
      return false
    }
    if (next.value !== undefined) this.#look(next.value)
    return true
  }

  #look(scope: string): void {
    const before = this.#active.get(scope)
    const findings = findingsOf(scope, this.#sources)
    if (!before && findings.length === 0) return
    const now = this.#p.now()
    const after = new Map<string, SiteCondition>()
    for (const finding of findings) {
      const condition = conditionOf(finding, now)
      const old = before?.get(condition.id)
      if (old) condition.since = old.since
      after.set(condition.id, condition)
      this.#all.set(condition.id, condition)
      if (!old) this.#tell({ change: 'raised', at: now, condition })
    }
    for (const [id, condition] of before ?? []) {
      if (after.has(id)) continue
      this.#all.delete(id)
      this.#tell({ change: 'cleared', at: now, condition })
    }
    if (after.size > 0) this.#active.set(scope, after)
    else this.#active.delete(scope)
  }

  #tell(alarm: Alarm): void {
    for (const listener of this.#listeners) {
      try {
        listener(alarm)
      } catch (error) {
        this.#p.report(error, { doing: 'telling of a condition', condition: alarm.condition.id })
      }
    }
  }
}
