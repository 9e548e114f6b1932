/**
 * Finds orphans: what an agent holds beyond what the graph wants is asked for, recorded and kept for a person to decide. It also
 * holds back everything meant for an agent until, after a restore, that agent has said what it holds.
 */
import type { Bus } from '@skerry/bus'
import {
  type AgentKind,
  type Change,
  type Document,
  documentsReply,
  type Generation,
  inventoryReply,
  type Row,
  SkerryError,
  type Status,
  statusesReply,
  subjects,
} from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { AgentBook } from '../agents/book.ts'
import { kindOf } from '../agents/documents.ts'
import { findOrphans, type Held, orphanChange } from './find.ts'
import { reunite } from './reunite.ts'

export interface OrphanPorts {
  bus: Bus
  graph: Graph
  book: AgentBook
  now(): number
  commit(change: Change): Promise<void>
  raiseIncarnation(): Promise<number>
  report(error: unknown, facts: Row): void
}

export interface Entry {
  noun: string
  uuid: string
  generation: Generation
}

const ASK_TIMEOUT_MS = 10_000
const ASK_AT_ONCE = 500
/** Of these the meeting after a restore needs to know all. */
const TO_MEET = new Set(['vm', 'router'])

export class OrphanWatch {
  readonly #p: OrphanPorts
  /** Documents that no row wants, by agent, as it last told. */
  readonly #held = new Map<string, Held[]>()
  /** One look at an agent after the other. */
  readonly #turns = new Map<string, Promise<void>>()

