/** From what a ZQL text says to what it means: names become resources, fields and relations, or errors that name the closest. */
import { SkerryError } from '@skerry/contract'
import { closestWord } from '../closest.ts'
import { type Expression, makeCondition, makeLacking, makeNested, type Operator, parseCondition } from '../condition.ts'
import type { SortKey } from '../order.ts'
import { filterOf, knownName, ownField } from '../parse.ts'
import { type FieldPath, type QueryTarget, type QueryTargets, resolvePath } from '../target.ts'
import { pathBetween } from './between.ts'
import type { Comparing, Comparison, NestedQuery, Statement, Where } from './syntax.ts'

/** What ZQL may ask, and under which names. */
export interface ZqlNames {
  targets: QueryTargets
  /** Lower-case name → name in `targets`. */
  entities: ReadonlyMap<string, string>
  /** Told each resource that a text names: who may not list one may not ask for it here either. */
  named?: (noun: string) => void
  /** Whether a search that names no resource looks here; everywhere, unless said. */
  listable?: (noun: string) => boolean
}

export type Aggregate = 'max' | 'min' | 'avg'

export interface Resolved {
  verb: 'query' | 'count' | 'sum'
  noun: string
  target: QueryTarget
  conditions: Expression[]
  fields: string[]
  distinct: boolean
  aggregate?: Aggregate
  /** Of `group by`, or the one field of `sum … by`. */
  groupBy: string[]
  sort: SortKey[]
  limit: number
  offset: number
  /** `return with (total)`. */
  total: boolean
  /** Other paths to return beside the rows. */
  returnWith: { name: string; path: FieldPath }[]
  name?: string
}

const unsupported = (message: string, details: Record<string, unknown> = {}) =>
  new SkerryError('invalid-argument', message, details)

/** The meaning of a statement. Throws `invalid-argument` for names that mean nothing, and for what can't be asked together. */
export function resolve(statement: Statement, names: ZqlNames): Resolved {
  const { noun, target } = entity(statement.entities[0]!, names)
  const { verb } = statement
  const fields = statement.fields.map(({ words }) => knownName(words.join('.'), target))
  const groupBy = (statement.sumBy === undefined ? (statement.groupBy ?? []) : [statement.sumBy]).map((f) => ownField(f, target))
  const resolved: Resolved = {
    verb: verb === 'search' ? 'query' : verb,
    noun,
    target,
    conditions: conditionsOf(statement, target, names),
    fields,
    ...functionsOf(statement, fields),
    groupBy,
    sort: [],
    limit: statement.limit ?? Number.POSITIVE_INFINITY,
    offset: statement.offset ?? 0,
    ...returned(statement, { target, targets: names.targets }),
    ...(statement.namedAs === undefined ? {} : { name: statement.namedAs }),
  }
  checkFields(resolved, statement)
  resolved.sort = sortOf(statement, resolved)
  return resolved
}

export function entity(name: string, { targets, entities, named }: ZqlNames): { noun: string; target: QueryTarget } {
  const noun = entities.get(name.toLowerCase())
  const target = noun === undefined ? undefined : targets[noun]
  if (noun !== undefined && target) {
    named?.(noun)
    return { noun, target }
  }
  const closest = closestWord(name, [...entities.keys()])
  const hint = closest ? `; did you mean ${closest}?` : ''
  throw unsupported(`cannot find inventory with name[${name}]${hint}`, { entity: name, ...(closest ? { closest } : {}) })
}

