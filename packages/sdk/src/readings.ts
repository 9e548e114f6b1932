/** What a client reads beside resources: what happened and what was before, bills, and what jobs do. */
import type { DiffEntry, DiffQuery, HistoryQuery, Row } from '@skerry/contract'
import { PREFIX, routes } from '@skerry/contract/routes'
import type { EventQuery, ShownEntry, ShownWorkflow } from './answers.ts'
import type { Directory } from './directory.ts'
import { eventsOf, type ServerEvent } from './events.ts'
import { searchOf } from './request.ts'
import type { Transport } from './transport.ts'

export const past = (transport: Transport, directory: Directory) => ({
  /** Facts as they happen, behind `lastEventId` or `since` where given. Ends when the signal aborts, the server closes, or with `live: false`. */
  async *events({ signal, lastEventId, ...only }: EventQuery & { signal?: AbortSignal } = {}): AsyncGenerator<ServerEvent> {
    const headers = { accept: 'text/event-stream', ...(lastEventId ? { 'last-event-id': lastEventId } : {}) }
    const response = await transport.open('GET', PREFIX.own + routes.events + searchOf({ ...only }), {
      headers,
      ...(signal ? { signal } : {}),
    })
    yield* eventsOf(response.body())
  },
  /** What the log says of one job or resource, oldest first; `complete`: nothing earlier is missing. For administrators. */
  async history(o: HistoryQuery): Promise<{ entries: ShownEntry[]; complete: boolean }> {
    const answer = await transport.json('GET', PREFIX.own + routes.history + searchOf({ ...o }))
    return answer as unknown as { entries: ShownEntry[]; complete: boolean }
  },
  /** The same of one resource, by uuid, or by name while it is there. */
  async historyOf(resource: string, uuidOrName: string, o: { limit?: number } = {}) {
    const path = `${PREFIX.own}${directory.queryOf(resource).path}/${encodeURIComponent(uuidOrName)}${routes.history}`
    return (await transport.json('GET', path + searchOf(o))) as unknown as { entries: ShownEntry[]; complete: boolean }
  },
  /** What became of the resources between two times or sequences; `complete`: that is all. For administrators. */
  async diff(o: DiffQuery): Promise<{ from: number; to: number; entries: DiffEntry[]; complete: boolean }> {
    const answer = await transport.json('GET', PREFIX.own + routes.diff + searchOf({ ...o }))
    return answer as unknown as { from: number; to: number; entries: DiffEntry[]; complete: boolean }
  },
})

const billPath = (account: string, o: { from?: string; to?: string }) =>
  `${PREFIX.own}/billings/accounts/${encodeURIComponent(account)}/bill${searchOf(o)}`

export const bills = (transport: Transport) => ({
  /** What an account used and what it costs; times as ISO 8601, default: all that the log still has. */
  bill: (account: string, o: { from?: string; to?: string } = {}): Promise<Row> => transport.json('GET', billPath(account, o)),
  /** The lines of it as a table for a spreadsheet (RFC 4180). */
  async billAsCsv(account: string, o: { from?: string; to?: string } = {}): Promise<string> {
    return (await transport.open('GET', billPath(account, o), { headers: { accept: 'text/csv' } })).text()
  },
})

export const workflows = (transport: Transport) => ({
  /** What jobs do, step by step, as new ones are run. */
  async workflows(): Promise<ShownWorkflow[]> {
    return (await transport.json('GET', PREFIX.own + routes.workflows))['workflows'] as ShownWorkflow[]
  },
  /** One of them, by name. Throws `not-found`. */
  async workflow(name: string): Promise<ShownWorkflow> {
    const answer = await transport.json('GET', `${PREFIX.own + routes.workflows}/${encodeURIComponent(name)}`)
    return answer['workflow'] as ShownWorkflow
  },
  /** The same as a Mermaid flowchart. */
  async drawnWorkflow(name: string): Promise<string> {
    const path = `${PREFIX.own + routes.workflows}/${encodeURIComponent(name)}${searchOf({ format: 'mermaid' })}`
    return (await transport.open('GET', path)).text()
  },
})
