/** What a message is on the wire: JSON payloads, text headers, errors as `ErrorBody`. The same for NATS and the memory twin. */
import { type ErrorBody, type ErrorCode, errors, fromErrorBody, SkerryError, toErrorBody } from '@skerry/contract'
import type { Answer, Msg } from './bus.ts'
import { ERROR } from './headers.ts'

/** nats-server's `max_payload`; headers count. */
export const MAX_PAYLOAD_BYTES = 1_048_576
/** An error body deeper than this is cut: it comes from outside and is walked recursively. */
const MAX_CAUSES = 16
const MAX_ERROR_TEXT = 4096

/** A message as the links carry it. */
export interface Frame {
  subject: string
  reply?: string
  bytes: Uint8Array
  headers: Record<string, string>
  /** The server's own answer: nobody serves the subject. */
  noResponders?: boolean
}

const toBytes = new TextEncoder()
const fromBytes = new TextDecoder('utf-8', { fatal: true })
const HEADER_NAME = /^[\x21-\x39\x3b-\x7e]+$/
const HEADER_VALUE = /^[^\p{Cc}]*$/u

/** A frame, or `invalid-document` with the size when it is not JSON or larger than `limitBytes`, `invalid-argument` for a bad header. */
export function encode(subject: string, data: unknown, headers: Record<string, string>, limitBytes: number): Frame {
  const bytes = toBytes.encode(toJson(subject, data))
  const clean = checkHeaders(subject, headers)
  const sizeBytes = bytes.length + headerBytes(clean)
  if (sizeBytes > limitBytes) {
    throw new SkerryError('invalid-document', `a message of ${sizeBytes} bytes is too large to send`, {
      subject,
      sizeBytes,
      limitBytes,
    })
  }
  return { subject, bytes, headers: clean }
}

function toJson(subject: string, data: unknown): string {
  try {
    return JSON.stringify(data) ?? 'null'
  } catch (cause) {
    throw new SkerryError('invalid-document', 'a message cannot be written as JSON', { subject }, { cause })
  }
}

function checkHeaders(subject: string, headers: Record<string, string>): Record<string, string> {
  const clean: [string, string][] = []
  for (const [name, value] of Object.entries(headers)) {
    if (!HEADER_NAME.test(name) || !HEADER_VALUE.test(value)) {
      throw new SkerryError('invalid-argument', 'a header name or value cannot be sent', { subject, header: name })
    }
    clean.push([name, value.trim()])
  }
  return Object.fromEntries(clean)
}

/** Size of the header block in the NATS protocol: `NATS/1.0`, a line each, an empty line; 0 without headers. */
function headerBytes(headers: Record<string, string>): number {
  const lines = Object.entries(headers)
  if (lines.length === 0) return 0
  return lines.reduce((sum, [name, value]) => sum + name.length + 4 + Buffer.byteLength(value), 12)
}

/** The message, or `malformed-request` when its payload isn't JSON. */
export function decode(frame: Frame): Msg {
  return { subject: frame.subject, headers: frame.headers, data: parse(frame) }
}

function parse(frame: Frame): unknown {
  if (frame.bytes.length === 0) return null
  try {
    return JSON.parse(fromBytes.decode(frame.bytes))
  } catch (cause) {
    const details = { subject: frame.subject, sizeBytes: frame.bytes.length }
    throw new SkerryError('malformed-request', 'a message is not JSON', details, { cause })
  }
}

/** The reply that carries a thrown value; cut to code and message when it would be larger than `limitBytes`. */
export function encodeError(thrown: unknown, limitBytes: number): Frame {
  const body = toErrorBody(thrown)
  const headers = { [ERROR]: body.code }
  try {
    return encode('', body, headers, limitBytes)
  } catch (tooLarge) {
    if (!(tooLarge instanceof SkerryError)) throw tooLarge
    const short: ErrorBody = { code: body.code, message: body.message.slice(0, MAX_ERROR_TEXT), retry: body.retry }
    return encode('', short, headers, limitBytes)
  }
}

/** The same in a form of the handler's own. */
export function encodeFailure({ data, headers }: Answer, thrown: unknown, limitBytes: number): Frame {
  try {
    return encode('', data, { [ERROR]: toErrorBody(thrown).code, ...headers }, limitBytes)
  } catch {
    // Larger than a message may be: the plain form is cut to what fits.
    return encodeError(thrown, limitBytes)
  }
}

/** The reply's message; throws the error that it carries. */
export function decodeReply(frame: Frame): Msg {
  const msg = decode(frame)
  const code = frame.headers[ERROR]
  if (code === undefined) return msg
  throw fromErrorBody(readErrorBody(msg.data, code, MAX_CAUSES))
}

/** Whatever came, as an error body of bounded depth: it may come from an agent in any language. */
function readErrorBody(value: unknown, fallbackCode: string, depth: number): ErrorBody {
  const raw = isRecord(value) ? value : {}
  const named = typeof raw.code === 'string' ? raw.code : fallbackCode
  const code: ErrorCode = isErrorCode(named) ? named : 'internal'
  const details = isRecord(raw.details) ? raw.details : {}
  return {
    code,
    message: textOf(raw.message) ?? textOf(raw.detail) ?? errors[code].title,
    retry: errors[code].retry,
    details: code === named ? details : { ...details, foreignCode: named },
    ...(raw.cause !== undefined && depth > 0 ? { cause: readErrorBody(raw.cause, 'internal', depth - 1) } : {}),
  }
}

/** A problem document (RFC 9457) says in `detail` what an `ErrorBody` says in `message`. */
const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errors, code)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
