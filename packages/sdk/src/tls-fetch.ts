/** `fetch` that trusts a site's own CA: Node's global one can't be told about a CA per call. */
import type { ClientRequest, IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'

type Fetch = typeof globalThis.fetch

function responseOf(message: IncomingMessage): Response {
  const headers = new Headers()
  for (const [name, value] of Object.entries(message.headers))
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) headers.append(name, one)
  const status = message.statusCode ?? 500
  const empty = status === 204 || status === 304
  return new Response(empty ? null : (Readable.toWeb(message) as unknown as ReadableStream<Uint8Array>), { status, headers })
}

/** `ca`: PEM text. Only https is verified with it; http goes its usual way. */
export function fetchTrusting(ca: string): Fetch {
  return async (input, init) => {
    const request = new Request(input, init)
    if (!request.url.startsWith('https:')) return fetch(request)
    const { request: open } = await import('node:https')
    const body = request.body === null ? undefined : Buffer.from(await request.arrayBuffer())
    return new Promise<Response>((resolve, reject) => {
      const headers = Object.fromEntries(request.headers)
      const sent: ClientRequest = open(request.url, { method: request.method, headers, ca, signal: request.signal }, (message) =>
        resolve(responseOf(message)),
      )
      sent.on('error', reject)
      sent.end(body)
    })
  }
}
