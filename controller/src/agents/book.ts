/** What agents said last: heartbeats and statuses. Memory only; none of it is recorded, transitions are (`watch.ts`). */
import type { Heartbeat, Status } from '@skerry/contract'
import { HEARTBEAT_LOST_MS } from '@skerry/contract'

export type StatusListener = (agentUuid: string, status: Status) => void

interface Seen {
  at: number
  heartbeat: Heartbeat
}

export class AgentBook {
  readonly #monotonic: () => number
  readonly #statuses = new Map<string, Map<string, Status>>()
  readonly #seen = new Map<string, Seen>()
  readonly #listeners = new Set<StatusListener>()

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic
  }

  heartbeat(heartbeat: Heartbeat): void {
    this.#seen.set(heartbeat.agentUuid, { at: this.#monotonic(), heartbeat })
  }

  lastHeartbeat(agentUuid: string): Heartbeat | undefined {
    return this.#seen.get(agentUuid)?.heartbeat
  }

  alive(agentUuid: string): boolean {
    const seen = this.#seen.get(agentUuid)
    return seen !== undefined && this.#monotonic() - seen.at < HEARTBEAT_LOST_MS
  }

  /** Takes a status unless a newer one of the same resource is known. */
  status(agentUuid: string, status: Status): void {
    let mine = this.#statuses.get(agentUuid)
    if (!mine) this.#statuses.set(agentUuid, (mine = new Map()))
    const key = `${status.noun}/${status.uuid}`
    const old = mine.get(key)
    if (old && old.at > status.at && old.bootId === status.bootId) return
    mine.set(key, status)
    for (const listener of this.#listeners) listener(agentUuid, status)
  }

  statusOf(agentUuid: string, noun: string, uuid: string): Status | undefined {
    return this.#statuses.get(agentUuid)?.get(`${noun}/${uuid}`)
  }

  statusesOf(agentUuid: string): Status[] {
    return [...(this.#statuses.get(agentUuid)?.values() ?? [])]
  }

  forget(agentUuid: string): void {
    this.#statuses.delete(agentUuid)
    this.#seen.delete(agentUuid)
  }

  onStatus(listener: StatusListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}
