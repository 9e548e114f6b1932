/** From an API's name and parameters to the request that says so. Pure; paths, methods and body keys come from the contract. */
import { SkerryError } from '@skerry/contract/errors'
import { PREFIX } from '@skerry/contract/routes'
import type { ApiFacts } from './directory.ts'

export interface ApiRequest {
  method: ApiFacts['method']
  /** with `/v1`, path variables filled in, query string appended */
  path: string
  body?: Record<string, unknown>
}

export const variablesOf = (path: string): string[] => [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '')

/** Lists as repeated keys, maps as `k.sub` (zstack-core §1.2). */
function append(search: URLSearchParams, name: string, value: unknown): void {
  if (value === undefined || value === null) return
  if (Array.isArray(value)) for (const one of value) append(search, name, one)
  else if (typeof value === 'object') for (const [sub, one] of Object.entries(value)) append(search, `${name}.${sub}`, one)
  else search.append(name, String(value))
}

export function searchOf(params: Record<string, unknown>): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(params)) append(search, name, value)
  const text = search.toString()
  return text === '' ? '' : `?${text}`
}

/** `controls`: query parameters that say how to answer (`wait`, `dryRun`), beside the API's own. */
export function requestOf(api: ApiFacts, params: Record<string, unknown>, controls: Record<string, unknown> = {}): ApiRequest {
  const names = variablesOf(api.path)
  const rest = Object.fromEntries(Object.entries(params).filter(([name, value]) => !names.includes(name) && value !== undefined))
  const path = api.path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = params[name]
    if (value === undefined || value === null || value === '')
      throw new SkerryError('invalid-argument', `${api.api} needs ${name}`, { field: name })
    return encodeURIComponent(String(value))
  })
  const inBody = api.method === 'POST' || api.method === 'PUT'
  const search = searchOf(inBody ? controls : { ...rest, ...controls })
  return {
    method: api.method,
    path: PREFIX.own + path + search,
    ...(inBody ? { body: { [api.bodyKey ?? 'params']: rest } } : {}),
  }
}
