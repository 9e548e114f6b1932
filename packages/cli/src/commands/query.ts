/** `skerry query`: conditions on a noun, ZQL, and how many conditions there are. */
import type { Row } from '@skerry/contract'
import { SkerryError } from '@skerry/contract/errors'
import { closestWord } from '@skerry/query/closest'
import type { CatalogResource } from '../catalog.ts'
import { catalog } from '../contract-catalog.ts'
import type { Io } from '../io.ts'
import { type Format, formatList, formatOne, table } from '../output.ts'
import { clientOf, type Globals } from '../session.ts'
import { drawnTree, type Leaf } from '../tree.ts'
import { resourceNamed } from '../verbs.ts'

export interface QueryCommandOptions extends Globals {
  output: Format
  explain?: boolean
  limit?: string
  sort?: string
  fields?: string
  count?: boolean
  script?: string
  countConditions?: boolean
  depth: string
}

const isZql = ([first = '', ...rest]: readonly string[]) =>
  /^\s*(query|count|sum|search)\b/i.test(first) && (rest.length > 0 || /\s/.test(first.trim()))

export async function query(io: Io, words: readonly string[], o: QueryCommandOptions): Promise<void> {
  if (o.countConditions) return countAll(io, o)
  if (o.script !== undefined) return byScript(io, o.script, words, o)
  if (words.length === 0)
    throw new SkerryError('invalid-argument', 'say what to query: a noun and conditions, or a ZQL text', { field: 'words' })
  return isZql(words) ? byZql(io, words.join(' '), o) : byConditions(io, words, o)
}

async function countAll(io: Io, o: QueryCommandOptions): Promise<void> {
  const depth = Number(o.depth)
  if (!Number.isInteger(depth) || depth < 0 || depth > 8)
    throw new SkerryError('invalid-argument', '--depth is a whole number from 0 to 8', { field: 'depth' })
  const { countConditions, targets } = await import('@skerry/query')
  const { byDepth, total, chains, resources } = countConditions(targets, depth)
  const rows = byDepth.map((conditions, relations) => ({ relations, conditions }))
  if (o.output !== 'table') return io.out(JSON.stringify({ total, chains, resources, byDepth }, null, 2))
  io.out(table(['relations', 'conditions'], rows))
  io.out(`${total} conditions (field × operator) on ${resources} resources, over ${chains} chains of at most ${depth} relations`)
}

/** The resource of a noun. Throws `invalid-argument` that names the nearest. */
function need(noun: string): CatalogResource {
  const found = resourceNamed(noun)
  if (found?.listed) return found
  const nouns = Object.values(catalog.resources).flatMap((one) => (one.listed ? [one.noun] : []))
  const closest = closestWord(noun, nouns)
  const hint = closest ? `did you mean ${closest}?` : `there are ${nouns.sort().join(', ')}`
  throw new SkerryError('invalid-argument', `there is no ${noun} to query; ${hint}`, { noun, ...(closest ? { closest } : {}) })
}

async function byConditions(io: Io, [noun = '', ...q]: readonly string[], o: QueryCommandOptions): Promise<void> {
  const resource = need(noun)
  const fields = o.fields?.split(',').map((one) => one.trim())
  const client = await clientOf(io, o)
  const found = await client.query(resource.name, {
    q,
    ...(o.limit ? { limit: Number(o.limit) } : {}),
    ...(o.sort ? { sort: o.sort } : {}),
    ...(o.count ? { count: true } : {}),
    ...(fields ? { fields } : {}),
    ...(o.explain ? { explain: true } : {}),
  })
  io.out(o.count ? String(found.total ?? 0) : await formatList(found.inventories, fields ?? resource.columns, o.output))
  if (found.explain) io.out(`\n${explained(found.explain)}`)
}

