/** Whose a row is, and who may see it. From the contract's scopes and the shares in the graph. Pure. */
import { ADMIN_ACCOUNT, type Resource, type Row, resourceOf, resources, type Scope, tableOf } from '@skerry/contract'
import type { Graph } from '@skerry/graph'

/** What rows can be read of: the graph, or a draft of it. */
export type Rows = Pick<Graph, 'get' | 'by'>

/** `everyone`: of the site, and no secret. undefined: of the site, and for administrators. */
export type Owner = { account: string } | 'everyone' | undefined

/** A row follows another, which may follow a third: a chain longer than the contract's would be a circle. */
const DEPTH = 4

const all = Object.values(resources as Record<string, Resource>)

/** Tables of which any row may be named by a `resourceUuid`. */
const anyTable: readonly string[] = all.filter((r) => tableOf(r) === r.name && !r.indexes.includes('uuid')).map((r) => r.name)

/** The row with this uuid, whatever it is. */
export function anyRow(graph: Rows, uuid: string): { table: string; row: Readonly<Row> } | undefined {
  for (const table of anyTable) {
    const row = graph.get(table, uuid)
    if (row) return { table, row }
  }
  return undefined
}

/** The row that another one belongs to. */
function leader(graph: Rows, { follows, of }: Extract<Scope, { follows: string }>, row: Readonly<Row>) {
  const uuid = row[follows]
  if (typeof uuid !== 'string') return undefined
  if (of === '*') return anyRow(graph, uuid)
  const found = graph.get(of, uuid)
  return found && { table: of, row: found }
}

/** The row at the end of the chain, which has an owner or is of the site. */
function head(graph: Rows, table: string, row: Readonly<Row>): { scope: Scope | undefined; row: Readonly<Row> } {
  let at = { table, row }
  for (let depth = 0; depth < DEPTH; depth++) {
    const scope = resourceOf(at.table)?.scope
    if (typeof scope !== 'object' || !('follows' in scope)) return { scope, row: at.row }
    const next = leader(graph, scope, at.row)
    if (!next) break
    at = next
  }
  return { scope: 'admin', row: at.row }
}

/** Whose the row of that table is. */
export function ownerOf(graph: Rows, table: string, row: Readonly<Row>): Owner {
  const { scope, row: at } = head(graph, table, row)
  if (scope === 'everyone') return 'everyone'
  if (typeof scope !== 'object' || !('owner' in scope)) return undefined
  return { account: (at[scope.owner] as string | null | undefined) ?? ADMIN_ACCOUNT }
}

/** Whether the resource was shared with the account, or with all. */
function isShared(graph: Rows, uuid: unknown, account: string): boolean {
  for (const key of graph.by('sharedResource', 'resourceUuid', uuid)) {
    const share = graph.get('sharedResource', key)
    if (share?.['toPublic'] === true || share?.['receiverAccountUuid'] === account) return true
  }
  return false
}

/** Whether an account that is no administrator's may see the row. */
export function maySee(graph: Rows, account: string, table: string, row: Readonly<Row>): boolean {
  const { scope, row: at } = head(graph, table, row)
  if (scope === 'everyone') return true
  if (typeof scope !== 'object' || !('owner' in scope)) return false
  return ((at[scope.owner] as string | null | undefined) ?? ADMIN_ACCOUNT) === account || isShared(graph, at['uuid'], account)
}
