/** What became of the resources between two commits. Reads only. */
import { canonicalJson, type DiffEntry, type Resource, type Row } from '@skerry/contract'
import type { Changed, Store } from '../store/index.ts'
import { resourceOfRow, shownField } from './shown.ts'

/** Rows of calls, not of what they are about. */
const ABOUT_CALLS = new Set(['job', 'longJob'])
/** Moved by every change, and told by the others. */
const MOVED = new Set(['lastOpDate'])

type Fields = DiffEntry['fields']

const same = (a: unknown, b: unknown) => a === b || canonicalJson(a ?? null) === canonicalJson(b ?? null)

/** No answer tells of more: who has to know more asks for one noun, or of a shorter time. */
export const DIFF_LIMIT = 5_000
/** Looked at in one go. */
const SLICE = 200

export interface DiffPorts {
  store: Pick<Store, 'changedBetween'>
  /** lets other work go on */
  pause(): Promise<void>
}

export interface DiffOnly {
  /** as the command line writes it */
  noun?: string
  uuid?: string
  /** at most and by default `DIFF_LIMIT` */
  limit?: number
}

/** In the order in which they were first touched; `complete`: these are all. */
export async function diffOf(
  { store, pause }: DiffPorts,
  range: { from: number; to: number },
  only: DiffOnly = {},
): Promise<{ entries: DiffEntry[]; complete: boolean }> {
  const limit = Math.min(only.limit ?? DIFF_LIMIT, DIFF_LIMIT)
  const entries: DiffEntry[] = []
  let looked = 0
  for (const change of await store.changedBetween(range.from, range.to)) {
    if (++looked % SLICE === 0) await pause()
    const entry = entryOf(change, only)
    if (entry === undefined) continue
    if (entries.length === limit) return { entries, complete: false }
    entries.push(entry)
  }
  return { entries, complete: true }
}

function entryOf({ table, before, after, key }: Changed, only: DiffOnly): DiffEntry | undefined {
  const row = after ?? before!
  const resource = ABOUT_CALLS.has(table) ? undefined : resourceOfRow(table, row)
  const uuid = typeof row['uuid'] === 'string' ? row['uuid'] : key
  if (resource === undefined || (only.noun ?? resource.noun) !== resource.noun || (only.uuid ?? uuid) !== uuid) return undefined
  const fields = fieldsOf(resource, before ?? {}, after ?? {})
  const change = before === undefined ? 'created' : after === undefined ? 'deleted' : 'changed'
  if (change === 'changed' && Object.keys(fields).length === 0) return undefined
  const name = row['name']
  return { noun: resource.noun, uuid, ...(typeof name === 'string' ? { name } : {}), change, fields }
}

function fieldsOf(resource: Resource, before: Readonly<Row>, after: Readonly<Row>): Fields {
  const fields: Fields = {}
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (MOVED.has(name) || same(before[name], after[name])) continue
    const [was, is] = [shownField(resource, name, before[name]), shownField(resource, name, after[name])]
    if (was !== undefined || is !== undefined)
      fields[name] = { ...(was === undefined ? {} : { before: was }), ...(is === undefined ? {} : { after: is }) }
  }
  return fields
}
