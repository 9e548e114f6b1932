/** One console session: bytes between a domain's unix socket and the bus. Neither side can flood the other. */
import { createConnection, type Socket } from 'node:net'
import type { Bus, Subscription } from '@skerry/bus'
import { consoleMessage, SkerryError } from '@skerry/contract'
import type { Timers } from '@skerry/reconcile'

export const CONSOLE_IDLE_MS = 600_000
const CONNECT_TIMEOUT_MS = 5_000
/** As base64 far below the bus's limit of a message. */
const MAX_CHUNK_BYTES = 128 * 1024
/** Keystrokes that the guest doesn't take; more than this is no person. */
const MAX_UNREAD_BYTES = 1024 * 1024

export interface LinePorts {
  bus: Bus
  timers: Timers
  /** Subjects of the session. */
  inSubject: string
  outSubject: string
  idleMs?: number
}

export interface Line {
  /** Says why to the other side and lets go of the domain. Idempotent. */
  end(reason: string): Promise<void>
  onEnd(handler: () => void): void
}

/** Connects to the socket. Throws `vm-illegal-state` when nobody listens there: the domain is off. */
export async function openLine(path: string, ports: LinePorts): Promise<Line> {
  const socket = await connect(path)
  const line = new SocketLine(socket, ports)
  await line.listen()
  return line
}

function connect(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path })
    const fail = (cause: Error) => {
      socket.destroy()
      reject(new SkerryError('vm-illegal-state', 'the console of this VM does not answer; is it running?', { path }, { cause }))
    }
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => fail(new Error(`no connection within ${CONNECT_TIMEOUT_MS} ms`)))
    socket.once('error', fail)
    socket.once('connect', () => {
      socket.removeListener('error', fail)
      socket.setTimeout(0)
      socket.removeAllListeners('timeout')
      socket.pause()
      resolve(socket)
    })
  })
}

class SocketLine implements Line {
  readonly #socket: Socket
  readonly #p: LinePorts
  #subscription: Subscription | undefined
  #idle: unknown
  #ended = false
  #onEnd: () => void = () => undefined

  constructor(socket: Socket, ports: LinePorts) {
    this.#socket = socket
    this.#p = ports
  }

  async listen(): Promise<void> {
    const { bus, inSubject } = this.#p
    this.#subscription = bus.subscribe(inSubject, ({ data }) => this.#fromBus(data))
    await bus.flush() // from now on no keystroke is lost
    this.#socket.on('data', (bytes) => this.#fromDomain(bytes))
    this.#socket.on('error', (error) => void this.end(`the console broke: ${error.message}`))
    this.#socket.on('close', () => void this.end('the VM has ended'))
    this.#touch()
    this.#socket.resume()
  }

  onEnd(handler: () => void): void {
    if (this.#ended) handler()
    else this.#onEnd = handler
  }

  async end(reason: string): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    const { bus, timers, outSubject } = this.#p
    timers.clear(this.#idle)
    this.#socket.destroy()
    bus.publish(outSubject, { end: true, reason })
    this.#onEnd()
    await this.#subscription?.stop()
  }

  #touch(): void {
    const { timers, idleMs = CONSOLE_IDLE_MS } = this.#p
    timers.clear(this.#idle)
    this.#idle = timers.set(() => void this.end('nothing was sent for a long time'), idleMs)
  }

  #fromBus(data: unknown): void {
    if (this.#ended) return
    const message = consoleMessage.safeParse(data)
    if (!message.success) return void this.end('a message was not understood')
    if ('end' in message.data) return void this.end('closed')
    this.#touch()
    this.#socket.write(Buffer.from(message.data.d, 'base64'))
    if (this.#socket.writableLength > MAX_UNREAD_BYTES) void this.end('the VM does not read its console')
  }

  /** The domain is read on only when the server took what was read before. */
  #fromDomain(bytes: Buffer): void {
    this.#touch()
    this.#socket.pause()
    const { bus, outSubject } = this.#p
    for (let at = 0; at < bytes.length; at += MAX_CHUNK_BYTES) {
      bus.publish(outSubject, { d: bytes.subarray(at, at + MAX_CHUNK_BYTES).toString('base64') })
    }
    bus.flush().then(
      () => void this.#socket.resume(),
      () => void this.end('the bus is gone'),
    )
  }
}
