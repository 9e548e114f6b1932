/**
 * Conditions by their definition, with nothing of the query engine: the text is taken apart here, relations are looked up in the contract,
 * every table is looked through from its beginning. Slow and plain; what the engine finds is compared with it.
 */
import { baseFields, kindOf, type Resource, type Row, resources } from '@skerry/contract'

/** table → key → row */
export type Rows = Record<string, Record<string, Row>>

export const all = Object.values(resources as Record<string, Resource>)
const named = (name: string) => all.find((resource) => resource.name === name)!
const hides = ({ hidden = [] }: Resource, field: string) => hidden.includes(field)
/** `tag` itself shows its type, and has no tags. */
const isTag = ({ rows }: Resource) => rows !== undefined

export function rowsOf(rows: Rows, { name, rows: only }: Resource): [string, Row][] {
  const table = Object.entries(rows[only?.table ?? name] ?? {})
  return only ? table.filter(([, row]) => row[only.where.field] === only.where.is) : table
}

interface Link {
  to: Resource
  /** Whether the far row belongs to the near one. */
  linked: (near: [string, Row], far: [string, Row]) => boolean
}

const holds = (value: unknown, key: string) => value === key || (Array.isArray(value) && value.includes(key))

const kept = new Map<Resource, Record<string, Link>>()

/** Every name under which a resource leads to another, from the edges of both. */
export function links(resource: Resource): Record<string, Link> {
  const found = kept.get(resource) ?? linksOf(resource)
  kept.set(resource, found)
  return found
}

function linksOf(resource: Resource): Record<string, Link> {
  const found: Record<string, Link> = {}
  if (!isTag(resource))
    for (const [name, of] of [
      ['systemTags', 'systemTag'],
      ['userTags', 'userTag'],
    ] as const)
      found[name] = { to: named(of), linked: ([key], [, tag]) => tag['resourceUuid'] === key }
  for (const other of all)
    for (const edge of Object.values(other.edges))
      if (edge.to === resource.name && !hides(other, edge.via))
        found[edge.inverse] = { to: other, linked: ([key], [, far]) => holds(far[edge.via], key) }
  for (const [name, edge] of Object.entries(resource.edges)) {
    if (hides(resource, edge.via)) continue
    for (const as of [edge.as ?? edge.via.replace(/Uuids?$/, ''), name])
      if (!(as in resource.fields) && !(as in baseFields))
        found[as] = { to: named(edge.to), linked: ([, near], [key]) => holds(near[edge.via], key) }
  }
  return found
}

const keptFields = new Map<Resource, Record<string, string>>()

/** Fields of a resource that can be asked for, with their kinds. */
export function fieldsOf(resource: Resource): Record<string, string> {
  const known = keptFields.get(resource)
  if (known) return known
  const kinds = Object.entries({ ...baseFields, ...resource.fields }).map(([field, schema]) => [field, kindOf(schema)] as const)
  const plain = kinds.filter(([field, kind]) => !hides(resource, field) && !['map', 'object', 'other'].includes(kind))
  const found = Object.fromEntries(plain)
  keptFields.set(resource, found)
  return found
}

const OPERATORS = ['!=', '>=', '<=', '!?=', '!~=', '~=', '?=', '=', '>', '<', 'is null', 'not null']

/** Keys of the rows of a resource that satisfy a condition. */
export function naive(rows: Rows, resource: Resource, text: string): string[] {
  const op = OPERATORS.find((one) => text.includes(one))!
  const [path, value] = [text.slice(0, text.indexOf(op)).trim(), text.slice(text.indexOf(op) + op.length)]
  const found = rowsOf(rows, resource).filter((at) => satisfies(rows, { resource, at }, path.split('.'), { op, value }))
  return found.map(([key]) => key)
}

interface Asked {
  op: string
  value: string
}

const aliases: Record<string, string[]> = {
  __systemTag__: ['systemTags', 'tag'],
  __userTag__: ['userTags', 'tag'],
  __tagUuid__: ['userTags', 'tagPatternUuid'],
}
const opposite: Record<string, string> = { '!=': '=', '!?=': '?=', '!~=': '~=', 'is null': 'not null' }

function satisfies(rows: Rows, near: { resource: Resource; at: [string, Row] }, path: string[], asked: Asked): boolean {
  const [word, ...rest] = path as [string, ...string[]]
  const alias = aliases[word]
  if (alias) {
    // Tags are a set: a negative question is about all of them.
    const positive = opposite[asked.op]
    return positive ? !satisfies(rows, near, alias, { ...asked, op: positive }) : satisfies(rows, near, alias, asked)
  }
  if (rest.length === 0) return fieldSatisfies(near.at[1][word], fieldsOf(near.resource)[word]!, asked)
  const { to, linked } = links(near.resource)[word]!
  return rowsOf(rows, to).some((far) => linked(near.at, far) && satisfies(rows, { resource: to, at: far }, rest, asked))
}

function fieldSatisfies(stored: unknown, kind: string, asked: Asked): boolean {
  const values = Array.isArray(stored) ? stored : [stored ?? null]
  if (asked.op === 'is null') return Array.isArray(stored) ? stored.length === 0 : values[0] === null
  return values.some((one) => one !== null && one !== undefined && valueSatisfies(one as never, kind, asked))
}

function valueSatisfies(stored: string | number | boolean, kind: string, { op, value }: Asked): boolean {
  const read = (text: string) =>
    kind === 'number' || kind === 'time' ? Number(text) : kind === 'boolean' ? text === 'true' : text
  const wanted = read(value) as typeof stored
  if (op === 'not null') return true
  if (op === '=' || op === '!=') return (stored === wanted) === (op === '=')
  if (op === '?=' || op === '!?=') return value.split(',').map(read).includes(stored) === (op === '?=')
  if (op === '~=' || op === '!~=') return like(String(stored), value) === (op === '~=')
  if (op === '>') return stored > wanted
  if (op === '<') return stored < wanted
  return op === '>=' ? stored >= wanted : stored <= wanted
}

function like(value: string, pattern: string): boolean {
  if (pattern === '') return value === ''
  const [c, rest] = [pattern[0]!, pattern.slice(1)]
  if (c === '%') return like(value, rest) || (value !== '' && like(value.slice(1), pattern))
  return value !== '' && (c === '_' || c.toLowerCase() === value[0]!.toLowerCase()) && like(value.slice(1), rest)
}
