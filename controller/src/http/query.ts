/** GET of a list or of one resource by uuid: ZStack's query grammar over the graph, rendered as inventories. */
import type { Resource, Row } from '@skerry/contract'
import { parseQuery, runQuery } from '@skerry/query'
import type { Engine } from '../engine/port.ts'
import { render, type TimeForm, targets } from '../inventory/index.ts'
import { Refusal } from './refusal.ts'
import type { Route } from './routes.ts'

/** Every operator holds one of these (zstack-core §1.6); a condition without any is refused as unreadable. */
const operator = /=|<|>| is null| not null/

export interface Found {
  body: Row
  /** row version, when asked by uuid and there */
  version?: number
}

/** The row of a uuid. Some tables have a natural key (`usedIp`), and find their uuid by index. */
function rowOf(engine: Engine, resource: Resource, uuid: string): { key: string; row: Row } | undefined {
  const { graph } = engine
  const direct = graph.get(resource.name, uuid)
  if (direct) return { key: uuid, row: direct }
  if (!resource.indexes.includes('uuid')) return undefined
  for (const key of graph.by(resource.name, 'uuid', uuid)) {
    const row = graph.get(resource.name, key)
    if (row) return { key, row }
  }
  return undefined
}

const selected = (inventory: Row, fields: readonly string[] | undefined): Row =>
  fields === undefined ? inventory : Object.fromEntries(fields.filter((f) => f in inventory).map((f) => [f, inventory[f]]))

const fieldsFrom = (search: URLSearchParams): string[] | undefined => {
  const fields = search.getAll('fields').flatMap((part) => part.split(','))
  const named = fields.map((field) => field.trim()).filter((field) => field !== '')
  return named.length === 0 ? undefined : named
}

/** One resource by uuid, as a list with one entry or none. */
export function findOne(engine: Engine, { resource }: Route, uuid: string, o: { search: URLSearchParams; form: TimeForm }): Found {
  const found = rowOf(engine, resource, uuid)
  if (found === undefined) return { body: { inventories: [] } }
  const inventory = selected(render(engine.graph, resource, found.row, o.form), fieldsFrom(o.search))
  const version = engine.graph.version(resource.name, found.key)
  return { body: { inventories: [inventory] }, ...(version === undefined ? {} : { version }) }
}

/** A list by `q=` and the rest of the query string. `count=true` answers the total alone. */
export function findMany(engine: Engine, { resource }: Route, o: { search: URLSearchParams; form: TimeForm }): Found {
  const { search } = o
  const q = search.getAll('q')
  for (const condition of q) if (!operator.test(condition)) throw new Refusal(400, `invalid q[${condition.slice(0, 200)}]: it has no operator`)
  const target = targets[resource.name]
  if (target === undefined) throw new Refusal(404, `${resource.name} cannot be queried`)
  const query = parseQuery({ ...optional(search), q }, target, targets)
  const { rows, total, explain } = runQuery(engine.graph, query, targets)
  const fields = fieldsFrom(search)
  const count = search.get('count') === 'true'
  return {
    body: {
      ...(count ? {} : { inventories: rows.map((row) => selected(render(engine.graph, resource, row, o.form), fields)) }),
      ...(total === undefined ? {} : { total }),
      ...(search.get('explain') === 'true' ? { explain } : {}),
    },
  }
}

function optional(search: URLSearchParams) {
  const given: Record<string, string> = {}
  for (const name of ['limit', 'start', 'count', 'replyWithCount', 'sort', 'groupBy', 'fields']) {
    const value = search.get(name)
    if (value !== null && value !== '') given[name] = value
  }
  return given
}
