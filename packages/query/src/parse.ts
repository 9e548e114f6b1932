/** A query string, read and checked against the resource it asks for. */
import { SkerryError } from '@skerry/contract'
import { type Expression, parseCondition } from './condition.ts'
import type { SortKey } from './order.ts'
import { type QueryTarget, type QueryTargets, unknownField } from './target.ts'

/** What HTTP hands in: decoded strings, untrimmed. Numbers and booleans may come as text. */
export interface ParsedParams {
  q: readonly string[]
  limit?: number | string
  start?: number | string
  count?: boolean | string
  replyWithCount?: boolean | string
  /** `+field`, `-field`, `field`; ` field` is a `+` that a hand-made URL left unencoded. */
  sort?: string
  /** Names or one comma list. */
  fields?: readonly string[] | string
  groupBy?: string
  /** `<relation or type>:<uuid>,…`: only what is related to one of these. */
  filterName?: string
}

export interface Query {
  target: QueryTarget
  /** All of them have to hold. */
  conditions: readonly Expression[]
  /** Infinity: all. */
  limit: number
  start: number
  /** Only the number is wanted, no rows. */
  count: boolean
  replyWithCount: boolean
  sort?: readonly SortKey[]
  /** Fields (and names of relations, which the caller expands) that the answer holds; all when absent. */
  fields?: string[]
  groupBy?: string
}

/** header/.../query/APIQueryMessage.java, by zstack-core §1.6. */
const DEFAULT_LIMIT = 1000

export function parseQuery(params: ParsedParams, target: QueryTarget, targets: QueryTargets): Query {
  const query: Query = {
    target,
    conditions: [...params.q, ...filterOf(params.filterName, target)].map((text) => parseCondition(text, target, targets)),
    limit: natural('limit', params.limit, DEFAULT_LIMIT),
    start: natural('start', params.start, 0),
    count: flag(params.count),
    replyWithCount: flag(params.replyWithCount),
  }
  if (params.sort !== undefined && params.sort.trim() !== '') query.sort = [parseSort(params.sort, target)]
  const fields = typeof params.fields === 'string' ? params.fields.split(',') : params.fields
  if (fields && fields.length > 0) query.fields = fields.map((name) => knownName(name.trim(), target))
  if (params.groupBy) query.groupBy = ownField(params.groupBy, target)
  return query
}

/** A filter as the condition that it stands for. Its type is the name of a relation, or the resource behind just one of them. */
export function filterOf(text: string | undefined, target: QueryTarget): string[] {
  if (text === undefined || text.trim() === '') return []
  const [, type, uuids] = /^\s*([A-Za-z]\w*)\s*:(.*)$/.exec(text) ?? []
  if (type === undefined || uuids === undefined || uuids.trim() === '')
    throw new SkerryError('invalid-argument', `filterName must be <type>:<uuid>, not ${JSON.stringify(text)}`, {
      field: 'filterName',
    })
  const behind = Object.entries(target.relations).filter(([, relation]) => relation.target === type)
  // `vmInstance.zone` stands beside `vmInstance.zoneUuid`'s other names for the same: any of them will do.
  const ways = new Map(behind.map(([name, relation]) => [JSON.stringify(relation.via), name]))
  const name = Object.hasOwn(target.relations, type) ? type : ways.size === 1 ? [...ways.values()][0] : undefined
  if (name === undefined) throw unknownField(type, type, target)
  const wanted = uuids.split(',').map((uuid) => uuid.trim())
  return [`${name}.uuid?=${wanted.join(',')}`]
}

function natural(name: string, value: number | string | undefined, otherwise: number): number {
  if (value === undefined || value === '') return otherwise
  const number = Number(value)
  if (!Number.isInteger(number) || number < 0)
    throw new SkerryError('invalid-argument', `${name} must be a whole number, not ${JSON.stringify(value)}`, { [name]: value })
  return number
}

const flag = (value: boolean | string | undefined): boolean => value === true || value === 'true'

function parseSort(text: string, target: QueryTarget): SortKey {
  const signed = /^[+\- ]/.test(text)
  const field = ownField(signed ? text.slice(1) : text, target)
  if (target.fields[field] === 'list') throw new SkerryError('invalid-argument', `cannot sort by the list ${field}`, { field })
  return { field, descending: text.startsWith('-') }
}

export function ownField(name: string, target: QueryTarget): string {
  if (!Object.hasOwn(target.fields, name)) throw unknownField(name, name, target)
  return name
}

/** `vmNics.ip` asks for a part of a relation: its first word has to be known, the rest is the caller's. */
export function knownName(name: string, target: QueryTarget): string {
  const first = name.split('.')[0]!
  if (!Object.hasOwn(target.fields, first) && !Object.hasOwn(target.relations, first)) throw unknownField(name, first, target)
  return name
}
