/** The conditions of a running controller: what they are made from, what wakes them, and who is told. Wiring only. */
import type { Bus, BusState } from '@skerry/bus'
import { type Alarm, CONDITIONS_MS, SECRETS_LOOK_MS, type SiteCondition, SkerryError, toErrorBody } from '@skerry/contract'
import type { AgentBook } from '../agents/book.ts'
import type { Secrets, Store } from '../store/index.ts'
import { alarmsFrom, publishAlarms } from './alarms.ts'
import { Board } from './board.ts'
import { siteMetrics } from './metrics.ts'
import { countsByCode, type Overview, overviewOf } from './overview.ts'
import { lostSecrets } from './secrets.ts'
import type { BackgroundFailure, Certificate, LostSecret, SiteFacts } from './site.ts'

export interface ConditionsPorts {
  store: Store
  bus: Bus
  book: AgentBook
  secrets: Secrets
  nodeUuid: string
  certificates: readonly Certificate[]
  now(): number
  monotonic(): number
  every(ms: number, run: () => void): () => void
  /** Lets other work have its turn; default: `setImmediate`. */
  later?(fn: () => void): void
  /** For the log only: it must not come back as a condition. */
  report(error: unknown, facts: Record<string, unknown>): void
}

export interface Conditions {
  readonly board: Board
  overview(): Overview
  list(): SiteCondition[]
  metrics(): Promise<string>
  stream(signal: AbortSignal): AsyncIterable<Alarm>
  /** Something failed that no caller waits for. */
  failed(error: unknown, facts: Record<string, unknown>): void
  /** The wall clock was moved by so much. */
  clockJumped(byMs: number): void
  /** An agent refused a document, or (without an error) took it. */
  answered(key: string, error?: unknown): void
  stop(): void
}

/** Has a condition of its own. */
const EXPECTED = new Set(['agent-unreachable', 'agent-timeout', 'disk-full', 'store-stopped', 'log-corrupt'])

/** What one process has to remember, because nothing else does. */
class Facts {
  readonly #p: ConditionsPorts
  readonly #beganMs: number
  bus: BusState = 'disconnected'
  secrets: LostSecret[] = []
  background: BackgroundFailure | undefined
  jump: { byMs: number; atMs: number } | undefined

  constructor(ports: ConditionsPorts) {
    this.#p = ports
    this.#beganMs = ports.monotonic()
  }

  site(): SiteFacts {
    const { store, now, monotonic, certificates } = this.#p
    return {
      ...{ store: store.status(), recovery: store.recovery, bus: this.bus, now: now(), upMs: monotonic() - this.#beganMs },
      ...{ certificates, lostSecrets: this.secrets, background: this.background },
      clockJump: this.jump && { byMs: this.jump.byMs, agoMs: monotonic() - this.jump.atMs },
    }
  }

  failed(thrown: unknown, { doing, ...facts }: Record<string, unknown>): void {
    if (thrown instanceof SkerryError && EXPECTED.has(thrown.code)) return
    const error = thrown instanceof Error ? thrown : new Error(String(thrown))
    const where = Object.entries(facts).map(([name, value]) => `${name} ${String(value)}`)
    const text = [String(doing ?? 'working in the background'), ...where].join(', ')
    this.background = { count: (this.background?.count ?? 0) + 1, at: this.#p.now(), error, doing: text }
  }
}

export function startConditions(p: ConditionsPorts): Conditions {
  const { store, bus, book, report, now, monotonic, every } = p
  const { graph } = store
  const facts = new Facts(p)
  const site = () => facts.site()
  const later = p.later ?? ((fn: () => void) => void setImmediate(fn))
  const board = new Board({ graph, book, site, now, monotonic, later, report })
  const lookAtSecrets = () => {
    lostSecrets(graph, p.secrets).then(
      (lost) => (facts.secrets = lost),
      (error) => report(error, { doing: 'opening the stored secrets' }),
    )
  }
  const overview = () => overviewOf({ graph, board, nodeUuid: p.nodeUuid, site })
  const offs = [
    bus.onState((state) => (facts.bus = state)),
    publishAlarms(board, bus),
    store.onCommit((commit) => board.committed(commit)),
    book.onStatus((agentUuid, status) => board.reported(agentUuid, status.noun, status.uuid)),
    every(CONDITIONS_MS, () => board.tick()),
    every(SECRETS_LOOK_MS, lookAtSecrets),
  ]
  lookAtSecrets()
  board.tick()
  return {
    ...{ board, overview, list: () => [...board.all()], metrics: siteMetrics(overview, () => countsByCode(board)) },
    stream: (signal) => alarmsFrom(board, signal, now),
    failed: (error, about) => facts.failed(error, about),
    clockJumped: (byMs) => void (facts.jump = { byMs, atMs: monotonic() }),
    answered: (key, error) => board.answered(key, error === undefined ? undefined : toErrorBody(error)),
    stop: () => {
      for (const off of offs) off()
    },
  }
}
