/** Bodies as bytes with their length, so that `compress` can tell small ones (≤ 1 KiB go as they are) from large. */
import type { ErrorBody } from '@skerry/contract'

const JSON_TYPE = 'application/json; charset=utf-8'

export function text(status: number, message: string, headers: Record<string, string> = {}): Response {
  return new Response(message, {
    status,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'content-length': String(Buffer.byteLength(message)), ...headers },
  })
}

export function json(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  const bytes = JSON.stringify(body)
  return new Response(bytes, {
    status,
    headers: { 'content-type': JSON_TYPE, 'content-length': String(Buffer.byteLength(bytes)), ...headers },
  })
}

/** Where and why, without repeating what a cause says itself. */
export function stepOf(error: ErrorBody): string | undefined {
  const step = error.details?.['step']
  return typeof step === 'string' ? step : undefined
}
