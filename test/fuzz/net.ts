/** HTTP/1.1 and NATS by hand over kept connections: cheap, and no library mends what is sent. */
import { connect, type Socket } from 'node:net'
import { gunzipSync, inflateSync } from 'node:zlib'
import type { BytesRequest, NatsRequest, Reply } from './request.ts'

/** What came of a connection so far, joined only when there is need. */
class Inbox {
  bytes: Buffer = Buffer.alloc(0)
  add(part: Buffer): void {
    this.bytes = this.bytes.length === 0 ? part : Buffer.concat([this.bytes, part])
  }
  take(length: number): void {
    this.bytes = this.bytes.subarray(length)
  }
}

const CLOSED: Reply = { status: 0, headers: {}, text: '' }

interface Head {
  status: number
  headers: Record<string, string>
  /** bytes before the body */
  length: number
}

function headOf(bytes: Buffer): Head | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const [first = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n')
  const headers: Record<string, string> = Object.create(null)
  for (const line of lines) {
    const colon = line.indexOf(':')
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
  }
  return { status: Number(first.split(' ')[1]), headers, length: end + 4 }
}

interface Body {
  bytes: Buffer
  /** of which it was made */
  length: number
}

/** A chunked body, undefined while it is not whole. */
function chunked(bytes: Buffer): Body | undefined {
  const parts: Buffer[] = []
  for (let at = 0; ; ) {
    const line = bytes.indexOf('\r\n', at)
    if (line < 0) return undefined
    const size = Number.parseInt(bytes.toString('latin1', at, line), 16)
    const end = line + 2 + size + 2
    if (end > bytes.length) return undefined
    if (size === 0) return { bytes: Buffer.concat(parts), length: end }
    parts.push(bytes.subarray(line + 2, line + 2 + size))
    at = end
  }
}

/** One request at a time over one connection, which is made anew when the server ends it. */
export class HttpConnection {
  #socket: Socket | undefined
  #inbox = new Inbox()
  #waiting: ((reply: Reply) => void) | undefined
  #method = ''
  readonly #to: { host: string; port: number }

  constructor(to: { host: string; port: number }) {
    this.#to = to
  }

  /** The answer; status 0 where the connection ended without one. */
  send(method: string, bytes: Buffer): Promise<Reply> {
    this.#method = method
    return new Promise((resolve) => {
      this.#waiting = resolve
      this.#open().write(bytes)
    })
  }

  close(): void {
    this.#socket?.destroy()
    this.#socket = undefined
  }

  #open(): Socket {
    if (this.#socket) return this.#socket
    const socket = connect(this.#to.port, this.#to.host)
    socket.setNoDelay(true)
    this.#inbox = new Inbox()
    socket.on('data', (part) => {
      this.#inbox.add(part)
      this.#read(false)
    })
    // Told by `close`, which follows.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      if (this.#socket !== socket) return
      this.#socket = undefined
      this.#read(true)
      this.#answer(CLOSED)
    })
    return (this.#socket = socket)
  }

  #answer(reply: Reply): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.(reply)
  }

  #read(ended: boolean): void {
    const head = this.#waiting && headOf(this.#inbox.bytes)
    if (!head) return
    const { status, headers } = head
    if (status < 200) {
      this.#inbox.take(head.length)
      this.#read(ended)
      return
    }
    const rest = this.#inbox.bytes.subarray(head.length)
    const body = bodyIn(rest, head, { ended, bare: this.#method === 'HEAD' || status === 204 || status === 304 })
    if (!body) return
    this.#inbox.take(head.length + body.length)
    // What is closed or behind its answer is of no more use.
    if (headers['connection'] === 'close') this.close()
    this.#answer({ status, headers, text: textOf(body.bytes, headers['content-encoding']) })
  }
}

function textOf(bytes: Buffer, encoding: string | undefined): string {
  if (bytes.length === 0 || encoding === undefined) return bytes.toString()
  return (encoding === 'gzip' ? gunzipSync(bytes) : inflateSync(bytes)).toString()
}

function bodyIn(rest: Buffer, { headers }: Head, o: { ended: boolean; bare: boolean }): Body | undefined {
  if (o.bare) return { bytes: Buffer.alloc(0), length: 0 }
  if (headers['transfer-encoding'] === 'chunked') return chunked(rest)
  if (headers['content-length'] === undefined)
    return o.ended || headers['connection'] === 'close' ? { bytes: rest, length: rest.length } : undefined
  const length = Number(headers['content-length'])
  return rest.length < length ? undefined : { bytes: rest.subarray(0, length), length }
}