  constructor(ports: OrphanPorts) {
    this.#p = ports
    ports.book.onStatus((agentUuid, status) => this.#onStatus(agentUuid, status))
  }

  /** Nothing may be sent to this agent before it was met. */
  isUnheard(agentUuid: string): boolean {
    return this.#p.graph.get('reunion', agentUuid) !== undefined
  }

  /** Neither unheard, nor with anything that nobody knows of. */
  none(agentUuid: string): boolean {
    return !this.isUnheard(agentUuid) && this.#p.graph.countBy('orphan', 'agentUuid', agentUuid) === 0
  }

  /** What an agent holds, by its own list. Durable when it resolves; from then on documents may be sent to it. */
  async listed(agentUuid: string, entries: readonly Entry[]): Promise<void> {
    await this.#inTurn(agentUuid, async () => {
      const { graph } = this.#p
      const meeting = this.isUnheard(agentUuid)
      const unknown = entries.filter((e) => !graph.get('desired', `${agentUuid}/${e.noun}/${e.uuid}`))
      await this.#raiseAbove(entries, meeting)
      this.#held.set(agentUuid, [])
      if (!meeting && unknown.length === 0 && graph.countBy('orphan', 'agentUuid', agentUuid) === 0) return
      const toAsk = new Set([...unknown, ...(meeting ? entries.filter((e) => TO_MEET.has(e.noun)) : [])])
      const held = await this.#ask(agentUuid, [...toAsk])
      const statuses = await this.#statuses(agentUuid)
      this.#held.set(agentUuid, held)
      await this.#record(agentUuid, statuses)
      if (meeting) {
        // After what nobody knows is kept from being given away: from the end of this wait on, it could be.
        const domains = await this.#domains(agentUuid)
        // What a job wrote meanwhile is in the graph: the change is made from what it is now, in one turn.
        await this.#p.commit(reunite(graph, { agentUuid, held, statuses, domains, now: this.#p.now() }))
        await this.#record(agentUuid, statuses)
      }
    })
  }

  /** Documents of a history with a higher number than ours, or of ours beyond its end: this one must count as newer. */
  async #raiseAbove(entries: readonly Entry[], meeting: boolean): Promise<void> {
    const { graph } = this.#p
    const isAhead = ({ generation: g }: Entry) =>
      g.incarnation > graph.incarnation || (g.incarnation === graph.incarnation && (meeting || g.seq > graph.seq))
    while (entries.some(isAhead)) await this.#p.raiseIncarnation()
  }

  #onStatus(agentUuid: string, { noun, uuid, condition }: Status): void {
    const { graph } = this.#p
    const known = [...graph.by('orphan', 'ownUuid', uuid)].some((k) => {
      const row = graph.get('orphan', k)!
      return row['agentUuid'] === agentUuid && row['noun'] === noun
    })
    if (!known && condition !== 'Orphaned') return
    this.#inTurn(agentUuid, () => this.#record(agentUuid, this.#p.book.statusesOf(agentUuid))).catch((error) =>
      this.#p.report(error, { agentUuid, doing: 'recording what nobody knows of' }),
    )
  }

  async #record(agentUuid: string, statuses: readonly Status[]): Promise<void> {
    const { graph } = this.#p
    if (!graph.get('agent', agentUuid)) return
    const now = this.#p.now()
    const held = this.#held.get(agentUuid) ?? this.#recorded(agentUuid)
    const change = orphanChange(graph, agentUuid, findOrphans(graph, { agentUuid, held, statuses, now }), now)
    if (change) await this.#p.commit(change)
  }

  /** After a start, before the agent has told anew: what it told the last process. */
  #recorded(agentUuid: string): Held[] {
    const { graph } = this.#p
    return [...graph.by('orphan', 'agentUuid', agentUuid)].flatMap((k) => {
      const row = graph.get('orphan', k)!
      const spec = row['spec'] as Row | null
      const generation = { incarnation: 1, seq: 0 }
      return spec ? [{ noun: row['noun'] as string, uuid: row['ownUuid'] as string, generation, spec }] : []
    })
  }

  async #ask(agentUuid: string, entries: readonly Entry[]): Promise<Held[]> {
    const found = new Map<string, Document>()
    let left = [...entries]
    while (left.length > 0) {
      const resources = left.slice(0, ASK_AT_ONCE).map(({ noun, uuid }) => ({ noun, uuid }))
      const documents = await this.#documents(agentUuid, resources)
      for (const document of documents) found.set(`${document.noun}/${document.uuid}`, document)
      // A message that is full ends early; a document that is gone meanwhile never comes.
      const last = documents.at(-1)
      const at = last ? left.findIndex((e) => e.noun === last.noun && e.uuid === last.uuid) : resources.length - 1
      left = left.slice(at + 1)
    }
    return entries.map((e) => ({ ...e, spec: found.get(`${e.noun}/${e.uuid}`)?.spec ?? null }))
  }

  async #documents(agentUuid: string, resources: { noun: string; uuid: string }[]): Promise<Document[]> {
    try {
      const reply = await this.#request(agentUuid, 'documents', { resources })
      return documentsReply.parse(reply).documents
    } catch (error) {
      // An agent from before this verb: that it holds them is known, what they say isn't.
      if (error instanceof SkerryError && error.code === 'not-found') return []
      throw error
    }
  }

  async #statuses(agentUuid: string): Promise<Status[]> {
    const { statuses } = statusesReply.parse(await this.#request(agentUuid, 'statuses', {}))
    return statuses
  }

  /** Asked of the hypervisor itself: an agent that has just begun has no statuses yet, and a guest must not be taken for gone. */
  async #domains(agentUuid: string): Promise<Map<string, string>> {
    if (kindOf(this.#p.graph, agentUuid) !== 'kvm') return new Map()
    const { items } = inventoryReply.parse(await this.#request(agentUuid, 'inventory', {}))
    const domains = items.filter((item) => item.kind === 'domain')
    return new Map(domains.map(({ id, facts }) => [id, String(facts['power'])]))
  }

  async #request(agentUuid: string, verb: string, data: unknown): Promise<unknown> {
    const kind = kindOf(this.#p.graph, agentUuid) as AgentKind
    const subject = subjects.do(kind, agentUuid, 'agent', agentUuid, verb)
    return (await this.#p.bus.request(subject, data, { timeoutMs: ASK_TIMEOUT_MS })).data
  }

  #inTurn(agentUuid: string, act: () => Promise<void>): Promise<void> {
    const turn = (this.#turns.get(agentUuid) ?? Promise.resolve()).then(act)
    // The next one has its own turn; whoever asked for this one is told.
    const settled = turn.catch(() => undefined)
    this.#turns.set(agentUuid, settled)
    void settled.then(() => this.#turns.get(agentUuid) === settled && this.#turns.delete(agentUuid))
    return turn
  }
}
