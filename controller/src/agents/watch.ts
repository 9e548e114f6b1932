/** Listens to agents and turns what they say into transitions of the graph. */
import type { Bus } from '@skerry/bus'
import {
  type Change,
  type Heartbeat,
  heartbeat as heartbeatSchema,
  parseAgentSubject,
  SkerryError,
  type Status,
  status as statusSchema,
  subjects,
} from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { AgentBook } from './book.ts'
import { react, reactPresence } from './react.ts'
import type { Syncer } from './sync.ts'

export interface WatchPorts {
  bus: Bus
  graph: Graph
  book: AgentBook
  syncer: Syncer
  now(): number
  commit(change: Change, actor: string): Promise<void>
  /** Is a job at work on this resource? Then its workflow decides, and the report is looked at again when it has ended. */
  busy(uuid: string): boolean
  refresh(agentUuid: string): Promise<void>
  report(error: unknown, facts: Record<string, unknown>): void
}

export class AgentWatch {
  readonly #p: WatchPorts
  /** statusDigest that was last brought up to date, by agent */
  readonly #known = new Map<string, string>()
  /** Agents that came back and have not yet told all once more, by the heartbeat at which they did. */
  readonly #owed = new Map<string, Heartbeat>()

  constructor(ports: WatchPorts) {
    this.#p = ports
    ports.bus.subscribe(subjects.heartbeatOfAll, (m) => this.#onHeartbeat(m.subject, m.data))
    ports.bus.subscribe(subjects.statusOfAll, (m) => this.#onStatus(m.subject, m.data))
    ports.book.onStatus((agentUuid, status) => this.#look(agentUuid, status))
  }

  /** Called by a timer: who has been silent for too long? */
  sweep(): void {
    for (const [agentUuid] of this.#p.graph.rows('agent'))
      if (this.#p.book.silent(agentUuid)) this.#presence(agentUuid, false, {})
  }

  /** A job on this resource has ended: what was reported meanwhile counts now. */
  lookAgain(uuid: string): void {
    for (const noun of ['vm', 'volume', 'pool', 'balancer']) {
      for (const key of this.#p.graph.by('desired', 'of', `${noun}/${uuid}`)) {
        const agentUuid = key.slice(0, key.indexOf('/'))
        const status = this.#p.book.statusOf(agentUuid, noun, uuid)
        if (status) this.#look(agentUuid, status)
      }
    }
  }

  #onHeartbeat(subject: string, data: unknown): void {
    const from = parseAgentSubject(subject)
    const parsed = heartbeatSchema.safeParse(data)
    // The subject is what the sender may publish to: an agent can't speak for another.
    if (!from || !parsed.success || parsed.data.agentUuid !== from.agentUuid)
      return void this.#p.report(new SkerryError('invalid-argument', 'a heartbeat does not fit its schema or its subject'), {
        subject,
      })
    const { agentUuid, bootId, version, digest, statusDigest, schemas, ledger } = parsed.data
    const agent = this.#p.graph.get('agent', agentUuid)
    if (!agent) return
    const fresh = this.#isFresh(parsed.data)
    const anew = ledger !== undefined && agent['ledger'] !== ledger
    this.#p.book.heartbeat(parsed.data, this.#p.now())
    this.#presence(agentUuid, true, { bootId, version, ...(schemas ? { schemas } : {}), ...(ledger ? { ledger } : {}) })
    const report = (doing: string) => (error: unknown) => this.#p.report(error, { agentUuid, doing })
    this.#p.syncer.compare(agentUuid, digest, { fresh, anew }).catch(report('comparing digests'))
    // While it was away its guests were taken for Unknown: what it says of them counts anew, though it be what it said before.
    if (fresh) this.#owed.set(agentUuid, parsed.data)
    const owed = this.#owed.get(agentUuid)
    const isHeard = () =>
      this.#known.get(agentUuid) === statusDigest || (!owed && this.#p.book.isCurrent(agentUuid, statusDigest))
    if (!fresh && isHeard()) return
    this.#known.set(agentUuid, statusDigest)
    this.#p.refresh(agentUuid).then(
      () => void (this.#owed.get(agentUuid) === owed && this.#owed.delete(agentUuid)),
      (error) => {
        this.#known.delete(agentUuid) // asked again at the next heartbeat
        report('asking for statuses')(error)
      },
    )
  }

  /** It was not heard for a while, or its process is another one. */
  #isFresh(heartbeat: Heartbeat): boolean {
    const { book } = this.#p
    return !book.alive(heartbeat.agentUuid) || book.isAnother(heartbeat)
  }

  #onStatus(subject: string, data: unknown): void {
    const from = parseAgentSubject(subject)
    const parsed = statusSchema.safeParse(data)
    if (!from || !parsed.success)
      return void this.#p.report(new SkerryError('invalid-argument', 'a status does not fit its schema'), { subject })
    if (from.rest[0] !== parsed.data.noun || from.rest[1] !== parsed.data.uuid)
      return void this.#p.report(new SkerryError('invalid-argument', 'a status is about another resource than its subject'), {
        subject,
      })
    if (this.#p.graph.get('agent', from.agentUuid)) this.#p.book.status(from.agentUuid, parsed.data)
  }

  #look(agentUuid: string, status: Status): void {
    if (status.condition !== 'Gone' && this.#p.busy(status.uuid)) return
    const change = react(this.#p.graph, agentUuid, status, this.#p.now())
    if (change) this.#commit(change, agentUuid)
  }

  #presence(
    agentUuid: string,
    alive: boolean,
    facts: { bootId?: string; version?: string; schemas?: Record<string, number>; ledger?: string },
  ): void {
    const change = reactPresence(this.#p.graph, agentUuid, alive, { ...facts, now: this.#p.now() })
    if (change) this.#commit(change, agentUuid)
  }

  #commit(change: Change, agentUuid: string): void {
    this.#p.commit(change, `agent:${agentUuid}`).catch((error) => {
      // Somebody changed the row in between: the next report is judged against what it is now.
      if (!(error instanceof SkerryError && (error.code === 'conflict' || error.code === 'illegal-state')))
        this.#p.report(error, { agentUuid, doing: 'recording a report' })
    })
  }
}
