/** Running ZQL: each statement by itself, in the order of the text. The shapes are those of ZStack's `ZQLQueryReturn` (zstack-core §2.28). */
import type { Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Explain } from '../explain.ts'
import { isOwnOrder, onceEach, orderedPage } from '../in-order.ts'
import { eachMatch } from '../matches.ts'
import { First, orderBy } from '../order.ts'
import { atOnce, type QueryOptions, type SliceOptions, sliced } from '../run.ts'
import { type View, viewOf } from '../view.ts'
import { type At, valuesAt } from '../walk.ts'
import { aggregated, type Group, Groups, picked } from './groups.ts'
import { parseStatements } from './parse.ts'
import { type Resolved, resolve, type ZqlNames } from './resolve.ts'
import { type Found, searched } from './search.ts'

/** Answer to one statement; of the forms of its rows one at most is there. */
export interface ZqlAnswer {
  /** Resource that was asked. */
  noun: string
  /** `named as`. */
  name?: string
  /** Whole rows of the graph; of each only `fields`, if there are any. */
  rows?: { rows: Readonly<Row>[]; keys: string[]; fields?: string[] }
  /** A few fields each: of groups, distinct values. */
  partial?: Row[]
  /** `sum`: the value that they have in common, then a sum a field. */
  sums?: unknown[][]
  /** `count … group by`: fields of a group, and how many it has. Absent where there is no group. */
  counts?: [Row, number][]
  /** `max`, `min`, `avg`: fields, and the value. */
  aggregates?: [Row, unknown][]
  /** `search`: what was found, of any resource. */
  found?: Found[]
  total?: number
  /** Path → key of a row → what stands at the path. */
  returnWith?: Record<string, Record<string, unknown[]>>
  explain?: Explain
}

/** Reads a ZQL text and what its names mean. Throws `malformed-request` (says where) or `invalid-argument` (names the closest). */
export function parseZql(text: string, names: ZqlNames): Zql {
  const nouns = new Set<string>()
  const known = { ...names, named: (noun: string) => void nouns.add(noun) }
  const steps = parseStatements(text).map((statement) => {
    if (statement.verb === 'search') return searched(statement, known)
    const resolved = resolve(statement, known)
    return (view: View) => run(view, resolved)
  })
  return { steps, nouns }
}

/** A text that was understood. */
export interface Zql {
  /** Resources that it names, in nested queries too; those that a chain of relations passes through are not among them. */
  readonly nouns: ReadonlySet<string>
  readonly steps: readonly ((view: View) => Generator<void, ZqlAnswer>)[]
}

/** Runs a text without interruption. Every row is shown to `visible` first, at every level. */
export function runZql(graph: Graph, zql: Zql, options: QueryOptions = {}): ZqlAnswer[] {
  return zql.steps.map((step) => atOnce(step(viewOf(graph, options.visible))))
}

/** The same in slices of about `sliceMs`. */
export async function runZqlSliced(graph: Graph, zql: Zql, options: SliceOptions): Promise<ZqlAnswer[]> {
  const answers: ZqlAnswer[] = []
  for (const step of zql.steps) answers.push(await sliced(step(viewOf(graph, options.visible)), options))
  return answers
}

function* run(view: View, asked: Resolved): Generator<void, ZqlAnswer> {
  const answer: ZqlAnswer = { noun: asked.noun, ...(asked.name === undefined ? {} : { name: asked.name }) }
  const grouped = asked.verb === 'sum' || asked.groupBy.length > 0 || asked.distinct || asked.aggregate !== undefined
  return yield* grouped
    ? runGroups(view, asked, answer)
    : asked.verb === 'count'
      ? runCount(view, asked, answer)
      : runRows(view, asked, answer)
}

function* runCount(view: View, asked: Resolved, answer: ZqlAnswer): Generator<void, ZqlAnswer> {
  let total = 0
  const explain = yield* eachMatch(view, asked, () => void total++)
  return { ...answer, total, explain }
}

