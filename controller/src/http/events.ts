/** `/v1/events`: facts of the log as server-sent events, replayed from `Last-Event-ID`. */
import { SkerryError } from '@skerry/contract'
import type { Door, Visit } from './context.ts'
import type { ServedEvent } from './ports.ts'

/** A comment now and then keeps proxies from closing an idle stream. */
const KEEPALIVE_MS = 15_000

const frame = ({ id, subject, data }: ServedEvent) => `id: ${id}\nevent: ${subject}\ndata: ${JSON.stringify(data)}\n\n`

export function serveEvents(door: Door, visit: Visit): Response {
  if (door.events === undefined) throw new SkerryError('not-ready', 'this controller serves no events')
  const last = visit.request.headers.get('Last-Event-ID') ?? visit.url.searchParams.get('lastEventId') ?? undefined
  if (last !== undefined && !/^\d{1,15}(\.\d{1,9})?$/.test(last))
    throw new SkerryError('invalid-argument', 'Last-Event-ID must be an id that an event carried', { field: 'Last-Event-ID' })
  const stop = new AbortController()
  const events = door.events.since(last, stop.signal)[Symbol.asyncIterator]()
  const encoder = new TextEncoder()
  let quiet: (() => void) | undefined
  const close = () => {
    quiet?.()
    quiet = undefined
    stop.abort()
  }
  visit.request.signal.addEventListener('abort', close, { once: true })
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(encoder.encode(': skerry events\n\n'))
      quiet = door.timers?.every(KEEPALIVE_MS, () => controller.enqueue(encoder.encode(': still here\n\n')))
    },
    // pull: a slow reader slows the source down instead of filling our memory
    async pull(controller) {
      try {
        const { done, value } = await events.next()
        if (!done) return controller.enqueue(encoder.encode(frame(value)))
      } catch (cause) {
        close()
        return controller.error(cause)
      }
      close()
      controller.close()
    },
    cancel: close,
  })
  return new Response(stream, { headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store' } })
}
