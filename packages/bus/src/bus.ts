/**
 * The port through which everything in Skerry talks: requests, servings, facts. `connectNats` and `memoryBroker` implement
 * it with the same semantics (one conformance suite). Payloads are JSON. Nothing here knows a subject of Skerry's.
 */
export interface Msg {
  subject: string
  /** Parsed JSON; an empty payload is `null`. Comes from outside: parse it with a schema before use. */
  data: unknown
  headers: Record<string, string>
}

export interface RequestOptions {
  /** After this many milliseconds the request fails with `agent-timeout`. Travels as `Skerry-Deadline` unless `headers` has one. */
  timeoutMs: number
  headers?: Record<string, string>
  /** Gives up waiting; the request itself may still be carried out. */
  signal?: AbortSignal
}

/** A reply with headers of its own; any other value of a handler is the reply's data alone. */
export class Answer {
  readonly data: unknown
  readonly headers: Record<string, string>
  constructor(data: unknown, headers: Record<string, string>) {
    this.data = data
    this.headers = headers
  }
}

export interface ServeOptions {
  queue?: string
  /** How whatever was thrown is written (what can't be read is, too); default: an `ErrorBody`. `Skerry-Error` is always set. */
  failure?: (thrown: unknown) => Answer
}

/** Numbers of one serving since it began, in the terms of ADR-32. */
export interface ServeStats {
  requests: number
  errors: number
  lastError: string
  processingNs: number
}

export interface Subscription {
  /** Drain: no new messages are taken, those taken are finished (within the bus's drain time-out). */
  stop(): Promise<void>
  /** Only of `serve()`. */
  stats?(): ServeStats
}

export type BusState = 'connected' | 'disconnected'

export interface Bus {
  /**
   * One answer, or a `SkerryError`: `agent-unreachable` at once when nobody serves the subject or this bus is disconnected,
   * `agent-timeout` when nobody answered in time (it may have been carried out), `permission-denied`, `invalid-document`
   * when `data` can't be sent (over 1 MiB, not JSON), or the error that the handler threw.
   */
  request(subject: string, data: unknown, opts: RequestOptions): Promise<Msg>
  /**
   * Answers requests; the handler's value is the reply (`undefined` travels as `null`). A thrown `SkerryError` is thrown
   * again at the requester, anything else reaches it as `internal` and this bus's `onError`. Handlers run concurrently.
   * `subject` may hold wildcards.
   */
  serve(subject: string, handler: (m: Msg) => Promise<unknown>, opts?: ServeOptions): Subscription
  /** At most once: lost while disconnected. Throws only when `data` can't be sent. */
  publish(subject: string, data: unknown, headers?: Record<string, string>): void
  subscribe(subject: string, handler: (m: Msg) => void, opts?: { queue?: string }): Subscription
  /** Also called at once with the present state. Returns what ends it. */
  onState(handler: (s: BusState) => void): () => void
  /** Resolves when the server has taken everything sent and every subscription made before. */
  flush(): Promise<void>
  /** Drains every subscription, then disconnects for good. */
  close(): Promise<void>
}

/** For discovery (`$SRV.PING`): a request that many answer. */
export interface GatheringBus extends Bus {
  /** All answers that came within `timeoutMs`, fewer when `max` is reached first; none when nobody serves the subject. */
  gather(subject: string, data: unknown, opts: { timeoutMs: number; max?: number }): Promise<Msg[]>
}