async function byZql(io: Io, zql: string, o: QueryCommandOptions): Promise<void> {
  for (const option of ['limit', 'sort', 'fields', 'count'] as const)
    if (o[option] !== undefined)
      throw new SkerryError('invalid-argument', `--${option} is for conditions: ZQL says it itself`, { field: option })
  const client = await clientOf(io, o)
  const reply = await client.call('ZQLQuery', { zql, ...(o.explain ? { explain: true } : {}) })
  const results = reply['results'] as Row[]
  if (o.output === 'json' || o.output === 'yaml') return io.out(await formatList(results, [], o.output))
  for (const [i, result] of results.entries()) {
    if (i > 0) io.out('')
    if (results.length > 1) io.out(`# ${String(result['name'] ?? i + 1)}`)
    io.out(await shown(result, o.output))
    if (result['explain']) io.out(`\n${explained(result['explain'] as Row)}`)
  }
}

/** What a script puts has no columns: it is JSON, or YAML where that is asked for. */
async function byScript(io: Io, file: string, words: readonly string[], o: QueryCommandOptions): Promise<void> {
  if (words.length > 0)
    throw new SkerryError('invalid-argument', '--script is all that is asked: leave out the words', { field: 'words' })
  const script = await io.readFile(file)
  const { result } = await (await clientOf(io, o)).call('BatchQuery', { script })
  io.out(await formatOne({ inventory: result }, [], o.output === 'yaml' ? 'yaml' : 'json'))
}

/** One answer for people: a table of what it has, then the total. */
async function shown(result: Row, output: Format): Promise<string> {
  const { total, returnWith } = result
  const lines = [await rowsOf(result, output)]
  if (typeof total === 'number') lines.push(`total ${total}`)
  for (const [path, values] of Object.entries((returnWith ?? {}) as Record<string, Row>))
    lines.push(
      table(
        ['uuid', path],
        Object.entries(values).map(([uuid, value]) => ({ uuid, [path]: value })),
      ),
    )
  return lines.filter((line) => line !== '').join('\n')
}

async function rowsOf(result: Row, output: Format): Promise<string> {
  const pairs = (result['inventoryCounts'] ?? result['inventoryAggregateFunctions']) as [Row, unknown][] | undefined
  const value = 'inventoryCounts' in result ? 'count' : 'value'
  const list = pairs?.map(([row, of]): Row => ({ ...row, [value]: of })) ?? (result['inventories'] as Row[] | undefined)
  if (list === undefined) return ''
  const rows = list.map((row) =>
    Array.isArray(row) ? Object.fromEntries(row.map((one, i) => [i === 0 ? 'by' : `sum${i}`, one])) : row,
  )
  return formatList(rows, columnsOf(rows), output)
}

/** Whole inventories have the columns that their list has; others all that they hold. */
function columnsOf(rows: readonly Row[]): string[] {
  const held = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  if (held.length <= 8) return held
  const known = Object.values(catalog.resources).find(({ fields, listed }) => listed && held.every((name) => name in fields))
  return (known?.columns ?? ['uuid', 'name', 'state', 'status', 'createDate']).filter((name) =>
    held.includes(name.split('.')[0]!),
  )
}

/** The plan as a tree, and which rows were looked at. */
function explained({ plan, looked, scans }: Row): string {
  const leaf = (node: Row): Leaf => ({ inventory: node, children: ((node['children'] ?? []) as Row[]).map(leaf) })
  const label = ({ step, of, condition, by, estimate, examined, found }: Row) =>
    [
      step,
      of,
      condition,
      by === undefined ? '' : `(${by === 'set' ? 'against a set' : 'row by row'})`,
      estimate === undefined ? '' : `at most ${estimate}`,
      examined === undefined ? '' : `looked at ${examined}`,
      found === undefined ? '' : `found ${found}`,
    ]
      .filter(Boolean)
      .join('  ')
  const sizes = (rows: unknown) =>
    Object.entries((rows ?? {}) as Row)
      .map(([name, size]) => `${name} ${size}`)
      .join(', ')
  return [
    drawnTree(leaf(plan as Row), label),
    `rows looked at: ${sizes(looked)}`,
    `tables scanned: ${sizes(scans) || 'none'}`,
  ].join('\n')
}
