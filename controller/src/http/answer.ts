/** A result in epoch milliseconds as a dialect writes it: dates in its form, nulls gone, and ZStack's `schema` where asked for. */
import { type Api, type Row, resourceOf } from '@skerry/contract'
import {
  batchWithTimes,
  fieldsWithTimes,
  schemaOf,
  schemaOfList,
  schemaOfReply,
  type TimeForm,
  withTimes,
  zqlWithTimes,
} from '../inventory/index.ts'

/** `inventory` and `inventories` of the result's resource, or a reply of its own, with dates written by `form`. */
export function answer(api: Api, result: Row | undefined, form: TimeForm): Row {
  if (result === undefined || api.result.kind === 'empty') return {}
  if (api.api === 'ZQLQuery') return zqlWithTimes(result, form)
  if (api.api === 'BatchQuery') return batchWithTimes(result, form)
  if (api.result.kind === 'fields') return fieldsWithTimes(api.result.schema, result, form)
  if (api.result.kind === 'lists') return lists(api.result, result, form)
  const resource = resourceOf(api.result.of)
  const out: Row = {}
  for (const [key, value] of Object.entries(result)) {
    if (value === null || value === undefined) continue
    if (resource && key === 'inventory') out[key] = withTimes(resource, value as Row, form)
    else if (resource && key === 'inventories') out[key] = (value as Row[]).map((row) => withTimes(resource, row, form))
    else out[key] = value
  }
  return out
}

type Lists = Extract<Api['result'], { kind: 'lists' }>

function lists({ of, maps = {} }: Lists, result: Row, form: TimeForm): Row {
  const written = (table: string, list: unknown) => (list as Row[]).map((row) => withTimes(resourceOf(table)!, row, form))
  const single = Object.entries(of).map(([name, table]) => [name, written(table, result[name])])
  const several = Object.entries(maps).map(([name, table]) => {
    const each = Object.entries(result[name] as Row).map(([word, list]) => [word, written(table, list)])
    return [name, Object.fromEntries(each)]
  })
  return Object.fromEntries([...single, ...several])
}

/** None for lists by words: their elements are of one class, which clients know. */
const schemaOfLists = (body: Row, { of }: Lists): Row =>
  Object.assign({}, ...Object.entries(of).map(([list, table]) => schemaOfList(body, list, resourceOf(table)!)))

/** The answer with its `schema`: JSON path → server class. An empty answer stays exactly `{}` (zstack-wire). */
export function withSchema(api: Api, body: Row): Row {
  if (api.result.kind === 'empty') return body
  if (api.result.kind === 'lists') return { ...body, schema: schemaOfLists(body, api.result) }
  const resource = api.result.kind === 'inventory' || api.result.kind === 'inventories' ? resourceOf(api.result.of) : undefined
  return { ...body, schema: resource ? schemaOf(body, resource) : schemaOfReply(body, api) }
}
