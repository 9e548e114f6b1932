/** A keep-alive HTTP/1.1 connection with as little of its own as can be: the generator must not be what is measured. */
import { connect, type Socket } from 'node:net'

const BLANK_LINE = Buffer.from('\r\n\r\n')

export interface Answer {
  status: number
  body: Buffer
}

export class Connection {
  readonly #socket: Socket
  #parts: Buffer[] = []
  #have = 0
  /** bytes of head and body together, once the head is known */
  #need = 0
  #head = 0
  #status = 0
  #waiting: { resolve(answer: Answer): void; reject(error: Error): void } | undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk) => this.#take(chunk))
    socket.on('error', (error) => this.#waiting?.reject(error))
    socket.on('close', () => this.#waiting?.reject(new Error('the server closed the connection')))
  }

  static open(port: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(new Connection(socket)))
      socket.once('error', reject)
    })
  }

  send(request: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
      this.#socket.write(request, 'latin1')
    })
  }

  close(): void {
    this.#waiting = undefined
    this.#socket.destroy()
  }

  #take(chunk: Buffer): void {
    this.#parts.push(chunk)
    this.#have += chunk.length
    if (this.#need === 0 && !this.#readHead()) return
    if (this.#have < this.#need) return
    const bytes = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts)
    const waiting = this.#waiting
    const answer = { status: this.#status, body: bytes.subarray(this.#head, this.#need) }
    this.#parts = []
    this.#have = this.#need = 0
    this.#waiting = undefined
    waiting?.resolve(answer)
  }

  #readHead(): boolean {
    const bytes = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts)
    this.#parts = [bytes]
    const end = bytes.indexOf(BLANK_LINE)
    if (end < 0) return false
    const head = bytes.toString('latin1', 0, end)
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
    if (length === undefined) {
      this.#waiting?.reject(new Error(`an answer without content-length: ${head.slice(0, 200)}`))
      return false
    }
    this.#status = Number(head.slice(9, 12))
    this.#head = end + BLANK_LINE.length
    this.#need = this.#head + Number(length)
    return true
  }
}
