/** `skerry events`: facts as they happen, one line each. */
import type { ServerEvent } from '@skerry/sdk'
import type { Io } from '../io.ts'
import { clientOf, type Globals } from '../session.ts'

export interface EventsOptions extends Globals {
  follow?: boolean
  since?: string
  output: string
}

/** Without `--follow`, a quiet time this long means that everything was shown. */
const QUIET_MS = 1_000

const line = (event: ServerEvent, output: string) =>
  output === 'json' ? JSON.stringify(event) : `${event.id}  ${event.subject}  ${JSON.stringify(event.data)}`

export async function events(io: Io, o: EventsOptions): Promise<void> {
  const client = await clientOf(io, o)
  const stop = new AbortController()
  const end = () => stop.abort()
  io.interrupted.addEventListener('abort', end, { once: true })
  let quiet = o.follow ? undefined : setTimeout(end, QUIET_MS)
  try {
    for await (const event of client.events({ signal: stop.signal, ...(o.since ? { lastEventId: o.since } : {}) })) {
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
