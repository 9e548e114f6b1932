/** `skerry events`: facts as they happen, one line each. */
import type { EventQuery, ServerEvent } from '@skerry/sdk'
import type { Io } from '../io.ts'
import { clientOf, type Globals } from '../session.ts'

export interface EventsOptions extends Globals {
  follow?: boolean
  since?: string
  noun?: string
  uuid?: string
  event?: string
  account?: string
  job?: string
  output: string
}

/** Without `--follow` and `--since`, a quiet time this long means that everything was shown. */
const QUIET_MS = 1_000

const line = (event: ServerEvent, output: string) =>
  output === 'json' ? JSON.stringify(event) : `${event.id}  ${event.subject}  ${JSON.stringify(event.data)}`

const EVENT_ID = /^\d+\.\d+$/

function asked({ since, follow, noun, uuid, event, account, job }: EventsOptions): EventQuery {
  const given = Object.entries({ noun, uuid, event, account, job }).filter(([, value]) => value !== undefined)
  const from = since === undefined ? {} : EVENT_ID.test(since) ? { lastEventId: since } : { since }
  return { ...Object.fromEntries(given), ...from, ...(since !== undefined && !follow ? { live: false } : {}) }
}

export async function events(io: Io, o: EventsOptions): Promise<void> {
  const client = await clientOf(io, o)
  const stop = new AbortController()
  const end = () => stop.abort()
  io.interrupted.addEventListener('abort', end, { once: true })
  // What is replayed has an end; what only comes has none but quiet.
  let quiet = o.follow || o.since ? undefined : setTimeout(end, QUIET_MS)
  try {
    for await (const event of client.events({ signal: stop.signal, ...asked(o) })) {
      io.out(line(event, o.output))
      if (quiet !== undefined) {
        clearTimeout(quiet)
        quiet = setTimeout(end, QUIET_MS)
      }
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error
  } finally {
    clearTimeout(quiet)
    io.interrupted.removeEventListener('abort', end)
  }
}