function* runRows(view: View, asked: Resolved, answer: ZqlAnswer): Generator<void, ZqlAnswer> {
  const { sort, limit, offset, total: wantsTotal, fields } = asked
  const wanted = offset + limit
  const first = new First(wanted, orderBy(sort))
  let total = 0
  const page = isOwnOrder(sort) && !wantsTotal ? wanted : undefined
  const ordered = page === undefined && !wantsTotal ? orderedPage(sort, wanted) : undefined
  const explain = yield* eachMatch(view, { ...asked, page, ordered }, (at) => {
    total++
    first.add(at)
  })
  const best = yield* first.result()
  const found = (ordered ? yield* onceEach(best) : best).slice(offset)
  const rows: NonNullable<ZqlAnswer['rows']> = { rows: [], keys: [], ...(fields.length > 0 ? { fields } : {}) }
  for (const { row, key } of found) {
    rows.rows.push(row)
    rows.keys.push(key)
    yield
  }
  const beside = asked.returnWith.length > 0 ? { returnWith: yield* returned(view, asked, found) } : {}
  return { ...answer, rows, ...(wantsTotal ? { total } : {}), ...beside, explain }
}

function* returned(view: View, { returnWith }: Resolved, found: readonly At[]) {
  const all: NonNullable<ZqlAnswer['returnWith']> = {}
  for (const { name, path } of returnWith) {
    const values: Record<string, unknown[]> = {}
    for (const at of found) {
      values[String(at.row['uuid'] ?? at.key)] = yield* valuesAt(view, path, at)
      yield
    }
    all[name] = values
  }
  return all
}

function* runGroups(view: View, asked: Resolved, answer: ZqlAnswer): Generator<void, ZqlAnswer> {
  const { groupBy, fields, distinct, verb, aggregate, limit, offset } = asked
  const by = distinct && !aggregate && verb !== 'sum' ? [...new Set([...groupBy, ...fields])] : groupBy
  const groups = new Groups(by, fields, orderBy(asked.sort.filter(({ field }) => field !== 'groupCount')))
  let total = 0
  const explain = yield* eachMatch(view, asked, (at) => {
    total++
    groups.add(at)
  })
  explain.plan.children!.push({ step: 'group', of: by.join(','), found: groups.size() })
  const page = (yield* groups.sorted(asked.sort, (group, field) => sortValue(asked, group, field))).slice(offset, offset + limit)
  const withTotal = asked.total || verb === 'count' ? { total: distinct && groupBy.length === 0 ? groups.size() : total } : {}
  return { ...answer, ...(yield* shaped(asked, page, aggregate)), ...withTotal, explain }
}

function sortValue({ verb, fields, groupBy }: Resolved, group: Group, field: string): unknown {
  if (field === 'groupCount') return group.count
  return verb === 'sum' && fields.includes(field) && !groupBy.includes(field)
    ? aggregated(group, 'sum', field)
    : group.first.row[field]
}

/** The form in which ZStack answers: lists of values for `sum`, pairs for counts and functions, else rows of a few fields. */
function* shaped(asked: Resolved, page: readonly Group[], aggregate: Resolved['aggregate']): Generator<void, Partial<ZqlAnswer>> {
  const { verb, groupBy, fields } = asked
  const row = (group: Group) => group.first.row
  if (verb === 'sum') {
    const valuesOf = (group: Group) => [row(group)[groupBy[0]!] ?? null, ...fields.map((f) => aggregated(group, 'sum', f))]
    return { sums: yield* each(page, valuesOf) }
  }
  if (verb === 'count') {
    if (page.length === 0 || groupBy.length === 0) return {}
    return { counts: yield* each(page, (group): [Row, number] => [picked(row(group), groupBy), group.count]) }
  }
  if (!aggregate) return { partial: yield* each(page, (group) => picked(row(group), [...groupBy, ...fields])) }
  const [field] = fields as [string]
  const pairOf = (group: Group): [Row, unknown] => {
    const value = aggregated(group, aggregate, field)
    return [{ ...picked(row(group), groupBy), ...(value === null ? {} : { [field]: value }) }, value]
  }
  return { aggregates: yield* each(page, pairOf) }
}

/** `map` in steps. */
function* each<T, R>(all: readonly T[], of: (one: T) => R): Generator<void, R[]> {
  const made: R[] = []
  for (const one of all) {
    made.push(of(one))
    yield
  }
  return made
}
