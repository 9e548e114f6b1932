/**
 * The bus without a server, for tests and the simulator: the same `BusConnection` over frames passed in this process.
 * Deliveries are deferred and in order; rights, queue groups and breaks behave as nats-server's (the conformance suite).
 */
import {
  BusConnection,
  type ConnectionOptions,
  type Link,
  type LinkEvents,
  type LinkSubscription,
  type RetiringBus,
} from './connection.ts'
import { type Frame, MAX_PAYLOAD_BYTES } from './envelope.ts'
import { covers, SubjectTree } from './subject.ts'

/** Allow-lists of patterns; without a list everything is allowed. */
export interface Rights {
  readonly publish?: readonly string[]
  readonly subscribe?: readonly string[]
  /** May answer each request that it received once, wherever the answer goes (nats-server's `allow_responses`). */
  readonly responses?: boolean
  /** What never reaches it, whatever it subscribes to. */
  readonly unheard?: readonly string[]
  /** Where answers to its own requests go. */
  readonly inboxPrefix?: string
}

export interface MemoryBus extends RetiringBus {
  /** As if the network broke: what is sent meanwhile is lost, requests fail, subscriptions are kept. */
  disconnect(): void
  reconnect(): void
}

export interface MemoryBroker {
  connect(rights?: Rights, options?: ConnectionOptions): MemoryBus
}

export interface MemoryBrokerOptions {
  /** Runs deliveries later, in order. Default: microtasks. */
  defer?: (fn: () => void) => void
}

export function memoryBroker({ defer = queueMicrotask }: MemoryBrokerOptions = {}): MemoryBroker {
  const router = new Router(defer)
  return { connect: (rights = {}, options = {}) => new MemoryConnection(router, rights, options) }
}

class MemoryConnection extends BusConnection implements MemoryBus {
  readonly #link: MemoryLink

  constructor(router: Router, rights: Rights, options: ConnectionOptions) {
    const made: MemoryLink[] = []
    super((events) => {
      const link = new MemoryLink(router, rights, events)
      made.push(link)
      return link
    }, options)
    this.#link = made[0] as MemoryLink
  }

  disconnect(): void {
    this.#link.disconnect()
  }

  reconnect(): void {
    this.#link.reconnect()
  }
}

interface Listener {
  readonly queue: string | undefined
  readonly link: MemoryLink
  take(frame: Frame): void
}

/** Who gets a frame: every plain listener, and one of each queue group in turn. */
class Router {
  readonly listeners = new SubjectTree<Listener>()
  readonly defer: (fn: () => void) => void
  readonly #turns = new Map<string, number>()
  #links = 0

  constructor(defer: (fn: () => void) => void) {
    this.defer = defer
  }

  nextLinkId(): string {
    this.#links += 1
    return `m${this.#links.toString(36)}`
  }

  /** Returns how many get it. */
  route(frame: Frame): number {
    const chosen: Listener[] = []
    const groups = new Map<string, Listener[]>()
    for (const listener of this.listeners.match(frame.subject)) {
      if (!listener.link.isUp()) continue
      if (listener.queue === undefined) chosen.push(listener)
      else groups.set(listener.queue, [...(groups.get(listener.queue) ?? []), listener])
    }
    for (const [queue, members] of groups) {
      const turn = this.#turns.get(queue) ?? 0
      this.#turns.set(queue, turn + 1)
      chosen.push(members[turn % members.length] as Listener)
    }
    for (const listener of chosen) this.#deliver(listener, frame)
    return chosen.length
  }

  #deliver({ link, take }: Listener, frame: Frame): void {
    const session = link.session
    this.defer(() => {
      if (link.session !== session) return // the connection broke in between: lost, as on a socket
      if (frame.reply) link.remember(frame.reply)
      take({ ...frame, headers: { ...frame.headers } })
    })
  }
}

/** Requests whose answer is still allowed, oldest forgotten first; nats-server bounds them by time instead. */
const MAX_REMEMBERED = 10_000

class MemoryLink implements Link {
  readonly inbox: string
  /** Raised at each break; 0 never. */
  session = 1
  #up = true
  #closed = false
  readonly #router: Router
  readonly #rights: Rights
  readonly #events: LinkEvents
  readonly #mayAnswer = new Set<string>()
  readonly #drop = new Set<() => void>()

  constructor(router: Router, rights: Rights, events: LinkEvents) {
    this.#router = router
    this.#rights = rights
    this.#events = events
    this.inbox = `${rights.inboxPrefix ?? '_INBOX'}.${router.nextLinkId()}`
  }

  isUp(): boolean {
    return this.#up
  }

  maxPayloadBytes(): number {
    return MAX_PAYLOAD_BYTES
  }

  publish(frame: Frame): void {
    if (!this.#up) return
    if (!this.#mayPublish(frame.subject)) {
      this.#router.defer(() => this.#events.denied('publish', frame.subject))
      return
    }
    if (this.#router.route(frame) > 0 || !frame.reply) return
    this.#router.route({ subject: frame.reply, bytes: new Uint8Array(), headers: {}, noResponders: true })
  }

  #mayPublish(subject: string): boolean {
    const { publish } = this.#rights
    if (!publish || publish.some((p) => covers(p, subject))) return true
    return this.#mayAnswer.delete(subject)
  }

  remember(reply: string): void {
    if (!this.#rights.responses) return
    this.#mayAnswer.add(reply)
    const [oldest] = this.#mayAnswer
    if (this.#mayAnswer.size > MAX_REMEMBERED && oldest !== undefined) this.#mayAnswer.delete(oldest)
  }

  subscribe(pattern: string, queue: string | undefined, onFrame: (read: () => Frame) => void): LinkSubscription {
    const { subscribe } = this.#rights
    if ((subscribe && !subscribe.some((p) => covers(p, pattern))) || this.#unheard(pattern)) {
      this.#router.defer(() => this.#events.denied('subscription', pattern))
      return { drain: () => this.flush() }
    }
    const take = (frame: Frame): void => {
      if (!this.#unheard(frame.subject)) onFrame(() => frame)
    }
    const listener: Listener = { queue, link: this, take }
    const { listeners } = this.#router
    listeners.add(pattern, listener)
    const drop = (): void => listeners.remove(pattern, listener)
    this.#drop.add(drop)
    return {
      drain: () => {
        drop()
        this.#drop.delete(drop)
        return this.flush()
      },
    }
  }

  #unheard(subject: string): boolean {
    return this.#rights.unheard?.some((p) => covers(p, subject)) ?? false
  }

  flush(): Promise<void> {
    return new Promise((resolve) => this.#router.defer(resolve))
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const drop of this.#drop) drop()
    this.#goDown()
  }

  disconnect(): void {
    if (!this.#up) return
    this.#goDown()
    this.#events.state('disconnected')
  }

  reconnect(): void {
    if (this.#up || this.#closed) return
    this.#up = true
    this.#events.state('connected')
  }

  #goDown(): void {
    this.#up = false
    this.session += 1
    this.#mayAnswer.clear()
  }
}
