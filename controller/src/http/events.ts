/** `/v1/events`: facts of the log, replayed from an event, a commit or a time on, all or some; here as server-sent events. */
import { resourceOf, SkerryError } from '@skerry/contract'
import type { Caller } from '../engine/port.ts'
import type { Door, Visit } from './context.ts'
import { momentFrom, type PastSource } from './moments.ts'
import { resolveName } from './names.ts'
import type { ServedEvent } from './ports.ts'

/** A comment now and then keeps proxies from closing an idle stream. */
export const KEEPALIVE_MS = 15_000

/** Without an id there is nothing to go on from: the stream begins anew at each connection. */
const frame = ({ id, subject, data }: Omit<ServedEvent, 'id'> & { id?: string }) =>
  `${id === undefined ? '' : `id: ${id}\n`}event: ${subject}\ndata: ${JSON.stringify(data)}\n\n`

const names = ['lastEventId', 'since', 'noun', 'uuid', 'event', 'account', 'job', 'live'] as const
type Asked = Partial<Record<(typeof names)[number], string>>

export async function serveEvents(door: Door, visit: Visit, caller: Caller): Promise<Response> {
  return eventStream(door, visit, await eventsFor(door, visit, caller))
}

/**
 * Those that are for the caller, from where it asks: behind an event (`Last-Event-ID`), or behind a time or commit (`since`); by default
 * from now on. `live=false` ends with the newest. Throws what refuses the question.
 */
export async function eventsFor(
  door: Door,
  visit: Visit,
  caller: Caller,
): Promise<(signal: AbortSignal) => AsyncIterable<ServedEvent>> {
  const { events: source } = door
  if (source === undefined) throw new SkerryError('not-ready', 'this controller serves no events')
  const asked: Asked = Object.fromEntries(visit.url.searchParams)
  const stranger = Object.keys(asked).find((name) => !(names as readonly string[]).includes(name))
  if (stranger !== undefined)
    throw new SkerryError('invalid-argument', `events can't be asked by ${stranger}; they can by ${names.join(', ')}`, {
      field: stranger,
    })
  const last = await startOf(door, visit, asked)
  const matches = filterOf(door, caller, asked)
  const only = (event: ServedEvent) => matches(event) && door.engine.guard.hears(caller, event.data)
  return (signal) => source.since(last, signal, { only, live: asked.live !== 'false' })
}

/** Behind every event of its commit. */
const BEHIND_ALL = 999_999

async function startOf(door: Door, visit: Visit, asked: Asked): Promise<string | undefined> {
  const { past } = door
  const last = visit.request.headers.get('Last-Event-ID') ?? asked.lastEventId
  if (last !== undefined && !/^\d{1,15}\.\d{1,6}$/.test(last))
    throw new SkerryError('invalid-argument', 'Last-Event-ID must be an id that an event carried', { field: 'Last-Event-ID' })
  // A client that comes back goes on where it was.
  if (last === undefined && asked.since !== undefined) {
    if (past === undefined) throw new SkerryError('not-ready', 'this controller keeps no history')
    const seq = await momentFrom(past, asked.since, { field: 'since', now: door.clock.now() })
    return kept(past, `${seq}.${BEHIND_ALL}`)
  }
  return last === undefined || past === undefined ? last : kept(past, last)
}

/** Refused before the answer has begun: what comes behind this would have a gap. */
function kept(past: PastSource, id: string): string {
  const [seq, oldestSeq] = [Number.parseInt(id, 10), past.oldest()]
  if (seq + 1 >= oldestSeq) return id
  throw new SkerryError('history-gone', `events behind ${id} are no longer kept`, { lastEventId: id, oldestSeq })
}

function filterOf(door: Door, caller: Caller, asked: Asked): (event: ServedEvent) => boolean {
  const account = asked.account === undefined ? undefined : accountOf(door, caller, asked.account)
  const wanted: [string, string][] = Object.entries({ ...asked, actor: account }).flatMap(([name, value]) =>
    value !== undefined && ['noun', 'uuid', 'event', 'job', 'actor'].includes(name) ? [[name, value]] : [],
  )
  return ({ data }) => wanted.every(([name, value]) => data[name] === value)
}

/** Who made the change: an account by uuid or name, `system`, `agent:<uuid>`. */
function accountOf(door: Door, caller: Caller, given: string): string {
  if (given === 'system' || given.startsWith('agent:')) return given
  return resolveName(door.engine.guard.seen(caller), resourceOf('account')!, given, 'account')
}

/** Server-sent events from a source, until the client goes. */
export function eventStream(
  door: Door,
  visit: Visit,
  since: (signal: AbortSignal) => AsyncIterable<Omit<ServedEvent, 'id'> & { id?: string }>,
): Response {
  const stop = new AbortController()
  const events = since(stop.signal)[Symbol.asyncIterator]()
  const encoder = new TextEncoder()
  let quiet: (() => void) | undefined
  const close = () => {
    quiet?.()
    quiet = undefined
    stop.abort()
    // One that waits to be asked for more hears no signal: without this it would go on listening for a reader that is gone.
    events.return?.().catch(() => undefined) // what it says now has no reader
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
