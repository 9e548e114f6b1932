/** Reads a request body without ever holding more than the limit, and parses it as JSON whatever Content-Type says. */
import type { Readable } from 'node:stream'
import type { Row } from '@skerry/contract'
import { Refusal } from './refusal.ts'

const tooLarge = (limit: number) => new Refusal(413, `the body may hold at most ${limit} bytes`)

/**
 * The body as text. Stops reading, and refuses with 413, at the first byte over `limit`. `socket` is Node's own stream of
 * the request where there is one: a web stream over it costs more than all the rest of a small request.
 */
export async function readBody(request: Request, limit: number, socket?: Readable): Promise<string> {
  const announced = Number(request.headers.get('content-length') ?? 0)
  if (announced > limit) throw tooLarge(limit)
  if (socket) return readSocket(socket, limit)
  if (request.body === null) return ''
  const reader = request.body.getReader()
  const parts: Uint8Array[] = []
  let size = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    size += value.byteLength
    if (size > limit) {
      await reader.cancel()
      throw tooLarge(limit)
    }
    parts.push(value)
  }
  return Buffer.concat(parts).toString('utf8')
}

/** What is over the limit stays unread: the server ends the connection after the answer. */
function readSocket(socket: Readable, limit: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    let size = 0
    const settle = (act: () => void) => {
      socket.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose)
      act()
    }
    const onData = (part: Buffer) => {
      size += part.length
      parts.push(part)
      if (size <= limit) return
      socket.pause()
      settle(() => reject(tooLarge(limit)))
    }
    const onEnd = () => settle(() => resolve((parts.length === 1 ? parts[0]! : Buffer.concat(parts)).toString('utf8')))
    const onClose = () => settle(() => reject(new Refusal(400, 'the connection was closed inside the body')))
    // Node says so of a client that is gone; whatever else fails is ours.
    const onError = (cause: NodeJS.ErrnoException) => (cause.code === 'ECONNRESET' ? onClose() : settle(() => reject(cause)))
    if (socket.destroyed) return onClose()
    socket.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose)
  })
}

/** True when no value lies deeper than `limit`. Walks with a stack of its own: depth must not cost ours. */
function withinDepth(value: unknown, limit: number): boolean {
  let level: unknown[] = [value]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > limit) return false
    level = level.flatMap((v) => (typeof v === 'object' && v !== null ? Object.values(v) : []))
  }
  return true
}

/** A JSON object; nothing at all and `null` count as `{}` (attach calls send no body, ZStack's Go SDK sends `null`). */
export function parseBody(text: string, maxDepth: number): Row {
  if (text.trim() === '') return {}
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch (cause) {
    // V8's message quotes the text around the place, which may be a password.
    const place = /at position \d+/.exec(cause instanceof Error ? cause.message : '')?.[0] ?? ''
    throw new Refusal(400, `the body is not valid JSON ${place}`.trimEnd())
  }
  return checkedBody(body, maxDepth)
}

/** What was parsed, as parameters; `null` counts as `{}`. */
export function checkedBody(body: unknown, maxDepth: number): Row {
  if (body === null || body === undefined) return {}
  if (typeof body !== 'object' || Array.isArray(body)) throw new Refusal(400, 'the body must be a JSON object')
  if (!withinDepth(body, maxDepth)) throw new Refusal(400, `the body is nested deeper than ${maxDepth} levels`)
  return body as Row
}
