/**
 * What the log still says of one job or resource: who made which commit by which job, with its facts and the fields that it changed,
 * before and after. Reads only.
 */
import { type Commit, type HistoryEntry, type HistoryQuery, type Op, type Row, resourceOf, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Store } from '../store/index.ts'
import { resourceOfRow, shownField } from './shown.ts'

/** So many commits are looked at, at most: the log may be gigabytes. */
const SPAN = 20_000
const LIMIT = 200

type Change = HistoryEntry['changes'][number]

/** Moved by every change, and told by the entry itself. */
const MOVED = new Set(['uuid', 'createDate', 'lastOpDate'])

const plain = (value: unknown) => value === null || typeof value !== 'object'
const idOf = ({ t, k }: { t: string; k: string }) => `${t}\n${k}`

/** Rows as they stood at each commit of the span: whole, or what was set since it began. */
class Rows {
  readonly #known = new Map<string, { row: Row; whole: boolean } | 'none'>()
  /** Fields whose value before lies before the span. */
  readonly #open: { change: Change; op: Op; fields: string[] }[] = []

  /** What an operation changes, told; and noted for those after it. `told`: undefined where nobody asked. */
  take(op: Op, told: Change | undefined): void {
    if (told?.fields && op.o !== 'add') this.#before(op, told, Object.keys(told.fields))
    const known = this.#known.get(idOf(op))
    const rows = known === 'none' || known === undefined ? { row: {}, whole: known === 'none' } : known
    if (op.o === 'del') this.#known.set(idOf(op), 'none')
    else if (op.o === 'put') this.#known.set(idOf(op), { row: op.v, whole: true })
    else if (op.o === 'set') this.#known.set(idOf(op), { row: { ...rows.row, ...op.v }, whole: rows.whole })
  }

  #before(op: Op, change: Change, fields: string[]): void {
    const known = this.#known.get(idOf(op))
    if (known === 'none') return
    const open = fields.filter((field) => known === undefined || (!known.whole && !(field in known.row)))
    if (open.length > 0) this.#open.push({ change, op, fields: open })
    if (known) note(change, op.t, { row: known.row, fields: fields.filter((field) => !open.includes(field)) })
  }

  get open(): boolean {
    return this.#open.length > 0
  }

  /** With the graph as the span began. */
  close(base: Graph): void {
    for (const { change, op, fields } of this.#open) {
      const row = base.get(op.t, op.k)
      if (row) note(change, op.t, { row, fields })
    }
  }
}

function note(change: Change, table: string, { row, fields }: { row: Readonly<Row>; fields: readonly string[] }): void {
  const resource = resourceOfRow(table, row) ?? resourceOf(table)
  if (resource === undefined) return
  for (const field of fields) {
    const before = shownField(resource, field, row[field])
    if (before === undefined || !plain(before) || before === change.fields?.[field]) continue
    change.before = { ...change.before, [field]: before }
  }
}

/** Only what the resource shows of itself, and no lists and documents: those are in its inventory. */
function fieldsOf(op: Op): Row | undefined {
  const resource = resourceOf(op.t)
  if (resource === undefined || op.o === 'del') return undefined
  if (op.o === 'add') return resource.hidden?.includes(op.field) ? undefined : { [op.field]: op.delta }
  const fields = Object.entries(op.v)
    .map(([field, value]) => [field, MOVED.has(field) ? undefined : shownField(resource, field, value)] as const)
    .filter(([, value]) => value !== undefined && plain(value))
  return fields.length > 0 ? Object.fromEntries(fields) : undefined
}

/** Session ids and the like are keys of rows that are no resource's business. */
function changeOf(op: Op): Change | undefined {
  const resource = resourceOf(op.t)
  if (resource === undefined || !resource.apis.some((api) => api.query)) return undefined
  const fields = fieldsOf(op)
  return { table: op.t, key: op.k, op: op.o, ...(fields ? { fields } : {}) }
}

/** The step that a commit ended or undid. */
function stepOf(commit: Commit): HistoryEntry['step'] {
  const step = commit.ops.find((op) => op.t === 'jobStep' && op.o === 'put')
  if (step?.o !== 'put') return undefined
  return { name: String(step.v['step']), state: step.v['state'] === 'undone' ? 'undone' : 'done' }
}

