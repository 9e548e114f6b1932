/** The graph as one caller sees it. Every row that a query looks at goes through here, so that what is hidden is hidden everywhere. */
import type { Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { belongs, type QueryTarget } from './target.ts'

/**
 * Whether the caller may see a row. `noun` is the resource's name (`vmInstance`, `systemTag`: the names of `QueryTargets`, not of
 * tables), `key` the row's key in its table. A row for which it is false is as one that does not exist, at every place where a query
 * meets it: as an answer, in a count, a group or a sum, at any step of a chain of relations (`vmNics.l3Network.name` does not pass
 * through a hidden NIC), in a tag condition, and in a nested query. It is asked once or more for each row that a query looks at:
 * it must be cheap (a set, not a scan), must not change its mind during a query, and must not throw.
 *
 * What stands inside a visible row is not asked for: fields that name other rows, and the children that an inventory shows inline.
 */
export type Visible = (noun: string, row: Readonly<Row>, key: string) => boolean

export interface View {
  readonly graph: Graph
  readonly visible?: Visible | undefined
  /** Rows that were looked at, by table. */
  readonly looked: Record<string, number>
}

export const viewOf = (graph: Graph, visible?: Visible): View => ({ graph, visible, looked: {} })

export const nounOf = (target: QueryTarget): string => target.noun ?? target.table

/** Whether a row of the target's table is one of the target's, and may be seen. */
export function sees(view: View, target: QueryTarget, key: string, row: Readonly<Row> | undefined): row is Readonly<Row> {
  if (row === undefined) return false
  view.looked[target.table] = (view.looked[target.table] ?? 0) + 1
  return belongs(target, row) && (view.visible === undefined || view.visible(nounOf(target), row, key))
}

/** The row of a key, where it may be seen. */
export function look(view: View, target: QueryTarget, key: string): Readonly<Row> | undefined {
  const row = view.graph.get(target.table, key)
  return sees(view, target, key, row) ? row : undefined
}
