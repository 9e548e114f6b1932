/**
 * A bus over a link. All semantics that both twins share are here, once; a link (NATS, memory) only carries frames and says
 * when it is up and what it was refused.
 */
import { SkerryError } from '@skerry/contract'
import type { BusState, GatheringBus, Msg, RequestOptions, ServeOptions, Subscription } from './bus.ts'
import { encode, type Frame } from './envelope.ts'
import { DEADLINE } from './headers.ts'
import { aborted, PendingRequests } from './requests.ts'
import { deliver, Serving } from './serving.ts'
import { checkPattern, checkSubject } from './subject.ts'
import { realTimers, type Timers, within } from './timers.ts'

/** How often a retiring bus looks whether it is done. */
const LOOK_MS = 50

export interface LinkSubscription {
  /** Resolves when no frame will be delivered any more. */
  drain(): Promise<void>
}

export interface Link {
  /** Prefix for answers, own to this link. */
  readonly inbox: string
  maxPayloadBytes(): number
  publish(frame: Frame): void
  /** `onFrame` gets a thunk because reading what came can throw. */
  subscribe(pattern: string, queue: string | undefined, onFrame: (read: () => Frame) => void): LinkSubscription
  flush(): Promise<void>
  close(): Promise<void>
}

/** What a link tells its bus. */
export interface LinkEvents {
  state(state: BusState): void
  denied(operation: 'publish' | 'subscription', subject: string): void
  fault(error: SkerryError): void
}

export interface ConnectionOptions {
  /** Failures that no caller can be told of: defects in handlers, refused publications, lost credentials. Default: a process warning. */
  onError?: (error: SkerryError) => void
  /** How long `stop()` and `close()` wait for running handlers. Default 5000. */
  drainTimeoutMs?: number
  timers?: Timers
}

/** A bus that another takes the place of. */
export interface RetiringBus extends GatheringBus {
  /** Takes nothing new, lets what is under way end (for at most `ms`), then closes. Its answers still go out meanwhile. */
  retire(ms: number): Promise<void>
}

export class BusConnection implements RetiringBus {
  readonly #link: Link
  readonly #onError: (error: SkerryError) => void
  readonly #timers: Timers
  #drainTimeoutMs: number
  readonly #pending: PendingRequests
  readonly #open = new Set<Subscription>()
  readonly #stateHandlers = new Set<(s: BusState) => void>()
  #inbox: LinkSubscription | undefined
  #state: BusState = 'connected'
  #closing: Promise<void> | undefined

