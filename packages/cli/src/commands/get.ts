/** `skerry get <noun> [name|uuid]`: lists, or one. */
import type { Row } from '@skerry/contract'
import { SkerryError } from '@skerry/contract/errors'
import type { Client } from '@skerry/sdk'
import type { CatalogResource } from '../catalog.ts'
import type { Io } from '../io.ts'
import { type Format, formatList, formatOne } from '../output.ts'
import { clientOf, type Globals } from '../session.ts'
import type { Leaf } from '../tree.ts'

export interface GetOptions extends Globals {
  output: Format
  query?: string[]
  limit?: string
  start?: string
  sort?: string
  fields?: string
  columns?: string
  count?: boolean
  at?: string
}

export async function get(io: Io, resource: CatalogResource, subject: string | undefined, o: GetOptions): Promise<void> {
  const client = await clientOf(io, o)
  const fields = listOf(o.fields)
  const columns = columnsOf(resource, listOf(o.columns)) ?? fields ?? resource.columns
  if (subject !== undefined) {
    const inventory = await client.get(resource.name, subject, o.at ? { at: o.at } : {})
    io.out(await formatOne({ inventory }, columns, o.output))
    await showTrees(io, resource, o, [inventory])
    return o.at ? undefined : showConditions(io, client, o.output, [inventory])
  }
  const numbers = { ...(o.limit ? { limit: Number(o.limit) } : {}), ...(o.start ? { start: Number(o.start) } : {}) }
  const found = await client.query(resource.name, {
    ...numbers,
    q: o.query ?? [],
    ...(o.sort ? { sort: o.sort } : {}),
    ...(o.count ? { count: true } : {}),
    ...(o.at ? { at: o.at } : {}),
    ...(fields ? { fields } : {}),
  })
  io.out(o.count ? String(found.total ?? 0) : await formatList(found.inventories, columns, o.output))
  if (!o.count) await showTrees(io, resource, o, found.inventories)
  // What is wrong now says nothing of then.
  return o.at ? undefined : showConditions(io, client, o.output, found.inventories)
}

/** For people, below the table, unless they asked for columns of their own. */
async function showTrees(io: Io, { tree }: CatalogResource, o: GetOptions, rows: readonly Row[]): Promise<void> {
  if (tree === undefined || o.output !== 'table' || o.columns !== undefined) return
  const { drawnTree } = await import('../tree.ts')
  for (const row of rows) if (row[tree]) io.out(`\n${drawnTree(row[tree] as Leaf)}`)
}

const listOf = (text: string | undefined) => text?.split(',').map((one) => one.trim())

/** Columns that were asked for. Throws `invalid-argument` for one that no such resource has. */
function columnsOf(resource: CatalogResource, asked: string[] | undefined): string[] | undefined {
  const known = [...Object.keys(resource.fields), ...resource.lists]
  const unknown = asked?.find((column) => !known.includes(column.split('.')[0] ?? '') && !resource.columns.includes(column))
  if (unknown !== undefined)
    throw new SkerryError('invalid-argument', `--columns: a ${resource.noun} has no ${unknown}`, {
      field: 'columns',
      allowed: known,
    })
  return asked
}

/** Who may not see them, or asks a controller without them, gets the resources all the same. */
const UNSEEN: readonly string[] = ['permission-denied', 'not-found', 'not-ready']

/** What is wrong with the resources just shown, for people, beside the table: their state alone may look well. */
async function showConditions(io: Io, client: Client, format: Format, rows: readonly Row[]): Promise<void> {
  if (format !== 'table' || rows.length === 0) return
  const shown = new Set(rows.map((row) => row['uuid']))
  const [only] = rows.length === 1 ? shown : []
  try {
    const { conditions } = await client.conditions(typeof only === 'string' ? { resourceUuid: only } : {})
    for (const { severity, message, resourceUuids } of conditions)
      if (resourceUuids.some((uuid) => shown.has(uuid))) io.err(`${severity}: ${message}\n`)
  } catch (error) {
    if (!(error instanceof SkerryError && UNSEEN.includes(error.code))) throw error
  }
}
