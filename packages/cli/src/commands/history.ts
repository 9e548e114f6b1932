/** `skerry history <noun> <name>`: who changed it, when, by which call, from what to what. `skerry diff`: what became of everything. */
import type { DiffEntry, Row } from '@skerry/contract'
import { SkerryError } from '@skerry/contract/errors'
import type { ShownEntry } from '@skerry/sdk'
import type { Io } from '../io.ts'
import { type Format, formatOne, table } from '../output.ts'
import { clientOf, type Globals } from '../session.ts'
import { resourceNamed } from '../verbs.ts'
import { moment } from './told.ts'

const word = (value: unknown) =>
  value === undefined || value === null || value === '' ? '-' : typeof value === 'string' ? value : JSON.stringify(value)

/** `state Stopped → Running`; a field that has just come to be has no arrow. */
const step = (field: string, before: unknown, after: unknown) =>
  before === undefined ? `${field} ${word(after)}` : `${field} ${word(before)} → ${word(after)}`

/** What an entry says of this resource itself. */
function changeOf(entry: ShownEntry, uuid: string): string {
  const told = entry.changes
    .filter(({ key }) => key === uuid)
    .flatMap(({ op, fields, before }) => {
      if (op === 'del') return ['deleted']
      const steps = Object.entries(fields ?? {})
        .filter(([field]) => field !== 'lastOpDate' && field !== 'uuid' && field !== 'createDate')
        .map(([field, after]) =>
          op === 'add' ? `${field} ${Number(after) < 0 ? '' : '+'}${after}` : step(field, before?.[field], after),
        )
      // Of what was just made everything is new: its inventory says it better.
      return op === 'put' && before === undefined ? ['written'] : steps
    })
  const facts = entry.facts.filter((fact) => fact.uuid === uuid).map(({ event }) => event)
  return [...facts, ...told].join(', ')
}

export interface HistoryOptions extends Globals {
  output: Format
  limit?: string
}

export async function history(io: Io, noun: string, name: string, o: HistoryOptions): Promise<void> {
  const resource = resourceNamed(noun)
  if (resource === undefined) throw new SkerryError('invalid-argument', `there is no ${noun}`, { field: 'noun' })
  const client = await clientOf(io, o)
  const { entries, complete } = await client.historyOf(resource.name, name, o.limit ? { limit: Number(o.limit) } : {})
  if (o.output !== 'table') return io.out(await formatOne({ entries, complete }, [], o.output))
  const uuid = await uuidOf(client, resource.name, name)
  const rows = entries.map((entry) => ({
    at: moment(entry.at),
    seq: entry.seq,
    who: [entry.account ?? entry.actor, entry.user].filter(Boolean).join('/'),
    call: [entry.api, entry.step?.name].filter(Boolean).join(' '),
    job: entry.job ?? '',
    change: changeOf(entry, uuid),
  }))
  io.out(
    rows.length === 0
      ? 'the log says nothing of it'
      : table(['at', 'seq', 'who', 'call', 'job', 'change'], rows as unknown as Row[]),
  )
  if (!complete) io.err('the beginning of it is no longer in the log\n')
}

async function uuidOf(client: Awaited<ReturnType<typeof clientOf>>, resource: string, name: string): Promise<string> {
  if (/^[0-9a-f]{32}$/.test(name)) return name
  return String((await client.get(resource, name))['uuid'])
}

export interface DiffOptions extends Globals {
  output: Format
  from: string
  to?: string
  noun?: string
  uuid?: string
  limit?: string
}

const signs: Record<DiffEntry['change'], string> = { created: '+', changed: '~', deleted: '-' }

export async function diff(io: Io, o: DiffOptions): Promise<void> {
  const client = await clientOf(io, o)
  const { from, to, noun, uuid } = o
  const limit = o.limit ? { limit: Number(o.limit) } : {}
  const asked = { from, ...(to ? { to } : {}), ...(noun ? { noun } : {}), ...(uuid ? { uuid } : {}), ...limit }
  const found = await client.diff(asked)
  if (o.output !== 'table') return io.out(await formatOne({ ...found }, [], o.output))
  if (found.entries.length === 0) return io.out('nothing is another than it was')
  for (const { noun, uuid, name, change, fields } of found.entries) {
    io.out(`${signs[change]} ${noun} ${name ?? ''} ${uuid}`.replace('  ', ' '))
    if (change === 'changed')
      for (const [field, { before, after }] of Object.entries(fields)) io.out(`    ${step(field, before ?? null, after)}`)
  }
  if (!found.complete) io.err('there is more: ask for one --noun, or for a shorter time\n')
}
