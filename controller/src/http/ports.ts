/** What the HTTP door needs of the rest of the controller. Everything that is not pure comes in through here. */
import type { PageFile } from '@skerry/console/page'
import type { Alarm, HistoryEntry, HistoryQuery, Row, Severity, SiteCondition } from '@skerry/contract'
import type { Engine } from '../engine/port.ts'
import type { ImageUploads } from '../uploads/uploads.ts'
import type { ShownWorkflow } from '../workflows/shown.ts'
import type { PastSource } from './moments.ts'
import type { Unflushed } from './unflushed.ts'

export interface Clock {
  /** epoch ms */
  now(): number
}

export interface Log {
  info(facts: Record<string, unknown>, message: string): void
  warn(facts: Record<string, unknown>, message: string): void
  error(facts: Record<string, unknown>, message: string): void
}

/** One fact of the log as it is served: `id` is `<seq>.<n>`, `subject` its NATS subject. */
export interface ServedEvent {
  id: string
  subject: string
  data: Row
}

export interface EventSource {
  /** `only`: these; `live: false`: ends with the newest at the time of asking. Facts after `lastId` (undefined: from now on), without end; stops when `signal` aborts. Throws `history-gone` when `lastId` is older than what is kept. */
  since(
    lastId: string | undefined,
    signal: AbortSignal,
    o?: { only?: (event: ServedEvent) => boolean; live?: boolean },
  ): AsyncIterable<ServedEvent>
}

export interface AuditDifference {
  host: string
  kind: string
  id: string
  expected: string
  observed: string
  remedy: string
}

export interface Auditor {
  /** Compares the graph with what every host holds. Changes nothing. */
  hosts(): Promise<{ differences: AuditDifference[]; checked: number }>
}

/** What is wrong at the site now. */
export interface ConditionSource {
  list(): SiteCondition[]
  /** the site at a glance */
  overview(): object & { conditions: Record<Severity, number> }
  /** what holds now, then each change; stops when `signal` aborts */
  stream(signal: AbortSignal): AsyncIterable<Alarm>
}

export interface Timers {
  /** Calls `run` every `ms` until the returned function is called. */
  every(ms: number, run: () => void): () => void
}

export interface Limits {
  bodyBytes: number
  /** nesting of JSON bodies */
  bodyDepth: number
  /** refused asynchronous calls whose error can still be polled */
  refusedJobs: number
  /** failed logins per account and address within a minute */
  loginFailures: number
  /** longest `wait=` */
  waitMs: number
}

export const defaultLimits: Limits = {
  bodyBytes: 1024 * 1024,
  bodyDepth: 32,
  refusedJobs: 2_000,
  loginFailures: 10,
  waitMs: 10 * 60_000,
}

export interface HttpOptions {
  engine: Engine
  clock: Clock
  log: Log
  /** our own version, for /openapi.json */
  version: string
  /** 32 hex characters, for jobs that were refused */
  newUuid: () => string
  /** Is the graph loaded and the log writable? */
  ready: () => boolean
  limits?: Partial<Limits>
  events?: EventSource
  audit?: Auditor
  /** what the log says of one job or resource, oldest first; `complete`: nothing earlier is missing */
  history?: (asked: HistoryQuery) => Promise<{ entries: HistoryEntry[]; complete: boolean }>
  /** the log, for `at=` and diffs */
  past?: PastSource
  /** The whole state of the controller, as `@skerry/backup` reads it. */
  backup?: () => AsyncIterable<Uint8Array>
  conditions?: ConditionSource
  /** what jobs do, as new ones are run */
  workflows?: () => readonly ShownWorkflow[]
  /** takes the bytes of images; absent: nothing can be uploaded */
  uploads?: Pick<ImageUploads, 'look' | 'append'>
  /** files of the console page; absent: it is not served */
  page?: (name: string) => Promise<PageFile>
  timers?: Timers
  /** Lets other work run between slices of a long query; default: one turn of the event loop. */
  pause?: () => Promise<void>
  /**
   * Posts a refused call's error to its webhook, after the 202 has gone out; `again`: until it is taken. Accepted calls' hooks are
   * the engine's.
   */
  notifyRefused?: (hook: { url: string; jobUuid: string; body: Row; again: boolean }) => void
  /** Told of answers that a webhook must not overtake. */
  unflushed?: Unflushed
  /** further metrics in Prometheus' text form, appended to our own */
  metrics?: () => Promise<string>
}
