/** Answers to ZQL as a dialect writes them: dates in its form. What a field is, its resource says. */
import { type Row, resourceOf, type ZqlReturn } from '@skerry/contract'
import { Moment } from '@skerry/query'
import type { LongList } from './long-list.ts'
import { type TimeForm, withTimes } from './render.ts'

/** `results` of a ZQL call in epoch ms, `of` naming each one's resource, as the dialect has them: without `of`. */
export function zqlWithTimes(reply: Row, form: TimeForm): Row {
  const results = reply['results'] as (ZqlReturn & { of: string })[]
  return { results: results.map((result) => oneWithTimes(result, form)) }
}

/** A long list stays one: its elements get their dates when they are written. */
const each = <T>(list: readonly T[], of: (one: T) => unknown) =>
  (list as unknown as Pick<LongList<T>, 'map'>).map((one) => of(one))

function oneWithTimes({ of, ...result }: ZqlReturn & { of: string }, form: TimeForm): Row {
  const resource = resourceOf(of)
  if (!resource) return result
  const written = (row: Row): Row => withTimes(resource, row, form)
  const { inventories, inventoryCounts, inventoryAggregateFunctions } = result
  return {
    ...result,
    ...(inventories ? { inventories: each(inventories, (one) => (Array.isArray(one) ? one : written(one))) } : {}),
    ...(inventoryCounts ? { inventoryCounts: each(inventoryCounts, ([row, count]) => [written(row), count]) } : {}),
    ...(inventoryAggregateFunctions
      ? { inventoryAggregateFunctions: each(inventoryAggregateFunctions, ([row, value]) => pairWithTimes(row, value, written)) }
      : {}),
  }
}

/** The value of a function stands among the fields too: written there, it is written alike beside them. */
function pairWithTimes(row: Row, value: unknown, written: (row: Row) => Row): [Row, unknown] {
  const fields = written(row)
  const field = Object.keys(row).find((name) => row[name] === value)
  return [fields, field === undefined ? value : fields[field]]
}

/** The answer of a batch query as the dialect has it: its times wherever they stand. */
export const batchWithTimes = (reply: Row, form: TimeForm): Row => ({ result: timesWithin(reply['result'], form) })

function timesWithin(value: unknown, form: TimeForm): unknown {
  if (value instanceof Moment) return form(value.epochMs)
  if (Array.isArray(value)) return value.map((one) => timesWithin(one, form))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, timesWithin(one, form)]))
}