type Bytes = Pick<BytesRequest, 'bytes' | 'until'>

/** Sends bytes and says no more; what is answered until there is enough of it, the server ends the connection, or `quietMs` pass without a word. */
export function sendBytes(to: { host: string; port: number }, { bytes, until }: Bytes, quietMs: number): Promise<string> {
  return new Promise((resolve) => {
    const parts: Buffer[] = []
    const finish = () => socket.destroy()
    const socket = connect(to.port, to.host, () => socket.write(bytes, () => until === 'sent' && finish()))
    socket.setTimeout(quietMs, finish)
    socket.on('data', (part) => {
      parts.push(part)
      if (until === 'head' && Buffer.concat(parts).includes('\r\n\r\n')) finish()
      else socket.setTimeout(quietMs, finish)
    })
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(Buffer.concat(parts).toString('latin1')))
  })
}

const INBOX = '_INBOX.fuzz'

/** A client of nats-server without rights of its own. */
export class NatsConnection {
  #next = 0
  #inbox = new Inbox()
  #socket: Socket | undefined
  readonly #waiting = new Map<string, (reply: Reply) => void>()
  readonly #to: { host: string; port: number }

  constructor(to: { host: string; port: number }) {
    this.#to = to
  }

  /** The answer; status 503 without headers where nobody serves the subject, 0 where the server ended the connection. */
  send({ subject, headers, payload }: NatsRequest): Promise<Reply> {
    const inbox = `${INBOX}.${this.#next++}`
    const head = Buffer.from(`NATS/1.0\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`)
    const line = Buffer.from(`HPUB ${subject} ${inbox} ${head.length} ${head.length + payload.length}\r\n`)
    return new Promise((resolve) => {
      this.#waiting.set(inbox, resolve)
      this.#open().write(Buffer.concat([line, head, payload, Buffer.from('\r\n')]))
    })
  }

  #open(): Socket {
    if (this.#socket) return this.#socket
    const socket = connect(this.#to.port, this.#to.host)
    socket.setNoDelay(true)
    this.#inbox = new Inbox()
    socket.on('data', (part) => {
      this.#inbox.add(part)
      while (this.#read());
    })
    // Told by `close`, which follows.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#socket = undefined
      for (const answer of this.#waiting.values()) answer(CLOSED)
      this.#waiting.clear()
    })
    const hello = { verbose: false, pedantic: false, headers: true, no_responders: true, lang: 'fuzz', version: '1' }
    socket.write(`CONNECT ${JSON.stringify(hello)}\r\nSUB ${INBOX}.* 1\r\n`)
    return (this.#socket = socket)
  }

  close(): void {
    this.#socket?.destroy()
  }

  /** One protocol line, with its payload; false when none is whole. */
  #read(): boolean {
    const { bytes } = this.#inbox
    const end = bytes.indexOf('\r\n')
    if (end < 0) return false
    const [verb, ...words] = bytes.toString('latin1', 0, end).split(' ')
    if (verb !== 'MSG' && verb !== 'HMSG') {
      this.#inbox.take(end + 2)
      if (verb === 'PING') this.#socket?.write('PONG\r\n')
      return true
    }
    const total = Number(words.at(-1))
    const headLength = verb === 'HMSG' ? Number(words.at(-2)) : 0
    if (bytes.length < end + 2 + total + 2) return false
    const message = bytes.subarray(end + 2, end + 2 + total)
    this.#inbox.take(end + 2 + total + 2)
    const reply = replyOf(message, headLength)
    const waiting = this.#waiting.get(words[0]!)
    this.#waiting.delete(words[0]!)
    waiting?.(reply)
    return true
  }
}

function replyOf(message: Buffer, headLength: number): Reply {
  const [first = '', ...lines] = message.toString('utf8', 0, headLength).split('\r\n')
  const headers = Object.fromEntries(
    lines.flatMap((line) =>
      line === '' ? [] : [[line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]],
    ),
  )
  const status = Number(headers['skerry-status'] ?? first.split(' ')[1] ?? 0)
  return { status, headers, text: message.toString('utf8', headLength) }
}
