/** One request of a run: what is sent, and how a person sends it again. */
import type { Row } from '@skerry/contract'

/** By whom it is taken, and in which form it must be answered. */
export type Dialect = 'zstack' | 'own' | 'fixed'

interface Numbered {
  /** of the run */
  number: number
  /** what it was made of, for people */
  about: string
}

export interface HttpRequest extends Numbered {
  kind: 'http'
  dialect: Dialect
  method: string
  /** as sent, prefix and query included */
  path: string
  headers: [name: string, value: string][]
  body?: Buffer
}

/** Bytes that need be no HTTP, over a connection of their own. */
export interface BytesRequest extends Numbered {
  kind: 'bytes'
  bytes: Buffer
}

export interface NatsRequest extends Numbered {
  kind: 'nats'
  subject: string
  headers: [name: string, value: string][]
  payload: Buffer
}

export type FuzzRequest = HttpRequest | BytesRequest | NatsRequest

export interface Reply {
  /** 0: the connection was closed without an answer */
  status: number
  headers: Record<string, string>
  text: string
}

const shell = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`
/** Of bytes that no argument can hold, as octal escapes. */
const printf = (bytes: Buffer) =>
  `printf '${[...bytes].map((b) => (b > 0x20 && b < 0x7f && !`'\\%`.includes(String.fromCharCode(b)) ? String.fromCharCode(b) : `\\${b.toString(8).padStart(3, '0')}`)).join('')}'`
const plain = (text: string) => /^[\x20-\x7e]*$/.test(text)
/** Longer bodies are only told by their length: the seed makes them again. */
const MAX_SHOWN = 4_096

/** The whole request as bytes. */
export function bytesOf(request: HttpRequest, host: string): Buffer {
  const { method, path, headers, body } = request
  const length = body === undefined ? [] : [`Content-Length: ${body.length}`]
  const lines = [`${method} ${path} HTTP/1.1`, `Host: ${host}`, ...headers.map(([name, value]) => `${name}: ${value}`), ...length]
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  return body === undefined ? head : Buffer.concat([head, body])
}

/** A line for a shell. */
export function asCommand(request: FuzzRequest, to: { url: string; nats: string }): string {
  const host = new URL(to.url)
  if (request.kind === 'nats')
    return `${request.subject} ${JSON.stringify(Object.fromEntries(request.headers))} ${cut(request.payload)}`
  if (request.kind === 'bytes') return `${printf(request.bytes.subarray(0, MAX_SHOWN))} | nc ${host.hostname} ${host.port}`
  const { method, path, headers, body } = request
  const texts = [path, ...headers.flat()]
  if (!texts.every(plain) || (body && !plain(body.toString('latin1'))))
    return `${printf(bytesOf(request, host.host).subarray(0, MAX_SHOWN))} | nc ${host.hostname} ${host.port}`
  const data = body === undefined ? [] : ['--data-binary', shell(cut(body))]
  const head = headers.map(([name, value]) => `-H ${shell(`${name}: ${value}`)}`)
  return ['curl -sig --path-as-is', `-X ${method}`, shell(to.url + path), ...head, ...data].join(' ')
}

const cut = (bytes: Buffer) =>
  bytes.length <= MAX_SHOWN ? bytes.toString() : `${bytes.toString('utf8', 0, 200)}… (${bytes.length} bytes)`

/** The reply's text as JSON; undefined where it is none. */
export function jsonOf({ text }: Reply): Row | undefined {
  try {
    return JSON.parse(text) as Row
  } catch {
    // the judge tells
    return undefined
  }
}
