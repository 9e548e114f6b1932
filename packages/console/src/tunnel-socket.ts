/** A tunnel's near end: a WebSocket that may come after the first bytes. Neither side gets more than it takes. */
import type { RawData, WebSocket } from 'ws'
import type { Channel, ChannelEnd } from './channel.ts'

type Sending = Pick<Channel, 'send' | 'close'>

const bytesOf = (data: RawData): Uint8Array =>
  Array.isArray(data) ? Buffer.concat(data) : data instanceof ArrayBuffer ? new Uint8Array(data) : data

export class TunnelSocket implements ChannelEnd {
  #socket: WebSocket | undefined
  /** What came before the socket was there; the window bounds it. */
  readonly #early: (() => void)[] = []

  onBytes(bytes: Uint8Array, taken: () => void): void {
    const send = () => this.#socket?.send(bytes, { binary: true }, (error) => error || taken())
    if (this.#socket) send()
    else this.#early.push(send)
  }

  onRoom(): void {
    this.#socket?.resume()
  }

  onEnd(reason: string): void {
    const close = () => this.#socket?.close(1000, Buffer.from(reason).subarray(0, 120).toString())
    if (this.#socket) close()
    else this.#early.push(close)
  }

  attach(socket: WebSocket, channel: Sending): void {
    this.#socket = socket
    socket.on('message', (data: RawData) => {
      if (!channel.send(bytesOf(data))) socket.pause()
    })
    socket.on('close', () => channel.close('the client left'))
    // ws emits `close` after `error`; the tunnel ends there
    socket.on('error', () => socket.terminate())
    for (const late of this.#early.splice(0)) late()
  }
}
