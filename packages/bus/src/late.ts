/**
 * A link to a server that may not be there yet. Until it is, the link is as a broken one: nothing is sent, requests fail at once.
 * Subscriptions made meanwhile take effect when it is up.
 */
import { SkerryError } from '@skerry/contract'
import type { Link, LinkEvents, LinkSubscription } from './connection.ts'
import { type Frame, MAX_PAYLOAD_BYTES } from './envelope.ts'

export interface LateLinkPorts {
  inbox: string
  events: LinkEvents
  /** Resolves with the link when the server is there; rejects when `signal` is aborted. */
  connect(signal: AbortSignal): Promise<Link>
}

interface Early {
  pattern: string
  queue: string | undefined
  onFrame: (read: () => Frame) => void
  real: LinkSubscription | undefined
}

export class LateLink implements Link {
  readonly inbox: string
  readonly #events: LinkEvents
  readonly #closing = new AbortController()
  readonly #early = new Set<Early>()
  readonly #connected: Promise<void>
  #link: Link | undefined

  constructor({ inbox, events, connect }: LateLinkPorts) {
    this.inbox = inbox
    this.#events = events
    events.state('disconnected')
    this.#connected = connect(this.#closing.signal).then(
      (link) => this.#up(link),
      (cause) => {
        if (!this.#closing.signal.aborted) events.fault(new SkerryError('internal', 'connecting ended for good', {}, { cause }))
      },
    )
  }

  #up(link: Link): Promise<void> | undefined {
    this.#link = link
    if (this.#closing.signal.aborted) return link.close()
    for (const early of this.#early) early.real = link.subscribe(early.pattern, early.queue, early.onFrame)
    this.#events.state('connected')
    return undefined
  }

  maxPayloadBytes(): number {
    return this.#link?.maxPayloadBytes() ?? MAX_PAYLOAD_BYTES
  }

  publish(frame: Frame): void {
    this.#link?.publish(frame)
  }

  subscribe(pattern: string, queue: string | undefined, onFrame: Early['onFrame']): LinkSubscription {
    if (this.#link) return this.#link.subscribe(pattern, queue, onFrame)
    const early: Early = { pattern, queue, onFrame, real: undefined }
    this.#early.add(early)
    return {
      drain: async () => {
        this.#early.delete(early)
        await early.real?.drain()
      },
    }
  }

  async flush(): Promise<void> {
    await this.#link?.flush()
  }

  async close(): Promise<void> {
    const link = this.#link
    this.#closing.abort()
    await this.#connected
    await link?.close()
  }
}
