/** What usage costs. Pure. */
import { byteUnits, type PricedItem, priceTimeUnits } from '@skerry/contract'
import type { Binding, Usage } from './usage.ts'

/** A row of the table `price`. */
export interface Price {
  uuid: string
  resourceName: PricedItem
  resourceUnit: keyof typeof byteUnits | null
  timeUnit: keyof typeof priceTimeUnits
  price: number
  dateInLong: number
  endDateInLong: number | null
  tableUuid: string | null
  createDate: number
}

export interface Line extends Usage {
  /** absent: nothing said what it costs then, and it costs nothing */
  price?: Price
  amount: number
}

/** One unit for one millisecond. */
const rate = ({ price, resourceUnit, timeUnit }: Price) =>
  price / (resourceUnit === null ? 1 : byteUnits[resourceUnit]) / priceTimeUnits[timeUnit]

/** Of prices that hold at the same time the one that began last, and of two that began together the one that was made last. */
const newer = (a: Price, b: Price) => b.dateInLong - a.dateInLong || b.createDate - a.createDate || (a.uuid < b.uuid ? 1 : -1)

const holds = ({ dateInLong, endDateInLong }: Price, time: number) =>
  dateInLong <= time && (endDateInLong === null || endDateInLong > time)

/** The table that the account is bound to at that time. */
const tableAt = (bindings: readonly Binding[], account: string, time: number) =>
  bindings.find((b) => b.accountUuid === account && b.from <= time && time < b.to)?.tableUuid ?? null

/**
 * Each usage cut where its price changes. A table that says nothing of an item leaves it to the prices that are in no table, so that
 * one who gives a customer another price for memory need not repeat all the others.
 */
export function linesOf(usages: readonly Usage[], prices: readonly Price[], bindings: readonly Binding[]): Line[] {
  const sorted = [...prices].sort(newer)
  const priceAt = (usage: Usage, time: number) => {
    const table = tableAt(bindings, usage.accountUuid, time)
    const of = (tableUuid: string | null) =>
      sorted.find((p) => p.resourceName === usage.item && p.tableUuid === tableUuid && holds(p, time))
    return (table === null ? undefined : of(table)) ?? of(null)
  }
  const cuts = [
    ...prices.flatMap(({ dateInLong, endDateInLong }) => [dateInLong, ...(endDateInLong === null ? [] : [endDateInLong])]),
    ...bindings.flatMap(({ from, to }) => [from, to]),
  ]
  const times = [...new Set(cuts)].sort((a, b) => a - b)
  return usages.flatMap((usage) => {
    const inside = times.filter((t) => usage.from < t && t < usage.to)
    const edges = [usage.from, ...inside, usage.to]
    return joined(edges.slice(1).map((to, i) => priced({ ...usage, from: edges[i]!, to }, priceAt(usage, edges[i]!))))
  })
}

const priced = (usage: Usage, price: Price | undefined): Line => ({
  ...usage,
  ...(price ? { price } : {}),
  amount: price ? usage.quantity * (usage.to - usage.from) * rate(price) : 0,
})

/** Neighbours of one price are one line. */
function joined(lines: readonly Line[]): Line[] {
  const all: Line[] = []
  for (const line of lines) {
    const last = all.at(-1)
    if (last && last.price === line.price) all[all.length - 1] = { ...last, to: line.to, amount: last.amount + line.amount }
    else all.push(line)
  }
  return all
}

export const totalOf = (lines: readonly Line[]): number => lines.reduce((sum, { amount }) => sum + amount, 0)
