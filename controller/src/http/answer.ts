/** A result in epoch milliseconds as a dialect writes it: dates in its form, nulls gone, and ZStack's `schema` where asked for. */
import { type Api, type Row, resourceOf } from '@skerry/contract'
import { fieldsWithTimes, schemaOf, type TimeForm, withTimes } from '../inventory/index.ts'

/** `inventory` and `inventories` of the result's resource, or a reply of its own, with dates written by `form`. */
export function answer(api: Api, result: Row | undefined, form: TimeForm): Row {
  if (result === undefined || api.result.kind === 'empty') return {}
  if (api.result.kind === 'fields') return fieldsWithTimes(api.result.schema, result, form)
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

/** The answer with its `schema`: JSON path → server class. An empty answer stays exactly `{}` (zstack-wire). */
export function withSchema(api: Api, body: Row): Row {
  if (api.result.kind === 'empty') return body
  const resource = api.result.kind === 'inventory' || api.result.kind === 'inventories' ? resourceOf(api.result.of) : undefined
  return { ...body, schema: resource ? schemaOf(body, resource) : {} }
}
