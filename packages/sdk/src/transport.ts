/** Requests over one base URL, and the two ways to send them: Node's http(s), or a `fetch` that was handed in. */
import type { IncomingMessage } from 'node:http'
import type { Row } from '@skerry/contract'
import type { ClientOptions } from './answers.ts'
import { errorFromResponse, UnreachableError } from './problem.ts'

interface Outgoing {
  method: string
  url: string
  headers: Record<string, string>
  body?: string | Uint8Array<ArrayBuffer>
  signal?: AbortSignal
}

/** An answer whose body is still to be read, once. */
export interface Incoming {
  status: number
  contentType: string
  header(name: string): string | undefined
  text(): Promise<string>
  body(): ReadableStream<Uint8Array>
}

export type Send = (request: Outgoing) => Promise<Incoming>

async function textOf(message: IncomingMessage): Promise<string> {
  const pieces: Uint8Array[] = []
  for await (const piece of message) pieces.push(piece as Uint8Array)
  return Buffer.concat(pieces).toString('utf8')
}

async function* bytesOf(message: IncomingMessage): AsyncGenerator<Uint8Array> {
  for await (const piece of message) yield piece as Uint8Array
}

const incoming = (message: IncomingMessage): Incoming => ({
  status: message.statusCode ?? 500,
  contentType: message.headers['content-type'] ?? '',
  header: (name) => [message.headers[name.toLowerCase()]].flat()[0],
  text: () => textOf(message),
  body: () => streamOf(bytesOf(message)),
})

/** Only streamed answers need the web's streams, and loading them takes a while. */
function streamOf(pieces: AsyncGenerator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await pieces.next()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    async cancel() {
      await pieces.return(undefined)
    },
  })
}

/** `ca`: PEM text that https answers are checked with, instead of the system's. */
export function sendOverNode(ca?: string): Send {
  return async ({ method, url, headers, body, signal }) => {
    const secure = url.startsWith('https:')
    const { request } = secure ? await import('node:https') : await import('node:http')
    return new Promise((resolve, reject) => {
      const options = { method, headers, ...(signal ? { signal } : {}), ...(secure && ca ? { ca } : {}) }
      const sent = request(url, options, (message) => resolve(incoming(message)))
      sent.on('error', reject)
      sent.end(body)
    })
  }
}

export function sendOverFetch(fetch: typeof globalThis.fetch): Send {
  return async ({ url, ...init }) => {
    const response = await fetch(new Request(url, init))
    return {
      status: response.status,
      contentType: response.headers.get('content-type') ?? '',
      header: (name) => response.headers.get(name) ?? undefined,
      text: () => response.text(),
      body: () => response.body ?? new Blob([]).stream(),
    }
  }
}

interface Init {
  body?: unknown
  /** instead of a body */
  bytes?: Uint8Array<ArrayBuffer>
  headers?: Record<string, string>
  signal?: AbortSignal
}

export type Transport = ReturnType<typeof createTransport>

/** Every method throws `SkerryError` for what the controller refuses, `UnreachableError` when nobody answers. */
export function createTransport(options: ClientOptions) {
  const send = options.fetch ? sendOverFetch(options.fetch) : sendOverNode(options.ca)
  const base = options.baseUrl.replace(/\/+$/, '')
  let session = options.session
  async function reach(request: Outgoing): Promise<Incoming> {
    try {
      return await send(request)
    } catch (cause) {
      if (request.signal?.aborted) throw cause
      throw new UnreachableError(request.url, cause)
    }
  }
  async function open(method: string, path: string, { body, bytes, headers, signal }: Init = {}): Promise<Incoming> {
    const ending = signal && options.signal ? AbortSignal.any([signal, options.signal]) : (signal ?? options.signal)
    const text = body === undefined ? undefined : JSON.stringify(body)
    const answer = await reach({
      method,
      url: base + path,
      headers: {
        ...headers,
        ...(session ? { authorization: `Bearer ${session}` } : {}),
        ...(text === undefined ? {} : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) }),
      },
      ...(text === undefined ? {} : { body: text }),
      ...(bytes ? { body: bytes } : {}),
      ...(ending ? { signal: ending } : {}),
    })
    if (answer.status < 200 || answer.status > 299) throw await errorFromResponse(answer)
    return answer
  }
  return {
    open,
    /** Whatever it answers. */
    raw: (path: string) => reach({ method: 'GET', url: base + path, headers: {} }),
    async json(method: string, path: string, init: Init = {}): Promise<Row> {
      const answer = await open(method, path, init)
      const text = await answer.text().catch((cause) => {
        throw init.signal?.aborted ? cause : new UnreachableError(base + path, cause)
      })
      return JSON.parse(text) as Row
    },
    use(uuid: string | undefined) {
      session = uuid
    },
  }
}
