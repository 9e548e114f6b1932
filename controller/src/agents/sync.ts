/**
 * Documents to agents: what changed is sent when it is durable; what was lost on the way is found by comparing digests at each
 * heartbeat, and only differences travel. One delivery an agent at a time.
 */
import { createHash } from 'node:crypto'
import type { Bus } from '@skerry/bus'
import {
  type AgentKind,
  compareGeneration,
  type Document,
  type DocumentVersions,
  type digestEntry,
  digestReply,
  digestText,
  isTombstone,
  SkerryError,
  subjects,
  type Tombstone,
} from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { z } from 'zod'
import { digestLines, documentFor, documentKeys, documentKeysInOrder, kindOf, ledgerOf, readsNewest } from './documents.ts'
import { type Link, newLink, passing, unheard, unreachable } from './link.ts'

const SYNC_TIMEOUT_MS = 10_000
const MAX_BATCH = 500
/** Below the bus's own limit of 1 MiB, with room for the envelope. */
const MAX_BATCH_BYTES = 700_000

export interface SyncPorts {
  bus: Bus
  graph: Graph
  durableSeq(): number
  report(error: unknown, facts: Record<string, unknown>): void
  /** Default: what this code writes. */
  versions?: DocumentVersions
  /** An agent took a document, or refused it with this error; `key` is that of its `desired` row. */
  answered?(key: string, error?: unknown): void
  /** What an agent holds, by its own list: taken note of before anything is sent to it (`orphans/watch.ts`). */
  orphans?: {
    isUnheard(agentUuid: string): boolean
    /** Neither unheard, nor with anything that nobody knows of. */
    none(agentUuid: string): boolean
    listed(agentUuid: string, entries: readonly DigestEntry[]): Promise<void>
  }
}

type DigestEntry = z.infer<typeof digestEntry>

export class Syncer {
  readonly #p: SyncPorts
  readonly #links = new Map<string, Link>()

  constructor(ports: SyncPorts) {
    this.#p = ports
    const changed = (agentUuid: string) => {
      const link = this.#links.get(agentUuid)
      if (link) link.digest = undefined
    }
    ports.graph.follow(['desired'], ({ key }) => changed(key.slice(0, key.indexOf('/'))))
    ports.graph.follow(['agent'], ({ key }) => changed(key))
  }