interface Known {
  graph: Graph
  /** what is asked of the jobs that began in the span: their rows may be large */
  jobs: ReadonlyMap<string, Readonly<Row>>
}

function callOf({ job }: Commit, { graph, jobs }: Known): { api?: string; user?: string } {
  const row = job === undefined ? undefined : (jobs.get(job) ?? graph.get('job', job))
  if (row === undefined) return {}
  const userUuid = row['userUuid'] as string | undefined
  const user = userUuid === undefined ? undefined : ((graph.get('user', userUuid)?.['name'] as string | undefined) ?? userUuid)
  return { api: String(row['api']), ...(user === undefined ? {} : { user }) }
}

function entryOf(seq: number, commit: Commit, known: Known, changes: Change[]): HistoryEntry {
  const { graph } = known
  const step = stepOf(commit)
  const account = graph.get('account', commit.actor)?.['name'] as string | undefined
  const { api, user } = callOf(commit, known)
  return {
    ...{ seq, at: commit.at, actor: commit.actor },
    ...(account ? { account } : {}),
    ...(user ? { user } : {}),
    ...(commit.job ? { job: commit.job } : {}),
    ...(api ? { api } : {}),
    ...(step ? { step } : {}),
    changes,
    documents: commit.ops.filter(({ t, o }) => t === 'desired' && o === 'put').length,
    facts: commit.facts.map(({ noun, uuid, event, data }) => ({ noun, uuid, event, ...(data ? { data } : {}) })),
  }
}

function about({ job, resourceUuid }: HistoryQuery, commit: Commit): boolean {
  if (job !== undefined) return commit.job === job || commit.ops.some((op) => op.t === 'job' && op.k === job)
  return commit.ops.some((op) => op.k === resourceUuid) || commit.facts.some(({ uuid }) => uuid === resourceUuid)
}

const isBirth = ({ job, resourceUuid }: HistoryQuery, commit: Commit) =>
  commit.ops.some((op) => op.o === 'put' && op.k === (job ?? resourceUuid) && op.t !== 'jobStep')

/** Oldest first; the newest of them when there are more than `limit`. `complete`: nothing earlier is missing. */
export async function historyOf(store: Store, asked: HistoryQuery): Promise<{ entries: HistoryEntry[]; complete: boolean }> {
  const limit = Math.min(asked.limit ?? LIMIT, LIMIT)
  const { durableSeq, oldestSeq } = store.status()
  const { graph } = store
  // An ended job changes no more: what is before its end is found, however long ago that was.
  const last = asked.job === undefined ? durableSeq : Math.min(durableSeq, graph.version('job', asked.job) ?? durableSeq)
  const first = Math.max(oldestSeq, last - SPAN)
  const jobs = new Map<string, Readonly<Row>>()
  const rows = new Rows()
  const entries: HistoryEntry[] = []
  let complete = false
  for await (const { seq, commit } of store.read(first)) {
    if (seq > last) break
    const told = about(asked, commit)
    const changes: Change[] = []
    for (const op of commit.ops) {
      if (op.t === 'job' && op.o === 'put') jobs.set(op.k, { api: op.v['api'], userUuid: op.v['userUuid'] })
      const change = told ? changeOf(op) : undefined
      if (change) changes.push(change)
      if (resourceOf(op.t)) rows.take(op, change)
    }
    if (!told) continue
    if (isBirth(asked, commit)) complete = true
    entries.push(entryOf(seq, commit, { graph, jobs }, changes))
    if (entries.length > limit) {
      entries.shift()
      complete = false
    }
  }
  if (rows.open) await closeRows(store, rows, first)
  return { entries, complete }
}

/** What was before the span; what is older than all that is kept stays untold. */
async function closeRows(store: Store, rows: Rows, first: number): Promise<void> {
  try {
    rows.close(await store.graphAt(first - 1))
  } catch (error) {
    if (!(error instanceof SkerryError && (error.code === 'history-gone' || error.code === 'log-corrupt'))) throw error
  }
}
