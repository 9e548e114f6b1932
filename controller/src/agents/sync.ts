/**
 * Documents to agents: what changed is sent when it is durable; what was lost on the way is found by comparing digests at each
 * heartbeat, and only differences travel. One delivery an agent at a time.
 */
import { createHash } from 'node:crypto'
import type { Bus } from '@skerry/bus'
import { type AgentKind, compareGeneration, digestReply, digestText, SkerryError, subjects } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { digestLines, documentKeys, documentOf, kindOf } from './documents.ts'

const SYNC_TIMEOUT_MS = 10_000
const MAX_BATCH = 500
/** Below the bus's own limit of 1 MiB, with room for the envelope. */
const MAX_BATCH_BYTES = 700_000

export interface SyncPorts {
  bus: Bus
  graph: Graph
  durableSeq(): number
  report(error: unknown, facts: Record<string, unknown>): void
}

interface Link {
  dirty: Set<string>
  running: Promise<void> | undefined
  /** pair of digests that were compared and could not be brought together: not compared again until one changes */
  settled: string
}

export class Syncer {
  readonly #p: SyncPorts
  readonly #links = new Map<string, Link>()

  constructor(ports: SyncPorts) {
    this.#p = ports
  }

  /** A `desired` row was committed durably. */
  committed(key: string): void {
    const agentUuid = key.slice(0, key.indexOf('/'))
    this.#link(agentUuid).dirty.add(key)
    this.deliver(agentUuid).catch((error) => this.#p.report(error, { agentUuid, doing: 'sending documents' }))
  }

  /** Resolves when everything durable so far is with the agent; throws why it can't be. */
  async deliver(agentUuid: string): Promise<void> {
    const link = this.#link(agentUuid)
    while (link.running) await link.running.catch(() => undefined) // its own caller is told
    if (link.dirty.size === 0) return
    link.running = this.#send(agentUuid, link).finally(() => (link.running = undefined))
    await link.running
  }

  /** Compares an agent's digest with ours, and sends what differs. Tombstones not yet carried out go along. */
  async compare(agentUuid: string, digest: string): Promise<void> {
    const { graph, bus } = this.#p
    const link = this.#link(agentUuid)
    const ours = createHash('sha256')
      .update(digestText(digestLines(graph, agentUuid)))
      .digest('hex')
    const pair = `${digest} ${ours}`
    if (digest === ours || link.settled === pair || link.running) return
    const kind = kindOf(graph, agentUuid)
    if (!kind) return
    const reply = await bus.request(
      subjects.do(kind, agentUuid, 'agent', agentUuid, 'digest'),
      {},
      { timeoutMs: SYNC_TIMEOUT_MS },
    )
    const theirs = new Map(digestReply.parse(reply.data).entries.map((e) => [`${agentUuid}/${e.noun}/${e.uuid}`, e]))
    for (const line of digestLines(graph, agentUuid)) {
      const key = `${agentUuid}/${line.noun}/${line.uuid}`
      const their = theirs.get(key)
      if (!their || their.hash !== line.hash || compareGeneration(their.generation, line.generation) !== 0) link.dirty.add(key)
    }
    for (const key of documentKeys(graph, agentUuid)) if (graph.get('desired', key)?.['tombstone']) link.dirty.add(key)
    link.settled = pair
    await this.deliver(agentUuid)
  }

  /** Sends every document again: the agent's statuses and tombstones are uncertain. */
  async resend(agentUuid: string): Promise<void> {
    const link = this.#link(agentUuid)
    for (const key of documentKeys(this.#p.graph, agentUuid)) link.dirty.add(key)
    await this.deliver(agentUuid)
  }

  #link(agentUuid: string): Link {
    let link = this.#links.get(agentUuid)
    if (!link) this.#links.set(agentUuid, (link = { dirty: new Set(), running: undefined, settled: '' }))
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
        if (error instanceof SkerryError && batch.length > 1 && !unreachable(error)) await this.#oneByOne(kind, agentUuid, batch)
        else {
          if (unreachable(error)) for (const { key } of batch) link.dirty.add(key)
          throw error
        }
      }
    }
  }

  /** What may be sent: only what is durable, so that a power cut can't give its generation to something else. */
  #batch(link: Link): { key: string; document: object }[] {
    const { graph } = this.#p
    const durable = this.#p.durableSeq()
    const batch: { key: string; document: object }[] = []
    let size = 0
    for (const key of link.dirty) {
      const document = documentOf(graph, key)
      if (!document) link.dirty.delete(key)
      else if (document.generation.seq <= durable) {
        size += JSON.stringify(document).length
        if (batch.length > 0 && (size > MAX_BATCH_BYTES || batch.length >= MAX_BATCH)) break
        batch.push({ key, document })
      }
    }
    return batch
  }

  async #oneByOne(kind: AgentKind, agentUuid: string, batch: { key: string; document: object }[]): Promise<void> {
    for (const { key, document } of batch) {
      try {
        await this.#request(kind, agentUuid, [document])
      } catch (error) {
        if (unreachable(error)) throw error
        this.#p.report(error, { agentUuid, document: key, doing: 'sending one document' })
      }
    }
  }

  async #request(kind: AgentKind, agentUuid: string, documents: object[]): Promise<void> {
    await this.#p.bus.request(
      subjects.do(kind, agentUuid, 'agent', agentUuid, 'sync'),
      { documents, epoch: this.#p.graph.epoch },
      { timeoutMs: SYNC_TIMEOUT_MS },
    )
  }
}

const unreachable = (error: unknown) =>
  error instanceof SkerryError && (error.code === 'agent-unreachable' || error.code === 'agent-timeout')
