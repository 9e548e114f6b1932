/** What the HTTP door needs of the rest of the controller. Everything that is not pure comes in through here. */
import type { Row } from '@skerry/contract'
import type { Engine } from '../engine/port.ts'

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
  /** Facts after `lastId` (undefined: from now on), without end; stops when `signal` aborts. Throws `not-found` when `lastId` is older than what is kept. */
  since(lastId: string | undefined, signal: AbortSignal): AsyncIterable<ServedEvent>
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

/** One open console, bytes both ways. */
export interface ConsoleStream {
  write(bytes: Uint8Array): void
  onData(listener: (bytes: Uint8Array) => void): void
  onClose(listener: (reason: string) => void): void
  close(): void
}

export interface Consoles {
  /** Trades a one-time token for a console. Throws `session-invalid` when the token is unknown, used or expired. */
  open(token: string): Promise<ConsoleStream>
}

export interface Timers {
  /** Calls `run` every `ms` until the returned function is called. */
  every(ms: number, run: () => void): () => void
}

export interface Limits {
  bodyBytes: number
  /** nesting of JSON bodies */
  bodyDepth: number
  /** time an asynchronous call may take when the client names none */
  apiTimeoutMs: number
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
  apiTimeoutMs: 30 * 60_000,
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
  timers?: Timers
  /** Lets other work run between slices of a long query; default: one turn of the event loop. */
  pause?: () => Promise<void>
  /** Posts a refused call's error to its webhook, after the 202 has gone out. Accepted calls' hooks are the engine's. */
  notifyRefused?: (hook: { url: string; jobUuid: string; body: Row }) => void
  /** further metrics in Prometheus' text form, appended to our own */
  metrics?: () => Promise<string>
}