  /** A `desired` row was committed durably. */
  committed(key: string): void {
    const agentUuid = key.slice(0, key.indexOf('/'))
    const link = this.#link(agentUuid)
    // A comparison may have been faster than the word that the row is durable.
    if (link.taken.get(key) === this.#p.graph.version('desired', key)) return
    link.dirty.add(key)
    this.deliver(agentUuid).catch((error) => {
      // An agent that is away is shown as Disconnected; it gets its documents when it is heard again.
      if (!unreachable(error) && !unheard(error)) this.#p.report(error, { agentUuid, doing: 'sending documents' })
    })
  }

  /** Sends one document once more, whatever the agent said of it. Throws as `deliver`. */
  async again(key: string): Promise<void> {
    const agentUuid = key.slice(0, key.indexOf('/'))
    this.#link(agentUuid).dirty.add(key)
    await this.deliver(agentUuid)
  }

  /** Resolves when everything durable so far is with the agent; throws why it can't be. */
  async deliver(agentUuid: string): Promise<void> {
    return this.#deliver(agentUuid, () => false)
  }

  /** As `deliver`, but waits no longer than until this document is with the agent: others may go on coming for as long as a site is busy. */
  async delivered(key: string): Promise<void> {
    const agentUuid = key.slice(0, key.indexOf('/'))
    const { taken } = this.#link(agentUuid)
    const has = () => taken.get(key) === this.#p.graph.version('desired', key)
    if (!has()) await this.#deliver(agentUuid, has)
  }

  async #deliver(agentUuid: string, enough: () => boolean): Promise<void> {
    const link = this.#link(agentUuid)
    while (link.running) {
      await link.running.catch(() => undefined) // its own caller is told
      if (enough()) return
    }
    if (link.dirty.size === 0) return
    if (this.#p.orphans?.isUnheard(agentUuid))
      throw new SkerryError('hosts-unheard', 'nothing is sent to an agent before it has said what it holds', { agentUuid })
    link.deliveries += 1
    link.running = this.#send(agentUuid, link).finally(() => (link.running = undefined))
    await link.running
  }

  /**
   * An agent was heard: compares its digest with ours, and sends what differs, nothing else. `fresh`: it came back or began anew, so
   * tombstones go along too; its word that they were carried out may have been lost, and a wiped agent knows nothing of them.
   * `anew`: it has another ledger, hence nothing; and whatever is sent first must not be without what it stands on.
   */
  async compare(agentUuid: string, digest: string, { fresh = false, anew = false } = {}): Promise<void> {
    const link = this.#link(agentUuid)
    if (fresh || anew) {
      link.settled = ''
      link.agreed = ''
      for (const key of this.#tombstones(agentUuid)) link.dirty.add(key)
    }
    if (anew) {
      link.taken.clear()
      link.dirty = new Set(documentKeysInOrder(this.#p.graph, agentUuid))
    }
    if (link.running || link.comparing) return
    link.comparing = true
    try {
      await this.#compare(agentUuid, digest, link)
    } catch (error) {
      if (passing(error)) link.settled = '' // what could not be sent is compared again at the next heartbeat
      throw error
    } finally {
      link.comparing = false
    }
  }

  async #compare(agentUuid: string, digest: string, link: Link): Promise<void> {
    const { graph } = this.#p
    // Nothing has changed since all was as it should be: that is so of nearly every heartbeat.
    const agreed = `${graph.incarnation} ${digest}`
    if (digest === link.digest && agreed === link.agreed && link.dirty.size === 0 && this.#p.orphans?.none(agentUuid) !== false)
      return
    const lines = digestLines(graph, agentUuid, this.#p.versions)
    const ours = createHash('sha256').update(digestText(lines)).digest('hex')
    link.digest = ours
    link.agreed = ''
    const pair = `${digest} ${ours}`
    if (digest === ours) {
      // It has all of them, whatever became of the answers that said so.
      for (const { noun, uuid } of lines) link.dirty.delete(`${agentUuid}/${noun}/${uuid}`)
      await this.#p.orphans?.listed(agentUuid, lines)
      link.agreed = agreed
    } else if (link.settled !== pair) {
      if (!(await this.#mark(agentUuid, link))) return
      link.settled = pair
    }
    await this.deliver(agentUuid)
  }

  /** Marks what the agent lacks, and only that. False: the list that it gave is out of date. */
  async #mark(agentUuid: string, link: Link): Promise<boolean> {
    const { graph, bus } = this.#p
    const kind = kindOf(graph, agentUuid)
    if (!kind) return false
    const before = link.deliveries
    const subject = subjects.do(kind, agentUuid, 'agent', agentUuid, 'digest')
    const reply = await bus.request(subject, {}, { timeoutMs: SYNC_TIMEOUT_MS })
    const { entries } = digestReply.parse(reply.data)
    await this.#p.orphans?.listed(agentUuid, entries)
    if (link.deliveries !== before) return false
    const theirs = new Map(entries.map((e) => [`${agentUuid}/${e.noun}/${e.uuid}`, e]))
    for (const line of digestLines(graph, agentUuid, this.#p.versions)) {
      const key = `${agentUuid}/${line.noun}/${line.uuid}`
      const their = theirs.get(key)
      const has = their && their.hash === line.hash && compareGeneration(their.generation, line.generation) === 0
      if (has) link.dirty.delete(key)
      else link.dirty.add(key)
    }
    for (const key of this.#tombstones(agentUuid)) link.dirty.add(key)
    return true
  }

  /** Throws `agent-too-old` where the agent can't be told what the document says. */
  checkReadable(key: string): void {
    const { graph, versions } = this.#p
    if (!readsNewest(graph, key, versions)) this.document(key)
  }

  /** As its agent would get it. Throws `agent-too-old`. */
  document(key: string): ReturnType<typeof documentFor> {
    return documentFor(this.#p.graph, key, this.#p.versions)
  }

  #tombstones(agentUuid: string): string[] {
    const { graph } = this.#p
    return [...documentKeys(graph, agentUuid)].filter((key) => graph.get('desired', key)?.['tombstone'])
  }

  #link(agentUuid: string): Link {
    let link = this.#links.get(agentUuid)
    if (!link) this.#links.set(agentUuid, (link = newLink()))
    return link
  }

  async #send(agentUuid: string, link: Link): Promise<void> {
    const { graph } = this.#p
    const kind = kindOf(graph, agentUuid)
    if (!kind) return link.dirty.clear()
    while (link.dirty.size > 0) {
      const batch = this.#batch(link)
      if (batch.length === 0) return
      for (const { key } of batch) link.dirty.delete(key)
      try {
        await this.#request(
          kind,
          agentUuid,
          batch.map((b) => b.document),
        )
      } catch (error) {
        // One refused document must not hold up the others: each is sent by itself, and the refusal is reported.
        if (error instanceof SkerryError && batch.length > 1 && !passing(error))
          await this.#oneByOne(kind, agentUuid, { link, batch })
        else {
          if (passing(error)) for (const { key } of batch) link.dirty.add(key)
          throw error
        }
      }
    }
  }

  /** What may be sent: only what is durable, so that a power cut can't give its generation to something else. */
  #batch(link: Link): { key: string; document: object }[] {
    const durable = this.#p.durableSeq()
    const batch: { key: string; document: object }[] = []
    let size = 0
    for (const key of link.dirty) {
      const document = this.#sendable(key)
      if (!document) link.dirty.delete(key)
      else if (document.generation.seq <= durable) {
        size += JSON.stringify(document).length
        if (batch.length > 0 && (size > MAX_BATCH_BYTES || batch.length >= MAX_BATCH)) break
        batch.push({ key, document })
      }
    }
    return batch
  }

  /** Undefined: there is none any more, or its agent is too old for it: that is told, and what the agent has stays as it is. */
  #sendable(key: string): ReturnType<typeof documentFor> {
    try {
      return this.document(key)
    } catch (error) {
      if (!(error instanceof SkerryError && error.code === 'agent-too-old')) throw error
      this.#p.answered?.(key, error)
      return undefined
    }
  }

  async #oneByOne(
    kind: AgentKind,
    agentUuid: string,
    { link, batch }: { link: Link; batch: { key: string; document: object }[] },
  ): Promise<void> {
    for (const [n, { key, document }] of batch.entries()) {
      try {
        await this.#request(kind, agentUuid, [document])
      } catch (error) {
        if (passing(error)) {
          for (const left of batch.slice(n)) link.dirty.add(left.key)
          throw error
        }
        this.#p.report(error, { agentUuid, document: key, doing: 'sending one document' })
      }
    }
  }

  async #request(kind: AgentKind, agentUuid: string, documents: object[]): Promise<void> {
    const subject = subjects.do(kind, agentUuid, 'agent', agentUuid, 'sync')
    const sent = documents as (Document | Tombstone)[]
    const keys = sent.map(({ noun, uuid }) => `${agentUuid}/${noun}/${uuid}`)
    try {
      const request = { documents, epoch: this.#p.graph.epoch, ...ledgerOf(this.#p.graph, agentUuid) }
      await this.#p.bus.request(subject, request, { timeoutMs: SYNC_TIMEOUT_MS })
    } catch (error) {
      // Which of several was refused shows when each is sent by itself.
      if (keys.length === 1 && !unreachable(error)) this.#p.answered?.(keys[0]!, error)
      throw error
    }
    const { taken } = this.#link(agentUuid)
    for (const [n, key] of keys.entries()) {
      if (isTombstone(sent[n]!)) taken.delete(key)
      else taken.set(key, sent[n]!.generation.seq)
      this.#p.answered?.(key)
    }
  }
}