  constructor(makeLink: (events: LinkEvents) => Link, options: ConnectionOptions = {}) {
    this.#onError = options.onError ?? ((error) => process.emitWarning(error))
    this.#timers = options.timers ?? realTimers
    this.#drainTimeoutMs = options.drainTimeoutMs ?? 5_000
    this.#pending = new PendingRequests(this.#timers)
    this.#link = makeLink({
      state: (state) => this.#setState(state),
      denied: (operation, subject) => this.#denied(operation, subject),
      fault: (error) => this.#report(error, ''),
    })
  }

  async request(subject: string, data: unknown, opts: RequestOptions): Promise<Msg> {
    const { timeoutMs, signal } = opts
    if (!(timeoutMs > 0)) throw new SkerryError('deadline-exceeded', `no time is left for ${subject}`, { subject, timeoutMs })
    if (signal?.aborted) throw aborted(subject, signal)
    const frame = this.#frame(subject, data, { [DEADLINE]: String(Math.floor(timeoutMs)), ...opts.headers })
    this.#assertConnected(subject)
    const { token, result } = this.#pending.one(subject, opts)
    this.#ask(frame, token)
    return result
  }

  async gather(subject: string, data: unknown, opts: { timeoutMs: number; max?: number }): Promise<Msg[]> {
    const frame = this.#frame(subject, data, {})
    this.#assertConnected(subject)
    const { token, result } = this.#pending.many(subject, opts, (error) => this.#report(error, subject))
    this.#ask(frame, token)
    return result
  }

  serve(subject: string, handler: (m: Msg) => Promise<unknown>, opts: ServeOptions = {}): Subscription {
    const serving = new Serving(handler, {
      publish: (frame) => this.#send(frame),
      report: (error, on) => this.#report(error, on),
      maxPayloadBytes: () => this.#link.maxPayloadBytes(),
      timers: this.#timers,
      ...(opts.failure ? { failure: opts.failure } : {}),
    })
    const stop = this.#listen(subject, opts.queue, (frame) => serving.accept(frame))
    return this.#track({
      stats: () => serving.stats(),
      stop: async () => {
        await stop()
        if (await serving.idle(this.#drainTimeoutMs)) return
        this.#report(new SkerryError('deadline-exceeded', `handlers of ${subject} still run after the drain time-out`), subject)
      },
    })
  }

  subscribe(subject: string, handler: (m: Msg) => void, opts: { queue?: string } = {}): Subscription {
    const report = (error: unknown, on: string): void => this.#report(error, on)
    return this.#track({ stop: this.#listen(subject, opts.queue, (frame) => deliver(handler, frame, report)) })
  }

  publish(subject: string, data: unknown, headers: Record<string, string> = {}): void {
    this.#send(this.#frame(subject, data, headers))
  }

  onState(handler: (s: BusState) => void): () => void {
    this.#stateHandlers.add(handler)
    handler(this.#state)
    return () => void this.#stateHandlers.delete(handler)
  }

  async flush(): Promise<void> {
    this.#assertConnected('')
    await this.#link.flush()
  }

  close(): Promise<void> {
    this.#closing ??= this.#shutDown()
    return this.#closing
  }

  async retire(ms: number): Promise<void> {
    this.#drainTimeoutMs = ms
    const until = this.#timers.nowMs() + ms
    await Promise.all([...this.#open].map((s) => s.stop()))
    while (this.#pending.size > 0 && this.#timers.nowMs() < until)
      await new Promise<void>((resolve) => this.#timers.set(resolve, LOOK_MS))
    await this.close()
  }

  async #shutDown(): Promise<void> {
    await Promise.all([...this.#open].map((s) => s.stop()))
    if (this.#state === 'connected') {
      try {
        await within(this.#timers, this.#link.flush(), this.#drainTimeoutMs)
      } catch (error) {
        this.#report(error, '') // the connection broke while closing: what was queued is lost, and said so
      }
    }
    await this.#link.close()
    this.#pending.failAll((subject) => this.#offline(subject))
    this.#setState('disconnected')
  }

  #frame(subject: string, data: unknown, headers: Record<string, string>): Frame {
    checkSubject(subject)
    return encode(subject, data, headers, this.#link.maxPayloadBytes())
  }

  #ask(frame: Frame, token: string): void {
    try {
      this.#inbox ??= this.#link.subscribe(this.#inboxPattern(), undefined, (read) =>
        this.#guarded(read, (f) => this.#pending.answer(f)),
      )
      this.#link.publish({ ...frame, reply: `${this.#link.inbox}.${token}` })
    } catch (error) {
      this.#pending.fail(token, asSkerryError(error, frame.subject))
    }
  }

  #inboxPattern(): string {
    return `${this.#link.inbox}.*`
  }

  /** Nothing is queued while disconnected: stale status and answers would arrive as if they were new. */
  #send(frame: Frame): void {
    if (this.#state === 'connected') this.#link.publish(frame)
  }

  #listen(pattern: string, queue: string | undefined, take: (frame: Frame) => void): () => Promise<void> {
    checkPattern(pattern)
    if (queue !== undefined) checkSubject(queue)
    if (this.#closing)
      throw new SkerryError('internal', `cannot subscribe to ${pattern}: this bus is closed`, { subject: pattern })
    const sub = this.#link.subscribe(pattern, queue, (read) => this.#guarded(read, take))
    return () => sub.drain()
  }

  #track(parts: Subscription): Subscription {
    let stopping: Promise<void> | undefined
    const subscription: Subscription = {
      ...parts,
      stop: () => {
        stopping ??= parts.stop().finally(() => this.#open.delete(subscription))
        return stopping
      },
    }
    this.#open.add(subscription)
    return subscription
  }

  /** Whatever a frame provokes must not reach the link's reader. */
  #guarded(read: () => Frame, take: (frame: Frame) => void): void {
    try {
      take(read())
    } catch (error) {
      this.#report(error, '')
    }
  }

  #denied(operation: 'publish' | 'subscription', subject: string): void {
    const message = `this user may not ${operation === 'publish' ? 'publish' : 'subscribe'} to ${subject}`
    const error = new SkerryError('permission-denied', message, { operation, subject })
    if (operation === 'subscription' && subject === this.#inboxPattern()) {
      this.#inbox = undefined
      this.#pending.failAll(() => error)
    } else if (operation !== 'publish' || !this.#pending.failSubject(subject, error)) {
      this.#report(error, subject)
    }
  }

  #setState(state: BusState): void {
    if (state === this.#state) return
    this.#state = state
    for (const handler of [...this.#stateHandlers]) {
      try {
        handler(state)
      } catch (error) {
        this.#report(error, '')
      }
    }
  }

  #assertConnected(subject: string): void {
    if (this.#state !== 'connected') throw this.#offline(subject)
  }

  #offline(subject: string): SkerryError {
    const reason = this.#closing ? 'closed' : 'disconnected'
    return new SkerryError('agent-unreachable', `the message bus is ${reason}`, { subject, reason })
  }

  /** In a turn of its own, so that a reporter that throws harms nobody but itself. */
  #report(error: unknown, subject: string): void {
    queueMicrotask(() => this.#onError(asSkerryError(error, subject)))
  }
}

function asSkerryError(error: unknown, subject: string): SkerryError {
  if (error instanceof SkerryError) return error
  return new SkerryError('internal', `handling a message${subject ? ` on ${subject}` : ''} failed`, { subject }, { cause: error })
}
