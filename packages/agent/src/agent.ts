/**
 * An agent: its ledger drives its reconciler from the start, with or without a bus. On the bus it answers `do.>`, tells
 * statuses and heartbeats, and announces itself as a NATS service. Ending it ends nothing on the host.
 */

import { agentServiceName, announceService, type Bus, type Msg, type Subscription } from '@skerry/bus'
import {
  type AgentKind,
  HEARTBEAT_MS,
  type Heartbeat,
  type InventoryItem,
  parseAgentSubject,
  SkerryError,
  type Status,
  subjects,
} from '@skerry/contract'
import { type AnyModule, type Clock, createReconciler, type DocumentName, type Reconciler, type Timers } from '@skerry/reconcile'
import { type AgentCommand, CommandRunner } from './commands.ts'
import { heldDocuments } from './held.ts'
import { needSameLedger } from './ledger/identity.ts'
import type { Ledger } from './ledger/ledger.ts'
import type { Log } from './log.ts'
import { StatusTeller } from './status-teller.ts'
import { parseSync, sync } from './sync.ts'

export interface AgentIdentity {
  kind: AgentKind
  uuid: string
  machineId: string
  bootId: string
}

export interface AgentOptions {
  identity: AgentIdentity
  /** A promise, or undefined for an agent that is not enrolled yet: the agent works without it. */
  bus: Bus | Promise<Bus>
  /** In the order of the contract's `nouns`. */
  modules: readonly AnyModule[]
  commands: readonly AgentCommand[]
  ledger: Ledger
  clock: Clock
  timers: Timers
  /** Milliseconds since the boot of the host, going on over restarts of the agent: orders its statuses whatever the wall clock does. */
  sinceBootMs?: () => number
  /** In [0, 1). */
  random(): number
  version: string
  log: Log
  /** Everything on the host that carries our mark. */
  inventory(): Promise<InventoryItem[]>
  /** Replaces the key on the bus (`AgentKeys`). Without it, that is refused. */
  rekey?(data: unknown): Promise<unknown>
  config?: {
    /** Default 30 s. */
    reconcileIntervalMs?: number | (() => number)
    /** How often old receipts and tombstones are removed. Default an hour. */
    pruneMs?: number
    /** How long `stop()` waits for running commands before it aborts them. Default 3 s. */
    drainMs?: number
  }
}

export interface Agent {
  readonly reconciler: Reconciler
  /** Something on the host may have changed. `of`: with these documents only. */
  signal(of?: readonly DocumentName[]): void
  /** Drains: takes nothing new, lets what runs end, says what is to be said, closes the bus. Touches nothing on the host. */
  stop(): Promise<void>
}

const DEFAULT_INTERVAL_MS = 30_000
const DEFAULT_DRAIN_MS = 3_000
const PRUNE_MS = 3_600_000
/** Documents and statuses that come one after another are one heartbeat. */
const SOON_MS = 100

/** Starts at once; never throws for want of a bus. */
export function runAgent(options: AgentOptions): Agent {
  const agent = new RunningAgent(options)
  agent.start()
  return agent
}

class RunningAgent implements Agent {
  readonly reconciler: Reconciler
  readonly #o: AgentOptions
  readonly #commands: CommandRunner
  readonly #teller: StatusTeller
  readonly #startedMs: number
  #bus: Bus | undefined
  #up = false
  #open: Subscription[] = []
  #offState: (() => void) | undefined
  #heartbeat: unknown
  #soon: unknown
  #prune: unknown
  #stopping = false
  #told = ''

