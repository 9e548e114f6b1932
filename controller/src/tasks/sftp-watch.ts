/** Storage servers are looked at by the clock; only what has changed is recorded: whether they can be used, why not, and their room. */
import { type Change, type ErrorBody, type Row, SFTP, SFTP_AGAIN_MS, SFTP_ANSWER_MS, toErrorBody } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { agentFor } from '../place/sftp-agent.ts'
import { type Answer, answer, connectedOps } from '../workflows/backup-storage.sftp.ts'
import { type AgentsPort, need } from '../workflows/world.ts'

export interface WatchPorts {
  graph: Graph
  agents: Pick<AgentsPort, 'alive' | 'command'>
  newId(): string
  monotonic(): number
  pause(ms: number): Promise<void>
  commit(change: Change): Promise<unknown>
  report(error: unknown, facts: Row): void
}

type Found = { ok: true; answer: Answer } | { ok: false; error: ErrorBody }

export class SftpWatch {
  readonly #p: WatchPorts
  /** A server that keeps us waiting is not asked a second time meanwhile. */
  readonly #asking = new Set<string>()

  constructor(ports: WatchPorts) {
    this.#p = ports
  }

  /** Looks at each server once. */
  async sweep(): Promise<void> {
    const uuids = [...this.#p.graph.by('backupStorage', 'type', SFTP)].filter((uuid) => !this.#asking.has(uuid))
    await Promise.all(uuids.map((uuid) => this.#look(uuid)))
  }

  async #look(uuid: string): Promise<void> {
    this.#asking.add(uuid)
    try {
      // One that is being added is its job's to judge.
      if (this.#storage(uuid)?.['status'] === 'Connecting') return
      const found = await this.#ask(uuid)
      const storage = this.#storage(uuid)
      const change = storage && (found.ok ? connected(storage, found.answer) : disconnected(storage, found.error))
      if (change) await this.#p.commit(change)
    } catch (error) {
      this.#p.report(error, { doing: 'looking at a storage server', backupStorageUuid: uuid })
    } finally {
      this.#asking.delete(uuid)
    }
  }

  readonly #storage = (uuid: string) => this.#p.graph.get('backupStorage', uuid)

  /** A first failure may be a hiccup of the link, or of the agent: only the second is believed. */
  async #ask(uuid: string): Promise<Found> {
    const until = this.#p.monotonic() + SFTP_ANSWER_MS
    const first = await this.#askOnce(uuid, until)
    if (first.ok || until - this.#p.monotonic() <= SFTP_AGAIN_MS) return first
    await this.#p.pause(SFTP_AGAIN_MS)
    return this.#askOnce(uuid, until)
  }

  async #askOnce(uuid: string, until: number): Promise<Found> {
    const { graph, agents, newId, monotonic } = this.#p
    try {
      const storage = need(graph, 'backupStorage', uuid) // it may be gone by now
      const waiting = { remainingMs: () => until - monotonic(), progress: () => undefined }
      const asked = { id: newId(), noun: 'storage', uuid, verb: 'connect', input: { path: storage['url'] } }
      const agent = agentFor(graph, storage, (k) => agents.alive(k))
      return { ok: true, answer: answer.parse(await agents.command(agent, asked, waiting)) }
    } catch (error) {
      return { ok: false, error: toErrorBody(error) }
    }
  }
}

function connected(storage: Readonly<Row>, found: Answer): Change | undefined {
  const total = storage['totalCapacity'] as number
  const moved = Math.abs(found.availableBytes - (storage['availableCapacity'] as number)) > found.totalBytes / 100
  const news = storage['status'] !== 'Connected' || storage['hostKey'] !== found.hostKey || total !== found.totalBytes || moved
  if (!news) return undefined
  const facts =
    storage['status'] === 'Connected' ? [] : [{ noun: 'backupStorage', uuid: storage['uuid'] as string, event: 'connected' }]
  return { ops: connectedOps(storage, found), facts }
}

function disconnected(storage: Readonly<Row>, error: ErrorBody): Change | undefined {
  const known = storage['disconnectCause'] as ErrorBody | null | undefined
  const { code, message } = error
  if (storage['status'] === 'Disconnected' && known?.code === code && known.message === message) return undefined
  const uuid = storage['uuid'] as string
  const facts = storage['status'] === 'Disconnected' ? [] : [{ noun: 'backupStorage', uuid, event: 'disconnected' }]
  return {
    ops: [{ o: 'set', t: 'backupStorage', k: uuid, v: { status: 'Disconnected', disconnectCause: { code, message } } }],
    facts,
  }
}
