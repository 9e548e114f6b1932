/** One conversation with a charon over vici: a unix socket, packets with their length before them, one request at a time. */
import { connect, type Socket } from 'node:net'
import { SkerryError } from '@skerry/contract'
import { decodeVici, encodeVici, type ViciMessage } from './vici-message.ts'

/** Types of packets, by strongSwan's README.vici. */
const PACKET = { request: 0, response: 1, unknown: 2, register: 3, unregister: 4, confirm: 5, eventUnknown: 6, event: 7 } as const
/** charon refuses larger ones itself. */
const MAX_PACKET = 512 * 1024
const CONNECT_MS = 5_000

export interface Vici {
  /** The answer. One that says `success: no` is `host-command-failed`, with charon's own reason. */
  request(command: string, message?: ViciMessage): Promise<ViciMessage>
  /** A command that answers by events: all of them, in order. */
  stream(command: string, event: string): Promise<ViciMessage[]>
  /** From now on `onEvent` sees these, until the conversation ends. */
  listen(events: readonly string[], onEvent: (name: string, message: ViciMessage) => void): Promise<void>
  /** Resolves when it has ended, whoever ended it. */
  readonly ended: Promise<void>
  close(): void
}

interface Waiting {
  resolve(packet: { type: number; body: Buffer }): void
  reject(error: Error): void
}

export async function openVici(path: string, timeoutMs: number): Promise<Vici> {
  const socket = await connected(path)
  return new Conversation(socket, { path, timeoutMs })
}

function connected(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path })
    const fail = (cause?: Error) => {
      socket.destroy()
      reject(new SkerryError('host-command-failed', 'charon does not answer on its socket', { path }, cause ? { cause } : {}))
    }
    socket.setTimeout(CONNECT_MS, fail)
    socket.once('error', fail)
    socket.once('connect', () => {
      socket.setTimeout(0)
      socket.off('error', fail)
      resolve(socket)
    })
  })
}

class Conversation implements Vici {
  readonly ended: Promise<void>
  readonly #socket: Socket
  readonly #of: { path: string; timeoutMs: number }
  readonly #heard = new Map<string, (message: ViciMessage) => void>()
  #waiting: Waiting | undefined
  #turn: Promise<unknown> = Promise.resolve()
  #rest = Buffer.alloc(0)

  constructor(socket: Socket, of: { path: string; timeoutMs: number }) {
    this.#socket = socket
    this.#of = of
    socket.on('data', (chunk) => this.#take(chunk))
    // `close` follows, and tells whoever waits
    socket.on('error', () => undefined)
    this.ended = new Promise((resolve) =>
      socket.once('close', () => {
        this.#waiting?.reject(this.#failed('charon has ended the conversation'))
        resolve()
      }),
    )
  }

  async request(command: string, message: ViciMessage = {}): Promise<ViciMessage> {
    const { type, body } = await this.#ask(PACKET.request, command, encodeVici(message))
    if (type !== PACKET.response) throw this.#failed(`charon knows no command ${command}`)
    const answer = decodeVici(body)
    if (answer['success'] === 'no')
      throw this.#failed(`charon refused ${command}: ${String(answer['errmsg'] ?? 'no reason given')}`)
    return answer
  }

  async stream(command: string, event: string): Promise<ViciMessage[]> {
    const found: ViciMessage[] = []
    await this.listen([event], (_, message) => found.push(message))
    try {
      await this.request(command)
      return found
    } finally {
      this.#heard.delete(event)
      await this.#ask(PACKET.unregister, event)
    }
  }

  async listen(events: readonly string[], onEvent: (name: string, message: ViciMessage) => void): Promise<void> {
    for (const event of events) {
      this.#heard.set(event, (message) => onEvent(event, message))
      const { type } = await this.#ask(PACKET.register, event)
      if (type !== PACKET.confirm) throw this.#failed(`charon knows no event ${event}`)
    }
  }

  close(): void {
    this.#socket.destroy()
  }

  #failed(message: string): SkerryError {
    return new SkerryError('host-command-failed', message, { socket: this.#of.path })
  }

  /** In turn: answers carry no number. */
  #ask(type: number, name: string, body: Buffer = Buffer.alloc(0)): Promise<{ type: number; body: Buffer }> {
    const next = this.#turn.then(() => this.#send(type, name, body))
    this.#turn = next.catch(() => undefined)
    return next
  }

  #send(type: number, name: string, body: Buffer): Promise<{ type: number; body: Buffer }> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) return reject(this.#failed('charon has ended the conversation'))
      const timer = setTimeout(() => {
        reject(this.#failed(`charon did not answer within ${this.#of.timeoutMs} ms`))
        this.close()
      }, this.#of.timeoutMs)
      const after =
        <T>(act: (of: T) => void) =>
        (of: T) => {
          clearTimeout(timer)
          this.#waiting = undefined
          act(of)
        }
      this.#waiting = { resolve: after(resolve), reject: after(reject) }
      const head = Buffer.alloc(6)
      head.writeUInt32BE(2 + Buffer.byteLength(name) + body.length)
      head.writeUInt8(type, 4)
      head.writeUInt8(Buffer.byteLength(name), 5)
      this.#socket.write(Buffer.concat([head, Buffer.from(name), body]))
    })
  }

  #take(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk])
    while (this.#rest.length >= 4) {
      const length = this.#rest.readUInt32BE()
      if (length < 1 || length > MAX_PACKET) {
        this.close()
        return
      }
      if (this.#rest.length < 4 + length) return
      const packet = this.#rest.subarray(4, 4 + length)
      this.#rest = this.#rest.subarray(4 + length)
      this.#handle(packet)
    }
  }

  #handle(packet: Buffer): void {
    const type = packet.readUInt8()
    if (type !== PACKET.event) {
      this.#waiting?.resolve({ type, body: packet.subarray(1) })
      return
    }
    const length = packet.length > 1 ? packet.readUInt8(1) : 0
    const name = packet.toString('utf8', 2, 2 + length)
    try {
      this.#heard.get(name)?.(decodeVici(packet.subarray(2 + length)))
    } catch {
      // what is no message tells nothing that could be trusted of what follows
      this.close()
    }
  }
}
