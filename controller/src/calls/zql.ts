/** ZQL for a caller: what it may not list it may not name, and what it may not see is not there. */
import { type Row, resourceOf, SkerryError, tableOf, type ZqlReturn } from '@skerry/contract'
import type { Frozen, Graph } from '@skerry/graph'
import { entities, listed, parseZql, runZqlSliced, targets, type ZqlAnswer } from '@skerry/query'
import type { Call, Caller } from '../engine/port.ts'
import { resourceTypeOf } from '../engine/tags.ts'
import { Guard } from '../identity/guard.ts'
import { LONG, LongList, render } from '../inventory/index.ts'

export interface ZqlPorts {
  graph: Graph
  /** the same as it is now */
  freeze(): Frozen
  /** ms, for slices */
  monotonic(): number
  pause(): Promise<void>
}

/** Longest stretch that a query holds the event loop. */
const SLICE_MS = 5

export function zqlCalls(p: ZqlPorts): { ZQLQuery: (call: Call) => Promise<Row> } {
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
      return { results: resultsOf(p, answers, { caller, explained }) }
    },
  }
}

/** How many elements the lists of an answer have. */
const lengthOf = ({ rows, partial, sums, counts, aggregates, found }: ZqlAnswer): number =>
  (rows?.keys ?? partial ?? sums ?? counts ?? aggregates ?? found ?? []).length

/** What is short together is drawn at once; what is long when it is written, all of it as things are now. */
function resultsOf(
  p: ZqlPorts,
  answers: readonly ZqlAnswer[],
  { caller, explained }: { caller: Caller | undefined; explained: boolean },
): ZqlResult[] {
  const long = answers.reduce((sum, answer) => sum + lengthOf(answer), 0) > LONG
  const { graph, close } = long ? p.freeze() : { graph: p.graph, close: () => {} }
  const drawing = { seen: new Guard(graph).seen(caller), long, close }
  return answers.map((answer) => resultOf(drawing, answer, explained))
}

interface Drawing {
  /** the graph as the caller sees it */
  seen: Graph
  /** elements are made when they are written */
  long: boolean
  close: () => void
}

/** What of a result may be long. */
type Lists = 'inventories' | 'inventoryCounts' | 'inventoryAggregateFunctions'
/** `of` says of what resource its rows are, for who writes the dates. */
type ZqlResult = Omit<ZqlReturn, Lists> & { [name in Lists]?: ZqlReturn[name] | LongList<unknown> } & { of: string }

/** An answer in ZStack's shape, dates in epoch ms. */
function resultOf(d: Drawing, answer: ZqlAnswer, explained: boolean): ZqlResult {
  const { noun, name, sums, counts, aggregates, partial, found, total, returnWith, explain } = answer
  const listed: readonly unknown[] | undefined = partial ?? sums
  const inventories = answer.rows ? drawn(d, noun, answer.rows) : found ? list(d, found, foundOne) : listed && list(d, listed)
  return {
    of: noun,
    ...(inventories ? { inventories: inventories as ZqlReturn['inventories'] } : {}),
    ...(counts ? { inventoryCounts: list(d, counts) as ZqlReturn['inventoryCounts'] } : {}),
    ...(aggregates ? { inventoryAggregateFunctions: list(d, aggregates) as ZqlReturn['inventoryAggregateFunctions'] } : {}),
    ...(total === undefined ? {} : { total }),
    ...(returnWith ? { returnWith } : {}),
    ...(name === undefined ? {} : { name }),
    ...(explained && explain ? { explain: { ...explain } } : {}),
  }
}

type FoundOne = NonNullable<ZqlAnswer['found']>[number]
const foundOne = (one: FoundOne) => ({ uuid: one.uuid, resourceName: one.name, resourceType: resourceTypeOf(one.noun) })

/** What was found, in a form. */
function list<T>(
  { long, close }: Drawing,
  all: readonly T[],
  of: (one: T) => unknown = (one) => one,
): unknown[] | LongList<unknown> {
  return long ? new LongList(() => all, close).map(of) : all.map((one) => of(one))
}

function drawn(
  { seen, long, close }: Drawing,
  noun: string,
  { keys, fields }: NonNullable<ZqlAnswer['rows']>,
): Row[] | LongList<Row> {
  const resource = resourceOf(noun)!
  const each = function* () {
    for (const key of keys) {
      // What was deleted since it was found is not there.
      const row = seen.get(tableOf(resource), key)
      if (!row) continue
      const inventory = render(seen, resource, row)
      yield fields ? Object.fromEntries(fields.filter((f) => f in inventory).map((f) => [f, inventory[f]])) : inventory
    }
  }
  return long ? new LongList<Row>(each, close) : [...each()]
}
