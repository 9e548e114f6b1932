/** A ZQL statement as it was written, before anybody knows whether its names mean something. */

/** Names between dots. */
export interface Path {
  words: readonly string[]
  /** Offset in the text. */
  at: number
}

/** `query host.uuid where …` as the values of a condition. */
export interface NestedQuery {
  entity: string
  field: Path
  where?: Where
  at: number
}

export const comparisons = [
  'is not null',
  'is null',
  'not null',
  'not in',
  'not like',
  'not has',
  'in',
  'like',
  'has',
  '!=',
  '>=',
  '<=',
  '=',
  '>',
  '<',
] as const
export type Comparing = (typeof comparisons)[number]

export interface Comparison {
  path: Path
  op: Comparing
  values: readonly string[]
  nested?: NestedQuery
  /** As it was written. */
  text: string
}

export type Where = Comparison | { all: readonly Where[] } | { any: readonly Where[] }

export interface Statement {
  verb: 'query' | 'count' | 'sum' | 'search'
  /** `max(distinct(…))` is `['max', 'distinct']`. */
  functions: readonly string[]
  /** One, but for `search`: several, or none for all. */
  entities: readonly string[]
  at: number
  /** Of the entity; none: all. */
  fields: readonly Path[]
  /** Of `search`. */
  keyword?: string
  sumBy?: string
  where?: Where
  restrictBy?: readonly Comparison[]
  returnWith?: readonly { path: Path; block?: string }[]
  groupBy?: readonly string[]
  orderBy?: readonly { field: string; descending: boolean }[]
  limit?: number
  offset?: number
  filterBy?: readonly { name: string; content: string }[]
  namedAs?: string
}
