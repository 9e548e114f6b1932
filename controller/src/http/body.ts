/** Reads a request body without ever holding more than the limit, and parses it as JSON whatever Content-Type says. */
import type { Row } from '@skerry/contract'
import { Refusal } from './refusal.ts'

/** The body as text. Stops reading, and refuses with 413, at the first byte over `limit`. */
export async function readBody(request: Request, limit: number): Promise<string> {
  const announced = Number(request.headers.get('content-length') ?? 0)
  if (announced > limit) throw new Refusal(413, `the body may hold at most ${limit} bytes`)
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
      throw new Refusal(413, `the body may hold at most ${limit} bytes`)
    }
    parts.push(value)
  }
  return Buffer.concat(parts).toString('utf8')
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

/** A JSON object; nothing at all counts as `{}` (attach calls send no body). */
export function parseBody(text: string, maxDepth: number): Row {
  if (text.trim() === '') return {}
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch (cause) {
    throw new Refusal(400, `the body is not valid JSON: ${cause instanceof Error ? cause.message.slice(0, 200) : 'unreadable'}`)
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new Refusal(400, 'the body must be a JSON object')
  if (!withinDepth(body, maxDepth)) throw new Refusal(400, `the body is nested deeper than ${maxDepth} levels`)
  return body as Row
}