  constructor(options: AgentOptions) {
    this.#o = options
    this.#startedMs = options.timers.nowMs()
    const { identity, ledger, clock, timers, modules, commands, log, config } = options
    const { kind, uuid } = identity
    this.#teller = new StatusTeller((status) => this.#publish(subjects.status(kind, uuid, status.noun, status.uuid), status))
    this.reconciler = createReconciler({
      modules,
      ledger,
      clock,
      timers,
      bootId: identity.bootId,
      ...(options.sinceBootMs ? { sinceBootMs: options.sinceBootMs } : {}),
      intervalMs: config?.reconcileIntervalMs ?? DEFAULT_INTERVAL_MS,
      onStatus: (status) => this.#onStatus(status),
      onFault: (error, where) => log.error({ ...where, err: error }, 'reconciling failed'),
    })
    const publishProgress = (id: string, progress: unknown) => void this.#publish(subjects.progress(kind, uuid, id), progress)
    this.#commands = new CommandRunner({ commands, ledger, clock, timers, log, publishProgress })
  }

  start(): void {
    const { ledger, log, identity } = this.#o
    for (const damage of ledger.damaged) log.error({ ...damage }, 'a ledger document is damaged')
    log.info({ kind: identity.kind, agentUuid: identity.uuid, bootId: identity.bootId, version: this.#o.version }, 'agent starts')
    this.reconciler.start()
    this.#pruneLater()
    Promise.resolve(this.#o.bus).then(
      (bus) => this.#connected(bus),
      (error) => {
        if (!this.#stopping) log.error({ err: error }, 'there will be no bus; going on from the ledger')
      },
    )
  }

  signal(of?: readonly DocumentName[]): void {
    this.reconciler.signal(of)
  }

  async stop(): Promise<void> {
    if (this.#stopping) return
    this.#stopping = true
    const { timers, config, log } = this.#o
    for (const timer of [this.#heartbeat, this.#soon, this.#prune]) timers.clear(timer)
    const pass = this.reconciler.stop()
    await this.#drainCommands(config?.drainMs ?? DEFAULT_DRAIN_MS)
    this.#offState?.()
    await Promise.all(this.#open.map((s) => s.stop()))
    await pass
    await this.#o.ledger.idle()
    await this.#bus?.close()
    log.info({}, 'agent ended; the host stays as it is')
  }

  async #drainCommands(drainMs: number): Promise<void> {
    const { timers } = this.#o
    const until = timers.nowMs() + drainMs
    while (this.#commands.busy() > 0 && timers.nowMs() < until) await new Promise<void>((resolve) => timers.set(resolve, 50))
    await this.#commands.stop()
  }

  #connected(bus: Bus): void {
    if (this.#stopping) return void bus.close()
    this.#bus = bus
    const { identity, version } = this.#o
    const all = subjects.doAll(identity.kind, identity.uuid)
    // A queue, so that while two connections overlap (another key) each request is taken once.
    const serving = bus.serve(all, (m) => this.#handle(m), { queue: identity.uuid })
    const service = announceService(bus, {
      name: agentServiceName(identity.kind),
      version,
      id: identity.uuid,
      description: `Skerry agent (${identity.kind})`,
      endpoints: [{ name: 'do', subject: all, serving }],
    })
    this.#open = [serving, service]
    // What was said while the bus was away is lost: what changed meanwhile is said again.
    this.#offState = bus.onState((state) => {
      this.#up = state === 'connected'
      if (!this.#up) return
      this.#teller.flush()
      this.#beat()
    })
  }

  async #handle({ subject, data }: Msg): Promise<unknown> {
    if (this.#stopping) throw new SkerryError('agent-unreachable', 'this agent is ending')
    const [noun, uuid, verb] = parseAgentSubject(subject)?.rest ?? []
    if (!noun || !uuid || !verb) throw new SkerryError('not-found', 'this agent knows no such subject', { subject })
    needSameLedger(data, this.#o.ledger.id)
    if (noun !== 'agent') return this.#commands.handle({ noun, uuid, verb }, data)
    return this.#own(verb, data)
  }

  async #own(verb: string, data: unknown): Promise<unknown> {
    const { ledger, modules } = this.#o
    switch (verb) {
      case 'sync': {
        const reply = await sync(data, {
          ledger,
          modules,
          signal: (of) => this.signal(of),
          known: (resources) => this.#tellAgain(resources),
        })
        this.#beatSoon()
        return reply
      }
      case 'digest':
        return { digest: ledger.digest(), entries: ledger.digestEntries() }
      case 'statuses':
        return { statuses: this.#teller.answer(this.reconciler.statuses()) }
      case 'inventory':
        return { items: await this.#o.inventory() }
      case 'rekey':
        if (!this.#o.rekey) throw new SkerryError('not-found', 'this agent has no key of its own to replace')
        return this.#o.rekey(data)
      case 'documents':
        return heldDocuments(data, ledger)
      case 'plan':
        return { changes: await this.reconciler.dryRun(parseSync(data, modules).documents) }
      default:
        throw new SkerryError('not-found', `an agent knows no verb ${verb}`, { verb })
    }
  }

  #tellAgain(resources: readonly { noun: string; uuid: string }[]): void {
    const asked = new Set(resources.map((r) => `${r.noun}/${r.uuid}`))
    if (asked.size === 0) return
    for (const status of this.reconciler.statuses()) if (asked.has(`${status.noun}/${status.uuid}`)) this.#teller.tell(status)
  }

  #onStatus(status: Status): void {
    const { ledger, log } = this.#o
    if (status.condition === 'Failed' || status.condition === 'Refused') {
      log.warn({ noun: status.noun, uuid: status.uuid, condition: status.condition, error: status.error }, 'not as desired')
    }
    if (status.condition === 'Gone') {
      // Only lets the tombstone be forgotten one day: without it, it is carried out again, which finds nothing to do.
      ledger
        .gone(status.noun, status.uuid)
        .catch((error) => log.error({ err: error }, 'cannot note in the ledger that a resource is gone'))
    }
    this.#teller.tell(status)
    this.#beatSoon()
  }

  /** False: the bus is away. */
  #publish(subject: string, data: unknown): boolean {
    if (!this.#bus || !this.#up) return false
    this.#bus.publish(subject, data)
    return true
  }

  #beatSoon(): void {
    if (this.#soon !== undefined || this.#stopping) return
    this.#soon = this.#o.timers.set(() => {
      this.#soon = undefined
      if (`${this.#o.ledger.digest()} ${this.reconciler.statusDigest()}` !== this.#told) this.#beat()
    }, SOON_MS)
  }

  #beat(): void {
    if (this.#stopping) return
    const { identity, ledger, timers, clock, version, random, modules } = this.#o
    const { kind, uuid, bootId, machineId } = identity
    const digest = ledger.digest()
    const statusDigest = this.reconciler.statusDigest()
    const blind = this.reconciler.blind()
    this.#told = `${digest} ${statusDigest}`
    const uptimeMs = Math.round(timers.nowMs() - this.#startedMs)
    const heartbeat: Heartbeat = {
      agentUuid: uuid,
      kind,
      version,
      bootId,
      machineId,
      uptimeMs,
      digest,
      statusDigest,
      schemas: Object.fromEntries(modules.map(({ noun, schema }) => [noun, schema])),
      ...(blind.length > 0 ? { blind } : {}),
      ...(ledger.id ? { ledger: ledger.id } : {}),
      at: clock.now(),
    }
    this.#publish(subjects.heartbeat(kind, uuid), heartbeat)
    timers.clear(this.#heartbeat)
    // jitter: the agents of a site must not beat in step after its server came back
    this.#heartbeat = timers.set(() => this.#beat(), HEARTBEAT_MS * (0.9 + 0.2 * random()))
  }

  #pruneLater(): void {
    const { timers, ledger, log, config } = this.#o
    this.#prune = timers.set(() => {
      ledger.receipts.prune(timers.nowMs()).catch((error) => log.error({ err: error }, 'cannot remove old receipts'))
      ledger.prune().catch((error) => log.error({ err: error }, 'cannot remove old tombstones'))
      this.#pruneLater()
    }, config?.pruneMs ?? PRUNE_MS)
  }
}
