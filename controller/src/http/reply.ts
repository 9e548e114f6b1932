/** Bodies as bytes with their length, so that `compress` can tell small ones (≤ 1 KiB go as they are) from large. */
import type { ErrorBody } from '@skerry/contract'

export const JSON_TYPE = 'application/json; charset=utf-8'

export function text(status: number, message: string, headers: Record<string, string> = {}): Response {
  return new Response(message, {
    status,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'content-length': String(Buffer.byteLength(message)), ...headers },
  })
}

export const json = (status: number, body: unknown, headers: Record<string, string> = {}): Response =>
  jsonText(status, JSON.stringify(body), headers)

/** A body that is JSON already. */
export function jsonText(status: number, body: string, headers: Record<string, string> = {}): Response {
  const length = Buffer.byteLength(body)
  const response = new Response(body, {
    status,
    headers: { 'content-type': JSON_TYPE, 'content-length': String(length), ...headers },
  })
  if (length <= SMALL_BYTES) small.add(response)
  return response
}

const SMALL_BYTES = 1024
const small = new WeakSet<Response>()

/** Not worth compressing, as is known without asking the response: that would make a web stream of it. */
export const isSmall = (response: Response): boolean => small.has(response)

/** Where and why, without repeating what a cause says itself. */
export function stepOf(error: ErrorBody): string | undefined {
  const step = error.details?.['step']
  return typeof step === 'string' ? step : undefined
}
