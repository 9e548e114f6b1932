/** What holds of every body of ZStack's dialect, whatever it is about; each function gives what is wrong, in words. */
import { existsSync, readFileSync } from 'node:fs'
import {
  type Api,
  baseFields,
  memberClasses,
  type Resource,
  type Row,
  replyMembers,
  resourceOf,
  resources,
} from '@skerry/contract'

/** `MMM d, yyyy h:mm:ss AM|PM`, plain spaces. */
/** The reference lacks some, the map of the Java SDK (5.2.0) holds them; each is compared with them beside the routes. */
const besides = [
  ...Object.values(resources as Record<string, Resource>).flatMap(({ inventory }) => inventory?.java ?? []),
  ...memberClasses,
]

export const ZSTACK_DATE =
  /^(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) ([1-9]|[12]\d|3[01]), \d{4} ([1-9]|1[0-2]):[0-5]\d:[0-5]\d (AM|PM)$/
const ISO_DATE = /^\d{4}-\d\d-\d\dT/

interface Reference {
  classes: Record<string, string>
  inventories: Record<string, { extends?: string; fields: Record<string, string> }>
  results: Record<string, Record<string, string>>
}

const folder = new URL('../../../shared/reference/', import.meta.url)

/** ZStack's own tables, where they lie next to the repository. */
export const reference: Reference | undefined = load()

function load(): Reference | undefined {
  const read = (name: string) => JSON.parse(readFileSync(new URL(name, folder), 'utf8'))
  if (!existsSync(new URL('zstack-classes.json', folder)) || !existsSync(new URL('zstack-rest.json', folder))) return undefined
  const rest = read('zstack-rest.json') as {
    apis: { api: string; result?: Record<string, string> }[]
    inventories: Reference['inventories']
  }
  const results = Object.fromEntries(rest.apis.map(({ api, result }) => [api, result ?? {}]))
  return { classes: (read('zstack-classes.json') as Reference).classes, inventories: rest.inventories, results }
}

/** Calls `visit` with every value below, and its path as `schema` writes it. */
export function walk(value: unknown, visit: (value: unknown, path: string, key: string) => void, path = '', key = ''): void {
  visit(value, path, key)
  if (Array.isArray(value)) for (const [i, one] of value.entries()) walk(one, visit, `${path}[${i}]`, key)
  else if (typeof value === 'object' && value !== null)
    for (const [name, one] of Object.entries(value)) walk(one, visit, path === '' ? name : `${path}.${name}`, name)
}

const timeFields = new Set(
  Object.values(resources as Record<string, Resource>).flatMap(({ fields }) =>
    Object.entries({ ...baseFields, ...fields })
      .filter(([name]) => /Date$|^heartBeat$/.test(name))
      .map(([name]) => name),
  ),
)
/** Longs of ZStack that are epoch milliseconds by their own definition (TaskProgressInventory.time, PriceInventory, Spending). */
const EPOCH_FIELDS = new Set([
  ...['MillionSeconds', 'time', 'dateInLong', 'endDateInLong'],
  ...['dateStart', 'dateEnd', 'startTime', 'endTime'],
])
const looksLikeEpoch = (value: number) => value > 1_500_000_000_000 && value < 2_500_000_000_000

/** Dates in their one form, no nulls, whole numbers. */
export function wrongValues(body: Row): string[] {
  const wrong: string[] = []
  walk(body, (value, path, key) => {
    if (value === null) wrong.push(`${path} is null`)
    if (timeFields.has(key) && !(typeof value === 'string' && ZSTACK_DATE.test(value)))
      wrong.push(`${path} is no date: ${JSON.stringify(value)}`)
    if (typeof value === 'string' && ISO_DATE.test(value)) wrong.push(`${path} is an ISO date`)
    if (typeof value !== 'number') return
    if (!Number.isSafeInteger(value)) wrong.push(`${path} is no whole number: ${value}`)
    if (looksLikeEpoch(value) && !EPOCH_FIELDS.has(key)) wrong.push(`${path} looks like epoch milliseconds: ${value}`)
  })
  return wrong
}

