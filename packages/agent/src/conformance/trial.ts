/** What a check has at hand: the agent on its bus, asked as a controller asks, and what it has told since the trial began. */
import type { GatheringBus } from '@skerry/bus'
import {
  type AgentKind,
  type Document,
  HEARTBEAT_MS,
  type Heartbeat,
  heartbeat,
  SkerryError,
  type Status,
  status,
  subjects,
  syncReply,
  type Tombstone,
} from '@skerry/contract'
import type { ZodType } from 'zod'
import { specHash } from '../sync.ts'

type Json = Record<string, unknown>

/** Something that this very agent can make, and one verb that it knows. It is made under a uuid of its own, and removed again. */
export interface Sample {
  document?: { noun: string; schema: number; spec: Json }
  /** `reads`: it only looks, so that a repeat may run it again */
  command?: { noun: string; verb: string; input: Json; reads?: boolean }
}

export interface TrialPorts {
  /** with the rights of a controller; no controller may be on it */
  bus: GatheringBus
  agent: { kind: AgentKind; uuid: string }
  sample: Sample
  /** 32 hex characters */
  newId(): string
  sleep(ms: number): Promise<void>
  /** for each answer and each status */
  timeoutMs: number
  /** for a heartbeat; default: three times as long as from one to the next */
  beatMs?: number
}

/** A check that can't be made with this sample. */
export class Skipped extends Error {}

/** What the agent did against the protocol. */
export class Breach extends Error {}

export class Trial {
  readonly p: TrialPorts
  readonly heartbeats: Heartbeat[] = []
  readonly statuses: Status[] = []
  /** messages that fit no schema, and why */
  readonly misfits: string[] = []
  /** of this trial's own documents */
  readonly uuid: string
  /** what its commands are about: nobody has documents of it */
  readonly about: string
  #open: { stop(): Promise<void> }[] = []

  constructor(ports: TrialPorts) {
    this.p = ports
    this.uuid = ports.newId()
    this.about = ports.newId()
  }

  async begin(): Promise<void> {
    const { bus, agent } = this.p
    const take =
      <T>(schema: ZodType<T>, into: T[]) =>
      ({ subject, data }: { subject: string; data: unknown }) => {
        const read = schema.safeParse(data)
        if (read.success) into.push(read.data)
        else
          this.misfits.push(
            `${subject}: ${read.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`).join('; ')}`,
          )
      }
    this.#open = [
      bus.subscribe(subjects.heartbeat(agent.kind, agent.uuid), take(heartbeat, this.heartbeats)),
      bus.subscribe(subjects.status(agent.kind, agent.uuid, '*', '*'), take(status, this.statuses)),
    ]
    await bus.flush()
  }

  async end(): Promise<void> {
    await Promise.all(this.#open.map((one) => one.stop()))
  }

  /** A verb of the agent itself, its reply read by this schema. */
  async own<T>(verb: string, data: unknown, schema: ZodType<T>): Promise<T> {
    return this.read(`the reply to ${verb}`, schema, await this.ask('agent', this.p.agent.uuid, { verb, data }))
  }

  async ask(noun: string, uuid: string, { verb, data }: { verb: string; data: unknown }): Promise<unknown> {
    const { bus, agent, timeoutMs } = this.p
    return (await bus.request(subjects.do(agent.kind, agent.uuid, noun, uuid, verb), data, { timeoutMs })).data
  }

  read<T>(what: string, schema: ZodType<T>, data: unknown): T {
    const read = schema.safeParse(data)
    if (read.success) return read.data
    throw new Breach(`${what} does not fit its schema: ${read.error.issues[0]?.path.join('.')} ${read.error.issues[0]?.message}`)
  }

  /** The answer must be an error with one of these codes. */
  async refused(what: string, codes: readonly string[], act: () => Promise<unknown>): Promise<void> {
    try {
      await act()
    } catch (error) {
      if (!(error instanceof SkerryError)) throw error
      if (codes.includes(error.code)) return
      throw new Breach(`${what} was refused with ${error.code} (${error.message}), not with ${codes.join(' or ')}`)
    }
    throw new Breach(`${what} was taken; it must be refused with ${codes.join(' or ')}`)
  }

  sync(documents: readonly (Document | Tombstone)[], epoch = 1): Promise<{ digest: string }> {
    return this.own('sync', { documents, epoch }, syncReply)
  }

  /** The sample's document at a generation. Throws `Skipped` without one. */
  document(seq: number, spec?: Json): Document {
    const { document } = this.p.sample
    if (document === undefined) throw new Skipped('needs a sample document')
    const wanted = spec ?? document.spec
    const generation = { incarnation: 1, seq }
    return {
      noun: document.noun,
      uuid: this.uuid,
      schema: document.schema,
      generation,
      hash: specHash(wanted),
      job: null,
      spec: wanted,
    }
  }

  tombstone(seq: number): Tombstone {
    return { noun: this.document(seq).noun, uuid: this.uuid, generation: { incarnation: 1, seq }, job: null, tombstone: true }
  }

  get beatMs(): number {
    return this.p.beatMs ?? 3 * HEARTBEAT_MS
  }

  /** Waits until `look` gives something. */
  async until<T>(what: string, ms: number, look: () => T | undefined | Promise<T | undefined>): Promise<T> {
    const STEP_MS = 20
    for (let waited = 0; ; waited += STEP_MS) {
      const found = await look()
      if (found !== undefined) return found
      if (waited >= ms) throw new Breach(`${what} did not come within ${ms / 1000} s`)
      await this.p.sleep(STEP_MS)
    }
  }
}

export interface Check {
  /** what an agent does that keeps to the protocol */
  name: string
  run(trial: Trial): Promise<void>
}
