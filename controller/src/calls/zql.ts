/** ZQL for a caller: what it may not list it may not name, and what it may not see is not there. */
import { type Resource, type Row, resourceOf, SkerryError, tableOf, type ZqlReturn } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { entities, listed, parseZql, runZqlSliced, targets, type ZqlAnswer } from '@skerry/query'
import type { Call } from '../engine/port.ts'
import { resourceTypeOf } from '../engine/tags.ts'
import { Guard } from '../identity/guard.ts'
import { render } from '../inventory/index.ts'

export interface ZqlPorts {
  graph: Graph
  /** ms, for slices */
  monotonic(): number
  pause(): Promise<void>
}

/** Longest stretch that a query holds the event loop. */
const SLICE_MS = 5
/** Inventories that are drawn between two pauses. */
const DRAWN = 500

export function zqlCalls(p: ZqlPorts): Record<string, (call: Call) => Promise<Row>> {
  const guard = new Guard(p.graph)
  return {
    ZQLQuery: async ({ params, caller }) => {
      const text = String(params['zql'] ?? '')
      if (text.trim() === '') throw new SkerryError('invalid-argument', 'zql must be given: query vminstance', { field: 'zql' })
      const listable = (noun: string) => guard.may({ api: listed.get(noun)!, resource: resourceOf(noun)!, caller })
      const zql = parseZql(text, { targets, entities, listable })
      for (const noun of zql.nouns) guard.authorize({ api: listed.get(noun)!, resource: resourceOf(noun)!, caller })
      const explained = params['explain'] === true
      if (explained && !caller?.admin)
        throw new SkerryError(
          'permission-denied',
          'explain tells of what other accounts have: only an administrator may ask for it',
        )
      const visible = guard.visible(caller)
      const answers = await runZqlSliced(p.graph, zql, { sliceMs: SLICE_MS, now: p.monotonic, pause: p.pause, visible })
      const seen = { ...p, graph: guard.seen(caller) }
      const results: ZqlReturn[] = []
      for (const answer of answers) results.push(await resultOf(seen, answer, explained))
      return { results }
    },
  }
}

/** An answer in ZStack's shape, dates in epoch ms; `of` says of what resource its rows are, for who writes the dates. */
async function resultOf(p: ZqlPorts, answer: ZqlAnswer, explained: boolean): Promise<ZqlReturn & { of: string }> {
  const { noun, name, sums, counts, aggregates, partial, found, total, returnWith, explain } = answer
  const inventories = answer.rows
    ? await drawn(p, resourceOf(noun)!, answer.rows)
    : (partial ??
      sums ??
      found?.map((one) => ({ uuid: one.uuid, resourceName: one.name, resourceType: resourceTypeOf(one.noun) })))
  return {
    of: noun,
    ...(inventories ? { inventories } : {}),
    ...(counts ? { inventoryCounts: counts } : {}),
    ...(aggregates ? { inventoryAggregateFunctions: aggregates } : {}),
    ...(total === undefined ? {} : { total }),
    ...(returnWith ? { returnWith } : {}),
    ...(name === undefined ? {} : { name }),
    ...(explained && explain ? { explain: { ...explain } } : {}),
  }
}

async function drawn(p: ZqlPorts, resource: Resource, { keys, fields }: NonNullable<ZqlAnswer['rows']>): Promise<Row[]> {
  const all: Row[] = []
  for (const [i, key] of keys.entries()) {
    if (i % DRAWN === DRAWN - 1) await p.pause()
    // What was deleted since it was found is not there.
    const row = p.graph.get(tableOf(resource), key)
    if (!row) continue
    const inventory = render(p.graph, resource, row)
    all.push(fields ? Object.fromEntries(fields.filter((f) => f in inventory).map((f) => [f, inventory[f]])) : inventory)
  }
  return all
}
