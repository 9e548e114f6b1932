/** Parameters in a query string, typed by the API's schema: repeated key, `k.0=`, maps `k.sub=` (zstack-wire). */
import { type Api, uuid } from '@skerry/contract'
import type { z } from 'zod'
import { elementOf, kindOf, mapValueOf, shapeOf } from '../inventory/index.ts'

/** Text as the kind that the schema wants; what doesn't fit stays text, so that the schema refuses it by name. */
function scalar(schema: z.ZodType, text: string): unknown {
  const kind = kindOf(schema)
  if ((kind === 'number' || kind === 'time') && /^-?\d+(\.\d+)?$/.test(text)) return Number(text)
  if (kind === 'boolean' && /^(true|false)$/i.test(text)) return text.toLowerCase() === 'true'
  return text
}

/** `k=a&k=b` and `k.0=a&k.1=b`, in that order; of uuids `k=a,b` too, as ZStack's Go SDK joins them. */
function list(schema: z.ZodType, name: string, search: URLSearchParams): unknown[] | undefined {
  const texts = search.getAll(name)
  const numbered = [...search].filter(([key]) => key.startsWith(`${name}.`) && /^\d+$/.test(key.slice(name.length + 1)))
  numbered.sort(([a], [b]) => Number(a.slice(name.length + 1)) - Number(b.slice(name.length + 1)))
  texts.push(...numbered.map(([, text]) => text))
  if (texts.length === 0) return undefined
  const element = elementOf(schema)
  const parts = element === uuid ? texts.flatMap((text) => text.split(',')) : texts
  return parts.filter((text) => text !== '').map((text) => scalar(element, text))
}

/** `k.sub=v`, and for maps of lists `k.sub=a&k.sub=b` or `k.sub.0=a`. */
function map(schema: z.ZodType, name: string, search: URLSearchParams): Record<string, unknown> | undefined {
  const prefix = `${name}.`
  const inner = mapValueOf(schema)
  const isList = kindOf(inner) === 'list'
  const keys = new Set<string>()
  for (const key of search.keys())
    if (key.startsWith(prefix)) keys.add(isList ? key.slice(prefix.length).replace(/\.\d+$/, '') : key.slice(prefix.length))
  if (keys.size === 0) return undefined
  const entries = [...keys].map(
    (key) => [key, isList ? list(inner, prefix + key, search) : scalar(inner, search.get(prefix + key) ?? '')] as const,
  )
  return Object.fromEntries(entries)
}

/** Parameters of a GET or DELETE. Keys that the API doesn't know are left out. */
export function paramsFromQuery(api: Api, search: URLSearchParams): Record<string, unknown> {
  const params: Record<string, unknown> = {}
  for (const [name, schema] of Object.entries(shapeOf(api.params))) {
    const kind = kindOf(schema)
    if (kind === 'list') params[name] = list(schema, name, search)
    else if (kind === 'map') params[name] = map(schema, name, search)
    else {
      const text = search.get(name)
      // An empty value is legal where text is wanted (`deleteMode=`), else it says nothing.
      if (text !== null && (text !== '' || kind === 'string')) params[name] = scalar(schema, text)
    }
  }
  return params
}
