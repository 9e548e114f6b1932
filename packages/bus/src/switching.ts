/**
 * A bus whose connection can be replaced by another (with other credentials) while it is in use. The new one listens before the
 * old one stops; the old one ends when its handlers and requests have. An answer can only go out on the connection that its
 * request came in on, which is why breaking off and connecting again would lose work.
 */
import type { BusState, GatheringBus, Msg, RequestOptions, ServeOptions, ServeStats, Subscription } from './bus.ts'
import type { RetiringBus } from './connection.ts'

interface Listener {
  make(bus: GatheringBus): Subscription
  now: Subscription
  /** Numbers of the connections before. */
  before: ServeStats
}

const NO_STATS: ServeStats = { requests: 0, errors: 0, lastError: '', processingNs: 0 }

export class SwitchingBus implements GatheringBus {
  #now: RetiringBus
  readonly #listeners = new Set<Listener>()
  readonly #stateHandlers = new Set<(s: BusState) => void>()
  #state: BusState = 'disconnected'
  #offState: () => void
  #retiring = 0
  #closed = false

  constructor(first: RetiringBus) {
    this.#now = first
    this.#offState = first.onState((state) => this.#setState(state))
  }

  /** Whether connections that were replaced still have work under way. */
  get retiring(): boolean {
    return this.#retiring > 0
  }

  /**
   * Resolves when `next` has taken over; rejects, with everything as it was, when it can't. `retired` resolves when the old
   * connection has ended, which takes as long as its handlers and requests do, but at most `retireMs`.
   */
  async switchTo(next: RetiringBus, retireMs: number): Promise<{ retired: Promise<void> }> {
    const made = [...this.#listeners].map((listener) => ({ listener, now: listener.make(next) }))
    try {
      await next.flush()
      // What was said before is with the server before anything is said on the other connection.
      if (this.#state === 'connected') await this.#now.flush()
    } catch (error) {
      await next.close()
      throw error
    }
    const old = this.#now
    this.#offState()
    this.#now = next
    for (const { listener, now } of made) this.#moved(listener, now)
    // made while the flushes were waited for
    for (const listener of this.#listeners)
      if (!made.some((m) => m.listener === listener)) this.#moved(listener, listener.make(next))
    this.#offState = next.onState((state) => this.#setState(state))
    this.#retiring += 1
    const retired = old.retire(retireMs).finally(() => {
      this.#retiring -= 1
    })
    if (this.#closed) await next.close()
    return { retired }
  }

  #moved(listener: Listener, now: Subscription): void {
    const { before } = listener
    const then = listener.now.stats?.() ?? NO_STATS
    listener.before = {
      requests: before.requests + then.requests,
      errors: before.errors + then.errors,
      lastError: then.lastError || before.lastError,
      processingNs: before.processingNs + then.processingNs,
    }
    listener.now = now
    if (!this.#listeners.has(listener)) void now.stop() // stopped meanwhile
  }

  request(subject: string, data: unknown, opts: RequestOptions): Promise<Msg> {
    return this.#now.request(subject, data, opts)
  }

  gather(subject: string, data: unknown, opts: { timeoutMs: number; max?: number }): Promise<Msg[]> {
    return this.#now.gather(subject, data, opts)
  }

  publish(subject: string, data: unknown, headers?: Record<string, string>): void {
    this.#now.publish(subject, data, headers)
  }

  serve(subject: string, handler: (m: Msg) => Promise<unknown>, opts: ServeOptions = {}): Subscription {
    const listener = this.#listen((bus) => bus.serve(subject, handler, opts))
    return {
      stop: () => this.#stop(listener),
      stats: () => {
        const now = listener.now.stats?.() ?? NO_STATS
        const { before } = listener
        return {
          requests: before.requests + now.requests,
          errors: before.errors + now.errors,
          lastError: now.lastError || before.lastError,
          processingNs: before.processingNs + now.processingNs,
        }
      },
    }
  }

  subscribe(subject: string, handler: (m: Msg) => void, opts: { queue?: string } = {}): Subscription {
    const listener = this.#listen((bus) => bus.subscribe(subject, handler, opts))
    return { stop: () => this.#stop(listener) }
  }

  #listen(make: (bus: GatheringBus) => Subscription): Listener {
    const listener = { make, now: make(this.#now), before: NO_STATS }
    this.#listeners.add(listener)
    return listener
  }

  #stop(listener: Listener): Promise<void> {
    this.#listeners.delete(listener)
    return listener.now.stop()
  }

  onState(handler: (s: BusState) => void): () => void {
    this.#stateHandlers.add(handler)
    handler(this.#state)
    return () => void this.#stateHandlers.delete(handler)
  }

  flush(): Promise<void> {
    return this.#now.flush()
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#now.close()
  }

  #setState(state: BusState): void {
    if (state === this.#state) return
    this.#state = state
    for (const handler of [...this.#stateHandlers]) handler(state)
  }
}
