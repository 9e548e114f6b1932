/** GET of a list or of one resource by uuid: ZStack's query grammar over the graph, rendered as inventories. */
import { isRowOf, type Resource, type Row, tableOf } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { parseQuery, runQuerySliced } from '@skerry/query'
import type { Caller } from '../engine/port.ts'
import { Guard } from '../identity/guard.ts'
import { withRefs } from '../identity/resource-refs.ts'
import { LONG, LongList, render, renderText, type TimeForm, targets, withServiceRefs } from '../inventory/index.ts'
import type { Door } from './context.ts'
import { Refusal } from './refusal.ts'
import type { Route } from './routes.ts'

/** Every operator holds one of these (zstack-core §1.6); a condition without any is refused as unreadable. */
const operator = /=|<|>| is null| not null/

/** Rows that were found, not yet written in any form. */
export interface Found {
  resource: Resource
  rows: readonly Readonly<Row>[] | LongList<Readonly<Row>>
  /** only these fields of each; undefined: all */
  fields?: readonly string[] | undefined
  /** what stands beside the list: total, explain */
  beside: Row
  /** no list at all: only the count was asked for */
  bare?: boolean
  /** the graph as the caller sees it: what is shown inside of a row is read there */
  seen: Graph
  /** row version, when asked by uuid and there */
  version?: number
}

/** The row of a uuid. Some tables have a natural key (`usedIp`), and find their uuid by index. */
function rowOf(graph: Graph, resource: Resource, uuid: string): { key: string; row: Row } | undefined {
  const direct = graph.get(tableOf(resource), uuid)
  if (direct && !isRowOf(resource, direct)) return undefined
  if (direct) return { key: uuid, row: direct }
  if (!resource.indexes.includes('uuid')) return undefined
  for (const key of graph.by(resource.name, 'uuid', uuid)) {
    const row = graph.get(resource.name, key)
    if (row) return { key, row }
  }
  return undefined
}

/** Only the asked fields; `vmNics.ip` asks for the whole list. */
function selected(inventory: Row, fields: readonly string[] | undefined): Row {
  if (fields === undefined) return inventory
  const names = new Set(fields.map((field) => field.split('.')[0] ?? field))
  return Object.fromEntries([...names].filter((name) => name in inventory).map((name) => [name, inventory[name]]))
}

const fieldsFrom = (search: URLSearchParams): string[] | undefined => {
  const fields = search.getAll('fields').flatMap((part) => part.split(','))
  const named = fields.map((field) => field.trim()).filter((field) => field !== '')
  return named.length === 0 ? undefined : named
}

/** One resource by uuid of those that the caller sees, as a list with one entry or none. */
export function findOne(seen: Graph, { resource }: Route, uuid: string, search: URLSearchParams): Found {
  const found = rowOf(seen, resource, uuid)
  if (found === undefined) return { resource, rows: [], beside: {}, seen }
  const version = seen.version(tableOf(resource), found.key)
  return {
    resource,
    rows: [found.row],
    fields: fieldsFrom(search),
    beside: {},
    seen,
    ...(version === undefined ? {} : { version }),
  }
}

/** `{ inventories: […], total }` as objects. */
export function bodyOf(found: Found, form: TimeForm): Row {
  const { resource, rows, fields, bare, beside, seen: graph } = found
  if (bare) return beside
  const inventory = (row: Readonly<Row>) => selected(render(graph, resource, row, form), fields)
  return { inventories: rows instanceof LongList ? rows.map(inventory) : rows.map(inventory), ...beside }
}

/** The same where the list is long: its elements are made when they are written. */
export function longBodyOf(found: Found, form: TimeForm): Row | undefined {
  const { resource, rows, fields, beside, seen } = found
  if (!(rows instanceof LongList)) return undefined
  return fields ? bodyOf(found, form) : { inventories: rows.written((row) => renderText(seen, resource, row, form)), ...beside }
}

/** The same as JSON. */
export function textOf(found: Found, form: TimeForm): string {
  const { resource, rows, fields, bare, beside, seen: graph } = found
  if (bare || fields || rows instanceof LongList) return JSON.stringify(bodyOf(found, form))
  const rest = Object.entries(beside).map(([name, value]) => `,"${name}":${JSON.stringify(value)}`)
  return `{"inventories":[${rows.map((row) => renderText(graph, resource, row, form)).join(',')}]${rest.join('')}}`
}

/** Longest stretch that one query holds the event loop. */
const SLICE_MS = 5

/**
 * A list by `q=` and the rest of the query string, of what the caller may see at every level of the query. `count=true` answers the
 * total alone. `explain=true` is for administrators, because it tells how much there is that others can't see.
 */
export async function findMany(
  door: Door,
  { resource }: Route,
  search: URLSearchParams,
  caller: Caller | undefined,
): Promise<Found> {
  const graph = withServiceRefs(withRefs(door.engine.graph))
  const visible = door.engine.guard.visible(caller)
  const explained = search.get('explain') === 'true'
  if (explained && visible)
    throw new Refusal(403, 'explain tells of what other accounts have: only an administrator may ask for it')
  const q = search.getAll('q')
  for (const condition of q)
    if (!operator.test(condition)) throw new Refusal(400, `invalid q[${condition.slice(0, 200)}]: it has no operator`)
  const target = targets[resource.name]
  if (target === undefined) throw new Refusal(404, `${resource.name} cannot be queried`)
  const fields = fieldsFrom(search)
  const query = parseQuery({ ...optional(search), q, ...(fields ? { fields } : {}) }, target, targets)
  const { keys, total, explain } = await runQuerySliced(graph, query, {
    sliceMs: SLICE_MS,
    now: () => performance.now(),
    pause: door.pause,
    visible,
  })
  const beside = { ...(total === undefined ? {} : { total }), ...(explained ? { explain } : {}) }
  const found = { resource, fields, beside, bare: query.count ?? false }
  if (keys.length > LONG) return { ...found, ...asTheyAre(door.engine.graph, resource, { keys, caller }) }
  const rows = keys.map((key) => graph.get(tableOf(resource), key)).filter((row) => row !== undefined)
  return { ...found, rows, seen: door.engine.guard.seen(caller) }
}

/** Many rows as they are in this moment, with all that is shown inside of them, whatever is written while they are read. */
function asTheyAre(
  of: Graph,
  resource: Resource,
  { keys, caller }: { keys: readonly string[]; caller: Caller | undefined },
): Pick<Found, 'rows' | 'seen'> {
  const { graph, close } = of.freeze()
  const whole = withServiceRefs(withRefs(graph))
  const each = function* () {
    for (const key of keys) {
      const row = whole.get(tableOf(resource), key)
      if (row !== undefined) yield row
    }
  }
  return { rows: new LongList(each, close), seen: new Guard(graph).seen(caller) }
}

function optional(search: URLSearchParams) {
  const given: Record<string, string> = {}
  for (const name of ['limit', 'start', 'count', 'replyWithCount', 'sort', 'groupBy', 'filterName']) {
    const value = search.get(name)
    if (value !== null && value !== '') given[name] = value
  }
  return given
}
