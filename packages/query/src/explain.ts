/** How a query was answered, for people: the way into the table, what was tested how, and how many rows were looked at. */
import { type Condition, type Expression, isCondition } from './condition.ts'

export interface PlanNode {
  /**
   * `query`: the whole; its first child is the way in, the others test what comes out of it. Ways in: `key`, `index`, `relation` (from
   * its far end), `union` (of several), `order` (the table from its beginning,
   * or an index from its first or last value, until the page is full), `scan`. Tests: `test`, `and`, `or`. `nested`: a query that gave a condition its values. `sort`, `group`.
   */
  step: 'query' | 'key' | 'index' | 'relation' | 'union' | 'order' | 'scan' | 'test' | 'and' | 'or' | 'nested' | 'sort' | 'group'
  /** Table, or `table.field` of an index. */
  of?: string
  condition?: string
  /** Of a test: on each candidate row (walking its relations), or against a set made once from the far end. */
  by?: 'row' | 'set'
  /** How many rows the way in was expected to give, at most. */
  estimate?: number
  /** Of a query: rows of its table that were looked at, and rows that were found. */
  examined?: number
  found?: number
  children?: PlanNode[]
}

export interface Explain {
  /** How the asked table was entered. */
  access: 'key' | 'index' | 'relation' | 'union' | 'order' | 'scan'
  /** The condition that gave the way in. */
  condition?: string
  /** Rows of the asked table that were looked at. */
  examined: number
  /** Rows of any table that were looked at, on the way in and along relations, by table. */
  looked: Record<string, number>
  /** The other conditions, and whether each was tested row by row or against a set made once from its far end. */
  filters: { condition: string; by: 'row' | 'set' }[]
  /** Whole tables that had to be read, with their sizes. */
  scans: Record<string, number>
  /** The same as a tree. */
  plan: PlanNode
}

/** A condition as text, as far as its writer wrote one. */
export function textOf(expression: Expression): string {
  if (isCondition(expression)) return expression.text
  const [parts, word] = 'all' in expression ? [expression.all, ' and '] : [expression.any, ' or ']
  return `(${parts.map(textOf).join(word)})`
}

/** `vmNic.l3NetworkUuid`: the field of a condition's far table. */
export const fieldOf = (condition: Condition): string => `${condition.target.table}.${condition.field}`