function at(body: Row, path: string): unknown {
  return path
    .split(/[.[\]]+/)
    .filter((part) => part !== '')
    .reduce<unknown>((value, part) => (value as Row | undefined)?.[part], body)
}

/** `schema` names objects that are there, with the class that the SDK makes of them; and no inventory is without its class. */
export function wrongSchema(api: Api, body: Row): string[] {
  const schema = body['schema'] as Record<string, string> | undefined
  const of = api.result.kind === 'inventory' || api.result.kind === 'inventories' ? resourceOf(api.result.of) : undefined
  const wrong: string[] = []
  for (const [path, name] of Object.entries(schema ?? {})) {
    const value = at(body, path)
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      wrong.push(`schema names ${path}, which is no object`)
    if (reference && ![...Object.values(reference.classes), ...besides].includes(name))
      wrong.push(`schema names class ${name}, which the SDK does not know`)
  }
  const java = of?.inventory?.java ?? replyMembers(api.api)['inventories']
  const tops = [
    ...(body['inventory'] ? ['inventory'] : []),
    // Some answers have a map there, whose values are of no one class.
    ...(Array.isArray(body['inventories']) ? body['inventories'].map((_, i) => `inventories[${i}]`) : []),
  ]
  for (const path of tops) if (schema?.[path] !== java) wrong.push(`schema says ${schema?.[path]} of ${path}, not ${java}`)
  const known = of && reference?.classes[of.inventory!.sdk]
  if (known && tops.length > 0 && known !== java) wrong.push(`${of.inventory!.sdk} is ${known} to the SDK, not ${java}`)
  return wrong
}

const fits: Record<string, (value: unknown) => boolean> = {
  String: (v) => typeof v === 'string',
  Timestamp: (v) => typeof v === 'string' && ZSTACK_DATE.test(v),
  Long: (v) => typeof v === 'number',
  long: (v) => typeof v === 'number',
  Integer: (v) => typeof v === 'number',
  int: (v) => typeof v === 'number',
  Boolean: (v) => typeof v === 'boolean',
  boolean: (v) => typeof v === 'boolean',
  List: (v) => Array.isArray(v),
  Map: (v) => typeof v === 'object' && v !== null && !Array.isArray(v),
}

function fieldsOf(name: string): Record<string, string> {
  const inventory = reference?.inventories[name]
  return inventory ? { ...(inventory.extends ? fieldsOf(inventory.extends) : {}), ...inventory.fields } : {}
}

/** Fields have the types into which ZStack's SDK reads them; keys of the reply are those of its result. */
export function wrongTypes(api: Api, body: Row): string[] {
  if (!reference) return []
  const wrong: string[] = []
  const compare = (value: Row, types: Record<string, string>, path: string) => {
    for (const [field, type] of Object.entries(types)) {
      if (field in value && !(fits[type] ?? (() => true))(value[field]))
        wrong.push(`${path}${field} is no ${type}: ${JSON.stringify(value[field])}`)
    }
  }
  const declared = reference.results[api.api]
  if (declared) compare(body, declared, '')
  const sdk =
    api.result.kind === 'fields' || api.result.kind === 'empty' || api.result.kind === 'lists'
      ? undefined
      : (api.result.inventory ?? resourceOf(api.result.of)?.inventory?.sdk)
  // Without a class `inventories` may be anything, also a map.
  if (!sdk) return wrong
  const inventories = [
    ...(body['inventory'] ? [body['inventory']] : []),
    ...((body['inventories'] as unknown[] | undefined) ?? []),
  ] as Row[]
  for (const inventory of inventories) compare(inventory, fieldsOf(sdk), `${sdk}.`)
  return wrong
}
