/** One request of a run: what is sent, and how a person sends it again. */
import { createHmac } from 'node:crypto'
import { PREFIX, type Row } from '@skerry/contract'
import { javaDate, type Key } from '../harness/signed.ts'

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
  /** with an access key, at the moment at which it is sent */
  sign?: { key: Key; zone: string; minutesOff: number }
}

/** Bytes that need be no HTTP, over a connection of their own. */
export interface BytesRequest extends Numbered {
  kind: 'bytes'
  bytes: Buffer
  /** the connection is closed when the head of an answer is there, or at once; otherwise when nothing more comes */
  until?: 'head' | 'sent'
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

const MINUTE = 60_000

/** With the headers of its signature, if it has one (zstack-wire). */
export function headersAt({ method, path, headers, sign }: HttpRequest, nowMs: number): HttpRequest['headers'] {
  if (!sign) return headers
  const date = javaDate(new Date(nowMs + sign.minutesOff * MINUTE), sign.zone)
  const signedPath = (path.startsWith(PREFIX.zstack) ? path.replace(/^\/zstack/, '') : path).replace(/\?.*$/, '')
  const signature = createHmac('sha1', sign.key.AccessKeySecret).update(`${method}\n${date}\n${signedPath}`).digest('base64')
  return [...headers, ['Date', date], ['Authorization', `ZStack ${sign.key.AccessKeyID}:${signature}`]]
}

/** The whole request as bytes, as it is sent now. */
export function bytesOf(request: HttpRequest, host: string): Buffer {
  const { method, path, body } = request
  const headers = headersAt(request, Date.now())
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
  const { method, path, body } = request
  const headers = headersAt(request, Date.now())
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
