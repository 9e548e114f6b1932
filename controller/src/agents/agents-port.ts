/** Agents as workflows see them: send and wait, with the errors that the agents themselves gave. */
import type { Bus } from '@skerry/bus'
import {
  commandReply,
  compareGeneration,
  type ErrorBody,
  fromErrorBody,
  parseAgentSubject,
  progress as progressSchema,
  type Row,
  SkerryError,
  type Status,
  status as statusSchema,
  subjects,
} from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { z } from 'zod'
import type { AgentCommand, AgentsPort, Waiting } from '../workflows/world.ts'
import type { AgentBook } from './book.ts'
import { kindOf, ledgerOf, presentKeys } from './documents.ts'
import type { Syncer } from './sync.ts'

/** How long an agent may be out of reach before a step fails: a restart or upgrade of an agent fits in. */
const UNREACHABLE_MS = 15_000
const LOOK_AGAIN_MS = 3_000
/** An agent that gives up has so long to say why, before we do without knowing. */
const ANSWER_MS = 500
const ASK_AGAIN_MS = 10_000

/** `statusesReply`, its statuses yet to be judged one by one. */
const statusList = z.object({ statuses: z.array(z.unknown()) })

export interface AgentsPorts {
  bus: Bus
  graph: Graph
  book: AgentBook
  syncer: Syncer
  sleep(ms: number): Promise<void>
  monotonic(): number
  report(error: unknown, facts: Row): void
}

export class Agents implements AgentsPort {
  readonly #p: AgentsPorts
  /** by command id: who was asked, and who waits */
  readonly #progress = new Map<string, { agentUuid: string; waiting: Waiting }>()

  constructor(ports: AgentsPorts) {
    this.#p = ports
    ports.bus.subscribe(subjects.progressOfAll, (m) => {
      const from = parseAgentSubject(m.subject)
      const asked = this.#progress.get(from?.rest[0] ?? '')
      if (!from || !asked) return // of a command that nobody waits for any more
      const parsed = progressSchema.safeParse(m.data)
      // The subject says who speaks: nobody else's progress is believed.
      if (parsed.success && asked.agentUuid === from.agentUuid) return asked.waiting.progress(parsed.data)
      ports.report(new SkerryError('invalid-argument', 'progress does not fit its schema, or is of a command to another agent'), {
        subject: m.subject,
      })
    })
  }

  alive(agentUuid: string): boolean {
    return this.#p.book.alive(agentUuid)
  }

  status(agentUuid: string, noun: string, uuid: string): Status | undefined {
    return this.#p.book.statusOf(agentUuid, noun, uuid)
  }

