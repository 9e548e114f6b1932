/** What agents said last: heartbeats and statuses. Memory only; none of it is recorded, transitions are (`watch.ts`). */
import { hash } from 'node:crypto'
import { HEARTBEAT_LOST_MS, type Heartbeat, type Status, StatusDigest } from '@skerry/contract'

export type StatusListener = (agentUuid: string, status: Status) => void

/** Of an agent without `seq`: a status may be overtaken by this much; one that is older still was said after the clock went back. */
const OVERTAKEN_MS = 60_000

/** Whether `status` was said before `than`. Of two boots the one that came later counts. */
function isOlder(status: Status, than: Status): boolean {
  if (status.bootId !== than.bootId) return false
  if (status.seq !== undefined && than.seq !== undefined) return status.seq < than.seq
  return than.at > status.at && than.at - status.at < OVERTAKEN_MS
}

interface Seen {
  at: number
  heartbeat: Heartbeat
  /** its clock against ours when it came in; undefined when nobody looked */
  clockOffsetMs: number | undefined
}

const keyOf = ({ noun, uuid }: Pick<Status, 'noun' | 'uuid'>) => `${noun}/${uuid}`

/** What is held of one agent's statuses. */
class Told {
  readonly statuses = new Map<string, Status>()
  /** Of those that were told last, the ones that were Gone too, as the agent's own. */
  readonly digest = new StatusDigest((text) => hash('sha256', text, 'buffer'))
  /** Keys of those that were Gone: nothing else of them is worth keeping. */
  readonly gone = new Set<string>()
}

export class AgentBook {
  readonly #monotonic: () => number
  readonly #told = new Map<string, Told>()
  readonly #seen = new Map<string, Seen>()
  readonly #listeners = new Set<StatusListener>()
  /** Who waits for the next status of one resource, by agent, noun and uuid. */
  readonly #waiting = new Map<string, Set<() => void>>()
  readonly #since: number

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic
    this.#since = monotonic()
  }

  /** `now`: our own wall clock, to compare. */
  heartbeat(heartbeat: Heartbeat, now?: number): void {
    const clockOffsetMs = now === undefined ? undefined : heartbeat.at - now
    this.#seen.set(heartbeat.agentUuid, { at: this.#monotonic(), heartbeat, clockOffsetMs })
  }

  /** How far the agent's clock is ahead of ours (negative: behind), as of its last heartbeat. */
  clockOffsetMs(agentUuid: string): number | undefined {
    return this.#seen.get(agentUuid)?.clockOffsetMs
  }

  lastHeartbeat(agentUuid: string): Heartbeat | undefined {
    return this.#seen.get(agentUuid)?.heartbeat
  }

  /**
   * Whether this heartbeat is of another process than the last one, or of another boot. Told before it is taken in. A process that
   * lived shorter than its successor's first heartbeat took is known by when that one began: after the last was heard.
   */
  isAnother({ agentUuid, uptimeMs, bootId }: Heartbeat): boolean {
    const seen = this.#seen.get(agentUuid)
    if (!seen) return true
    const { heartbeat: before, at } = seen
    return bootId !== before.bootId || uptimeMs < before.uptimeMs || uptimeMs < this.#monotonic() - at
  }

  alive(agentUuid: string): boolean {
    const seen = this.#seen.get(agentUuid)
    return seen !== undefined && this.#monotonic() - seen.at < HEARTBEAT_LOST_MS
  }

  /** Not heard for so long that it counts as gone. A controller that has just begun to listen says so of nobody. */
  silent(agentUuid: string): boolean {
    return !this.alive(agentUuid) && this.#monotonic() - this.#since >= HEARTBEAT_LOST_MS
  }

  /** Takes a status unless a newer one of the same resource is known. */
  status(agentUuid: string, status: Status): void {
    const told = this.#of(agentUuid)
    const key = keyOf(status)
    const old = told.statuses.get(key)
    if (old && isOlder(status, old)) return
    told.digest.put(status)
    // Agents tell of what they removed for a week; whoever listens hears it, and nothing of it is worth keeping.
    if (status.condition === 'Gone') {
      told.statuses.delete(key)
      told.gone.add(key)
    } else {
      told.statuses.set(key, status)
      told.gone.delete(key)
    }
    for (const listener of this.#listeners) listener(agentUuid, status)
    for (const wake of this.#waiting.get(`${agentUuid}/${key}`) ?? []) wake()
  }

  /** The agent has told all that it knows: what it has forgotten since is no difference any more. */
  listed(agentUuid: string, all: readonly Status[]): void {
    const told = this.#of(agentUuid)
    const known = new Set(all.map(keyOf))
    for (const key of told.gone) {
      if (known.has(key)) continue
      const [noun, uuid] = key.split('/') as [string, string]
      told.gone.delete(key)
      told.digest.forget({ noun, uuid })
    }
  }

  /** Whether what the agent says of all its statuses is what was heard of them: none of them was lost. */
  isCurrent(agentUuid: string, statusDigest: string): boolean {
    return this.#told.get(agentUuid)?.digest.text() === statusDigest
  }

  statusOf(agentUuid: string, noun: string, uuid: string): Status | undefined {
    return this.#told.get(agentUuid)?.statuses.get(`${noun}/${uuid}`)
  }

  statusesOf(agentUuid: string): Status[] {
    return [...(this.#told.get(agentUuid)?.statuses.values() ?? [])]
  }

  /** Calls `wake` at each status of this resource, until the returned function is called. */
  onStatusOf(key: { agentUuid: string; noun: string; uuid: string }, wake: () => void): () => void {
    const at = `${key.agentUuid}/${keyOf(key)}`
    const waiting = this.#waiting.get(at) ?? new Set()
    this.#waiting.set(at, waiting.add(wake))
    return () => {
      waiting.delete(wake)
      if (waiting.size === 0 && this.#waiting.get(at) === waiting) this.#waiting.delete(at)
    }
  }

  #of(agentUuid: string): Told {
    let told = this.#told.get(agentUuid)
    if (!told) this.#told.set(agentUuid, (told = new Told()))
    return told
  }

  forget(agentUuid: string): void {
    this.#told.delete(agentUuid)
    this.#seen.delete(agentUuid)
  }

  onStatus(listener: StatusListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}
