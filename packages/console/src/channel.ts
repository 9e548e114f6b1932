/**
 * A byte stream over the bus, the same at both ends: numbered messages, a window that the receiver opens, and signs of life. The bus
 * may lose messages and has no back-pressure: a stream with a gap ends instead of going on, and nobody sends more than is taken.
 */
import type { Bus, Subscription, Timers } from '@skerry/bus'
import { channelMessage } from '@skerry/contract'
import type { z } from 'zod'

/** Sent before anybody has taken them. */
export const WINDOW_BYTES = 512 * 1024
/** As base64 far below the bus's limit of a message. */
const MAX_CHUNK_BYTES = 64 * 1024
const ALIVE_MS = 15_000
/** Of an end that died without a word. */
export const SILENT_MS = 60_000

export interface ChannelPorts {
  bus: Bus
  timers: Timers
  hear: string
  say: string
}

export interface ChannelEnd {
  /** Bytes from the other side; `taken` is called when there is room for more. */
  onBytes(bytes: Uint8Array, taken: () => void): void
  /** The window is open again: more may be sent. */
  onRoom(): void
  /** Once, with the reason in words. */
  onEnd(reason: string): void
}

export class Channel {
  readonly #p: ChannelPorts
  readonly #end: ChannelEnd
  readonly #heard: Subscription
  #sent = { messages: 0, bytes: 0, acknowledged: 0 }
  #got = { messages: 0, taken: 0 }
  #alive: unknown
  #silent: unknown
  #ended = false

  constructor(ports: ChannelPorts, end: ChannelEnd) {
    this.#p = ports
    this.#end = end
    this.#heard = ports.bus.subscribe(ports.hear, ({ data }) => this.#hear(data))
    this.#listen()
    this.#live()
  }

  /** Resolves when nothing that the other side says can be missed any more. */
  ready(): Promise<void> {
    return this.#p.bus.flush()
  }

  /** False: the window is full, wait for `onRoom`; these bytes go out all the same. */
  send(bytes: Uint8Array): boolean {
    for (let at = 0; at < bytes.length && !this.#ended; at += MAX_CHUNK_BYTES) {
      const chunk = Buffer.from(bytes.subarray(at, at + MAX_CHUNK_BYTES))
      this.#publish({ n: this.#sent.messages, d: chunk.toString('base64') })
      this.#sent.messages += 1
      this.#sent.bytes += chunk.length
    }
    return this.#hasRoom()
  }

  /** Tells the other side why. Idempotent. */
  close(reason: string): void {
    if (this.#ended) return
    this.#publish({ end: true, reason: reason.slice(0, 500) })
    this.#stop(reason)
  }

  #hasRoom(): boolean {
    return this.#sent.bytes - this.#sent.acknowledged < WINDOW_BYTES
  }

  #publish(message: z.infer<typeof channelMessage>): void {
    if (!this.#ended) this.#p.bus.publish(this.#p.say, message)
  }

  #stop(reason: string): void {
    if (this.#ended) return
    this.#ended = true
    this.#p.timers.clear(this.#alive)
    this.#p.timers.clear(this.#silent)
    void this.#heard.stop()
    this.#end.onEnd(reason)
  }

  #listen(): void {
    const { timers } = this.#p
    timers.clear(this.#silent)
    this.#silent = timers.set(() => this.close('the other side has not been heard of for a minute'), SILENT_MS)
  }

  #live(): void {
    this.#alive = this.#p.timers.set(() => {
      this.#publish({ ack: this.#got.taken })
      this.#live()
    }, ALIVE_MS)
  }

  #hear(data: unknown): void {
    if (this.#ended) return
    const message = channelMessage.safeParse(data)
    this.#listen()
    if (!message.success) this.close('a message was not understood')
    else if ('end' in message.data) this.#stop(message.data.reason ?? 'the other side has closed it')
    else if ('ack' in message.data) this.#acknowledge(message.data.ack)
    else this.#take(message.data)
  }

  #take({ n, d }: { n: number; d: string }): void {
    if (n !== this.#got.messages) {
      this.close('a message was lost on the way')
      return
    }
    this.#got.messages += 1
    const bytes = Buffer.from(d, 'base64')
    this.#end.onBytes(bytes, () => {
      this.#got.taken += bytes.length
      this.#publish({ ack: this.#got.taken })
    })
  }

  #acknowledge(bytes: number): void {
    const before = this.#hasRoom()
    this.#sent.acknowledged = Math.max(this.#sent.acknowledged, Math.min(bytes, this.#sent.bytes))
    if (!before && this.#hasRoom()) this.#end.onRoom()
  }
}