  async converge(names: readonly string[], waiting: Waiting): Promise<Status[]> {
    const keys = names.flatMap((name) => presentKeys(this.#p.graph, name))
    return Promise.all(keys.map((key) => this.#ready(key, waiting)))
  }

  /** Until the agent says Ready of this document or a later one. */
  async #ready(key: string, waiting: Waiting): Promise<Status> {
    const [agentUuid, noun, uuid] = key.split('/') as [string, string, string]
    const { graph } = this.#p
    this.#p.syncer.checkReadable(key) // an agent that is too old for it will never be ready
    const wanted = { incarnation: graph.incarnation, seq: graph.version('desired', key)! }
    await this.#retrying(agentUuid, waiting, () => this.#p.syncer.delivered(key))
    let asked = this.#p.monotonic()
    for (;;) {
      const status = this.#p.book.statusOf(agentUuid, noun, uuid)
      if (status?.generation && compareGeneration(status.generation, wanted) >= 0) {
        if (status.condition === 'Ready') return status
        if (status.condition === 'Failed' || status.condition === 'Refused') throw this.#failure(agentUuid, status)
      }
      // Nobody will ever say Ready of what is deleted meanwhile.
      if (graph.get('desired', key)?.['tombstone'] !== false)
        throw new SkerryError('conflict', `${noun} ${uuid} is no longer wanted`, { ...this.#where(agentUuid), noun, uuid })
      if (waiting.remainingMs() <= 0)
        throw new SkerryError('deadline-exceeded', `${noun} ${uuid} was not ready in time`, {
          ...this.#where(agentUuid),
          noun,
          uuid,
          condition: status?.condition ?? 'silent',
        })
      await this.#nextStatus(agentUuid, noun, uuid, Math.min(LOOK_AGAIN_MS, Math.max(1, waiting.remainingMs())))
      // A status that was published while nobody listened is asked for.
      if (this.#p.monotonic() - asked > LOOK_AGAIN_MS) {
        asked = this.#p.monotonic()
        await this.#retrying(agentUuid, waiting, () => this.#lookAgain(agentUuid))
      }
    }
  }

  /** An agent that has too much to do to answer says Ready later: that is waited for until the deadline of who waits. */
  async #lookAgain(agentUuid: string): Promise<void> {
    try {
      await this.refresh(agentUuid)
    } catch (error) {
      if (!(error instanceof SkerryError && error.code === 'agent-timeout')) throw error
    }
  }

  /** Asks an agent for all its statuses. */
  async refresh(agentUuid: string): Promise<void> {
    const kind = kindOf(this.#p.graph, agentUuid)
    if (!kind) throw new SkerryError('agent-absent', `agent ${agentUuid} is not enrolled any more`, { agentUuid })
    const reply = await this.#p.bus.request(
      subjects.do(kind, agentUuid, 'agent', agentUuid, 'statuses'),
      {},
      { timeoutMs: 10_000 },
    )
    const all: Status[] = []
    for (const said of statusList.parse(reply.data).statuses) {
      const parsed = statusSchema.safeParse(said)
      if (parsed.success) all.push(parsed.data)
      // One that a newer agent words in a new way must not cost us the others.
      else this.#p.report(new SkerryError('invalid-argument', 'a status does not fit its schema'), { agentUuid })
    }
    for (const status of all) this.#p.book.status(agentUuid, status)
    this.#p.book.listed(agentUuid, all)
  }

  async gone(names: readonly string[], maxMs: number): Promise<boolean> {
    const until = this.#p.monotonic() + maxMs
    for (;;) {
      const left = names
        .flatMap((name) => [...this.#p.graph.by('desired', 'of', name)])
        .filter((k) => this.#p.graph.get('desired', k)?.['tombstone'])
      if (left.length === 0) return true
      // Whoever is not there will be told when it comes back: no use in waiting.
      if (left.every((key) => !this.alive(key.slice(0, key.indexOf('/')))) || this.#p.monotonic() >= until) return false
      await this.#p.sleep(25)
    }
  }

  async remind(names: readonly string[]): Promise<void> {
    const { graph, syncer } = this.#p
    const keys = names
      .flatMap((name) => [...graph.by('desired', 'of', name)])
      .filter((k) => graph.get('desired', k)?.['tombstone'])
    for (const key of keys) await syncer.again(key)
  }

  async command(agentUuid: string, command: AgentCommand, waiting: Waiting): Promise<Row> {
    const kind = kindOf(this.#p.graph, agentUuid)
    if (!kind) throw new SkerryError('agent-absent', `agent ${agentUuid} is not enrolled`, { agentUuid })
    const subject = subjects.do(kind, agentUuid, command.noun, command.uuid, command.verb)
    this.#progress.set(command.id, { agentUuid, waiting })
    try {
      return await this.#retrying(agentUuid, waiting, async () => {
        return this.#asking(agentUuid, subject, command, waiting)
      })
    } finally {
      this.#progress.delete(command.id)
    }
  }

  /**
   * Asks again now and then while the command runs: an answer is lost when the agent's connection broke off meanwhile, and then
   * nothing says so. The agent takes the repeat for what it is, by its id.
   */
  async #asking(agentUuid: string, subject: string, command: AgentCommand, waiting: Waiting): Promise<Row> {
    for (;;) {
      // whole milliseconds, as the schema wants them: clocks tell fractions
      const deadlineMs = Math.max(1, Math.min(Math.floor(waiting.remainingMs()), 2 ** 31 - 1))
      const asked = {
        id: command.id,
        deadlineMs: deadlineMs - Math.min(ANSWER_MS, Math.floor(deadlineMs / 10)),
        epoch: this.#p.graph.epoch,
        ...ledgerOf(this.#p.graph, agentUuid),
        mode: 'apply',
        input: command.input,
      }
      try {
        const reply = await this.#p.bus.request(subject, asked, { timeoutMs: Math.min(deadlineMs, ASK_AGAIN_MS) })
        return commandReply.parse(reply.data).output
      } catch (error) {
        const late = error instanceof SkerryError && error.code === 'agent-timeout'
        if (!late || deadlineMs <= ASK_AGAIN_MS) throw error
      }
    }
  }

  /** Repeats while the agent can't be reached: requests carry ids or generations, so a repeat has one effect. */
  async #retrying<T>(agentUuid: string, waiting: Waiting, fn: () => Promise<T>): Promise<T> {
    const until = this.#p.monotonic() + Math.min(UNREACHABLE_MS, Math.max(0, waiting.remainingMs()))
    for (;;) {
      try {
        return await fn()
      } catch (error) {
        const away = error instanceof SkerryError && error.code === 'agent-unreachable'
        if (!away || this.#p.monotonic() >= until) throw this.#located(agentUuid, error)
        await this.#p.sleep(300)
      }
    }
  }

  #nextStatus(agentUuid: string, noun: string, uuid: string, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        off()
        resolve()
      }
      const off = this.#p.book.onStatusOf({ agentUuid, noun, uuid }, end)
      void this.#p.sleep(ms).then(end)
    })
  }

  #where(agentUuid: string): Row {
    const agent = this.#p.graph.get('agent', agentUuid)
    const host = agent?.['hostUuid'] ? this.#p.graph.get('host', agent['hostUuid'] as string) : undefined
    return { agentUuid, agent: agent?.['name'], host: host?.['name'], hostUuid: agent?.['hostUuid'] ?? undefined }
  }

  #failure(agentUuid: string, status: Status): SkerryError {
    const where = this.#where(agentUuid)
    const cause = status.error ? fromErrorBody(status.error as unknown as ErrorBody) : undefined
    const message = `${status.noun} ${status.uuid} on host ${where['host'] ?? 'unknown'}: ${cause?.message ?? status.condition}`
    return new SkerryError(
      cause?.code ?? 'internal',
      message,
      { ...where, noun: status.noun, uuid: status.uuid, ...(cause?.details ?? {}) },
      cause ? { cause } : undefined,
    )
  }

  #located(agentUuid: string, error: unknown): unknown {
    if (!(error instanceof SkerryError)) return error
    return new SkerryError(error.code, error.message, { ...this.#where(agentUuid), ...error.details }, { cause: error.cause })
  }
}
