/** `skerry get <noun> [name|uuid]`: lists, or one. */
import type { Resource } from '@skerry/contract'
import type { Io } from '../io.ts'
import { type Format, formatList, formatOne } from '../output.ts'
import { clientOf, type Globals } from '../session.ts'

export interface GetOptions extends Globals {
  output: Format
  query?: string[]
  limit?: string
  start?: string
  sort?: string
  fields?: string
  count?: boolean
}

export async function get(io: Io, resource: Resource, subject: string | undefined, o: GetOptions): Promise<void> {
  const client = await clientOf(io, o)
  const fields = o.fields?.split(',').map((field) => field.trim())
  const columns = fields ?? resource.columns
  if (subject !== undefined) {
    io.out(await formatOne({ inventory: await client.get(resource.name, subject) }, columns, o.output))
    return
  }
  const numbers = { ...(o.limit ? { limit: Number(o.limit) } : {}), ...(o.start ? { start: Number(o.start) } : {}) }
  const found = await client.query(resource.name, {
    ...numbers,
    q: o.query ?? [],
    ...(o.sort ? { sort: o.sort } : {}),
    ...(o.count ? { count: true } : {}),
    ...(fields ? { fields } : {}),
  })
  io.out(o.count ? String(found.total ?? 0) : await formatList(found.inventories, columns, o.output))
}
