/** The values themselves: from the contract, the stored contexts, or the controller. Who is away or refuses gives none. */
import type { Row } from '@skerry/contract'
import { catalog } from '../contract-catalog.ts'
import type { Io } from '../io.ts'
import { clientOf } from '../session.ts'
import type { Candidate, Named, Wanted } from './wanted.ts'

/** Longer nobody waits for a key press. */
const PATIENCE_MS = 500
const MOST = 200
/** Their names are not their own: several bear that of the API. */
const BY_UUID = new Set(['job'])

const textOf = (value: unknown) => (typeof value === 'string' ? value : '')

/** A name that several have stands for none of them: their uuids are offered. */
function named(rows: readonly Row[], table: string): Candidate[] {
  const times = new Map<string, number>()
  for (const row of rows) times.set(textOf(row['name']), (times.get(textOf(row['name'])) ?? 0) + 1)
  const state = catalog.resources[table]?.state ?? 'state'
  return rows.map((row) => {
    const [uuid, name, about] = [textOf(row['uuid']), textOf(row['name']), textOf(row[state])]
    const unique = name !== '' && times.get(name) === 1 && !BY_UUID.has(table)
    return unique ? { value: name, about } : { value: uuid, about: `${name} ${about}`.trim() }
  })
}

async function fromController(io: Io, values: Named, typed: string): Promise<Candidate[]> {
  const stop = new AbortController()
  const timer = setTimeout(() => stop.abort(), PATIENCE_MS)
  try {
    const resource = catalog.resources[values.of]
    const fields = ['uuid', 'name', ...(resource?.state && resource.state in resource.fields ? [resource.state] : [])]
    const client = await clientOf(io, {}, stop.signal)
    const field = BY_UUID.has(values.of) ? 'uuid' : 'name'
    const like = typed !== '' && !/[%_,]/.test(typed) ? [`${field}~=${typed}%`] : []
    const states = values.states ? [`${resource?.state}?=${values.states.join(',')}`] : []
    const found = await client.query(values.of, { fields, limit: MOST, q: [...like, ...states] })
    return named(found.inventories, values.of)
  } finally {
    clearTimeout(timer)
  }
}

async function contexts(io: Io): Promise<Candidate[]> {
  const { readContexts } = await import('../contexts.ts')
  return Object.entries((await readContexts(io.configFolder)).contexts).map(([value, { url }]) => ({ value, about: url }))
}

/** In the order in which they come; only those that begin as typed. */
export async function candidatesOf(io: Io, { values, before, typed }: Wanted): Promise<Candidate[]> {
  const all =
    'of' in values
      ? await fromController(io, values, typed)
      : 'choices' in values
        ? values.choices
        : values.anyOf === 'contexts'
          ? await contexts(io)
          : []
  return all.filter(({ value }) => value.startsWith(typed)).map((one) => ({ ...one, value: before + one.value }))
}