function conditionsOf(statement: Statement, target: QueryTarget, names: ZqlNames): Expression[] {
  const { where, restrictBy = [], filterBy = [] } = statement
  const filters = filterBy.flatMap(({ name, content }) => {
    const uuids = content.split(',').map((one) => one.trim().replace(/^(['"])(.*)\1$/, '$2'))
    return filterOf(`${name}:${uuids.join(',')}`, target).map((q) => parseCondition(q, target, names.targets))
  })
  const given = where ? meaning(where, target, names) : undefined
  return [
    ...(given === undefined ? [] : 'all' in given ? given.all : [given]),
    ...restrictBy.map((one) => restriction(one, target, names)),
    ...filters,
  ]
}

function meaning(where: Where, target: QueryTarget, names: ZqlNames): Expression {
  if ('all' in where) return { all: where.all.map((one) => meaning(one, target, names)) }
  if ('any' in where) return { any: where.any.map((one) => meaning(one, target, names)) }
  return comparison(where, resolvePath(where.path.words.join('.'), target, names.targets), names)
}

const asOperator: Record<Exclude<Comparing, 'has' | 'not has'>, Operator> = {
  'is null': 'is null',
  'is not null': 'not null',
  'not null': 'not null',
  'not in': '!?=',
  in: '?=',
  'not like': '!~=',
  like: '~=',
  '=': '=',
  '!=': '!=',
  '>': '>',
  '>=': '>=',
  '<': '<',
  '<=': '<=',
}

function comparison({ op, values, nested, text }: Comparison, path: FieldPath, names: ZqlNames): Expression {
  if (op === 'has' || op === 'not has') {
    if (nested) throw unsupported(`${op} takes values, not a query: ${text}`, { condition: text })
    const each = values.map((value) => (op === 'has' ? makeCondition(path, '=', [value], text) : makeLacking(path, value, text)))
    return op === 'has' ? { all: each } : { any: each }
  }
  const operator = asOperator[op]
  if (!nested) return makeCondition(path, operator, values, text)
  return makeNested(path, operator as '?=' | '!?=', nestedQuery(nested, names), text)
}

function nestedQuery(nested: NestedQuery, names: ZqlNames) {
  const { target } = entity(nested.entity, names)
  const path = resolvePath(nested.field.words.join('.'), target, names.targets)
  const given = nested.where ? meaning(nested.where, target, names) : undefined
  return { target, path, conditions: given ? [given] : [] }
}

/** `zone.uuid = 'x'` of whatever relations lead there; without a resource, a field of the queried one itself. */
function restriction(one: Comparison, target: QueryTarget, names: ZqlNames): Expression {
  const [first, ...rest] = one.path.words as [string, ...string[]]
  const own = Object.hasOwn(target.fields, first) || Object.hasOwn(target.aliases ?? {}, first)
  if (rest.length === 0 && own) return comparison(one, resolvePath(first, target, names.targets), names)
  if (rest.length === 0)
    throw unsupported(`the restrict by clause[${one.text}] without entity name is not handled by any extension`, {
      condition: one.text,
    })
  const { noun } = entity(first, names)
  const way = pathBetween(target, noun, names.targets)
  if (way === undefined)
    throw unsupported(
      `invalid restrict by clause, inventory[${first}] has no restriction to inventory[${target.noun ?? target.table}]`,
      {
        condition: one.text,
      },
    )
  return comparison(one, resolvePath([...way, ...rest].join('.'), target, names.targets), names)
}

const aggregates: readonly string[] = ['max', 'min', 'avg'] satisfies Aggregate[]

function functionsOf({ functions, verb }: Statement, fields: readonly string[]): Pick<Resolved, 'distinct' | 'aggregate'> {
  const known = ['distinct', ...(verb === 'query' ? aggregates : [])]
  for (const one of functions) {
    if (known.includes(one)) continue
    if (one === 'count' || one === 'sum')
      throw unsupported(
        `function ${one} is a statement of its own: ${one === 'count' ? 'count <resource>' : 'sum <resource>.<field> by <field>'}`,
      )
    const closest = closestWord(one, known)
    throw unsupported(`a ${verb} has no function ${one}; it has ${known.join(', ')}`, closest ? { closest } : {})
  }
  const found = functions.filter((one) => one !== 'distinct') as Aggregate[]
  if (found.length > 1) throw unsupported(`${functions.join(' of ')}: one of them at a time`)
  if (functions.length > 0 && verb === 'query' && fields.length === 0)
    throw unsupported(`${functions[0]} needs a field, as in ${functions[0]}(vminstance.cpuNum)`)
  return { distinct: functions.includes('distinct'), ...(found[0] ? { aggregate: found[0] } : {}) }
}

function returned(
  { returnWith = [] }: Statement,
  { target, targets }: { target: QueryTarget; targets: QueryTargets },
): Pick<Resolved, 'total' | 'returnWith'> {
  const paths = []
  let total = false
  for (const { path, block } of returnWith) {
    const name = path.words.join('.')
    if (block !== undefined)
      throw unsupported(`return with ${name}{…} is not known here: it takes total, and fields and relations such as vmNics.ip`)
    if (name === 'total') total = true
    else paths.push({ name, path: resolvePath(name, target, targets) })
  }
  return { total, returnWith: paths }
}

/** Numbers are summed and averaged; only a table's own fields are computed with. */
function checkFields({ verb, fields, aggregate, target, distinct }: Resolved, { functions }: Statement): void {
  if (verb === 'sum' && fields.length === 0) throw unsupported('the field to sum must be specified')
  if (verb !== 'sum' && !aggregate && !distinct) return
  for (const field of fields) {
    ownField(field, target)
    const kind = target.fields[field]!
    const word = verb === 'sum' ? 'sum' : (aggregate ?? functions[0]!)
    const fits = word === 'max' || word === 'min' ? kind !== 'list' : word === 'distinct' || kind === 'number'
    if (!fits) throw unsupported(`${word} of ${field}, which is a ${kind}: it takes a number`, { field, kind })
  }
  if (aggregate && fields.length !== 1) throw unsupported(`${aggregate} takes one field, not ${fields.join(', ')}`)
}

/** Of groups counted, `groupCount` too: how many are in each. */
function sortOf({ orderBy = [] }: Statement, { target, verb, groupBy }: Resolved): SortKey[] {
  return orderBy.map(({ field, descending }) => {
    if (field === 'groupCount' && verb === 'count' && groupBy.length > 0) return { field, descending }
    if (target.fields[ownField(field, target)] === 'list') throw unsupported(`cannot sort by the list ${field}`, { field })
    return { field, descending }
  })
}
