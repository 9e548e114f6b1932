/** From an API's name and parameters to the request that says so. Pure; paths, methods and body keys come from the contract. */
import { type Api, apis, PREFIX, type Resource, SkerryError } from '@skerry/contract'

export interface ApiRequest {
  method: Api['method']
  /** with `/v1`, path variables filled in, query string appended */
  path: string
  body?: Record<string, unknown>
}

const byName = new Map(apis.map((entry) => [entry.api.api, entry]))

/** The API of that name (ZStack's, without `API…Msg`), with its resource. Throws `invalid-argument`. */
export function apiNamed(name: string): { api: Api; resource: Resource } {
  const found = byName.get(name)
  if (found === undefined) throw new SkerryError('invalid-argument', `there is no API named ${name}`, { api: name })
  return found
}

/** The list query of a resource, by table name or noun. */
export function queryOf(name: string): Api {
  const found = apis.find(({ api, resource }) => api.query && (resource.name === name || resource.noun === name))
  if (found === undefined) throw new SkerryError('invalid-argument', `${name} is nothing that can be queried`, { resource: name })
  return found.api
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
export function requestOf(api: Api, params: Record<string, unknown>, controls: Record<string, unknown> = {}): ApiRequest {
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
