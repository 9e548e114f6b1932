/** From a matched route and a request to the parameters of one API: which API, where they lie, whether they fit the schema. */
import { hash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { type Api, ipv4, type Row, SkerryError, uuid as uuidSchema } from '@skerry/contract'
import { parseBody, readBody } from './body.ts'
import { paramsFromQuery } from './coerce.ts'
import type { Limits } from './ports.ts'
import { Refusal } from './refusal.ts'
import type { Match, Route } from './routes.ts'

export interface Received {
  route: Route
  /** unchecked, path variables merged in */
  input: Record<string, unknown>
  /** path variables by name */
  variables: Record<string, string>
  /** SHA-256 of method, path, query and body; empty for queries, which need none */
  bodyHash: string
}

export interface Incoming {
  request: Request
  method: string
  /** below the dialect's prefix */
  path: string
  search: URLSearchParams
  /** Node's stream of the body, where the request came over a socket */
  socket?: Readable | undefined
}

/** Set on top of the body by some clients, inside `params` by others; top level wins (zstack-core §1.2). */
const topLevel = ['systemTags', 'userTags', 'tagUuids', 'resourceUuid'] as const
/** Control parameters of /v1: how to answer, not what to do. */
const controls = ['wait', 'dryRun']

const isObject = (value: unknown): value is Row => typeof value === 'object' && value !== null && !Array.isArray(value)

/** The API that the body asks for: on PUT its key names it. `lenient` (/v1): a path with one API needs no key. */
export function selectRoute(match: Match, method: string, body: Row, lenient: boolean): Route {
  const [first] = match.routes
  if (first === undefined) throw new Refusal(404, 'no such path')
  if (method === 'GET' || method === 'DELETE') return first
  const named = match.routes.find(({ api }) => api.bodyKey !== undefined && Object.hasOwn(body, api.bodyKey))
  if (named) return named
  if (match.routes.length === 1 && (lenient || first.api.bodyKey === 'params')) return first
  throw new Refusal(
    400,
    `the body has no action of this URL; it may be one of: ${match.routes.map(({ api }) => api.bodyKey).join(', ')}`,
  )
}

/** Parameters inside the body. `{}`, `{"params":{}}` and `{"null":{}}` are all empty. */
function paramsFromBody(api: Api, body: Row, lenient: boolean): Record<string, unknown> {
  const key = api.bodyKey ?? 'params'
  const wrapped = Object.hasOwn(body, key)
  const inner = wrapped ? (body[key] ?? {}) : lenient ? body : {}
  if (!isObject(inner)) throw new Refusal(400, `${key} must be a JSON object`)
  const params = { ...inner }
  for (const name of topLevel) if (body[name] !== undefined && body[name] !== null) params[name] = body[name]
  for (const [name, value] of Object.entries(params)) if (value === null) delete params[name]
  return params
}

function hashOf(incoming: Incoming, body: string): string {
  let { search } = incoming
  if (controls.some((control) => search.has(control))) {
    search = new URLSearchParams(search)
    for (const control of controls) search.delete(control)
  }
  return hash('sha256', `${incoming.method}\n${incoming.path}\n${search}\n${body}`)
}

/** Reads the request: body (incrementally), query and path. Throws `Refusal` for what is not even readable. */
export async function receive(match: Match, incoming: Incoming, limits: Limits, lenient: boolean): Promise<Received> {
  const { method, request } = incoming
  const hasBody = method === 'POST' || method === 'PUT'
  const text = hasBody ? await readBody(request, limits.bodyBytes, incoming.socket) : ''
  const body = parseBody(text, limits.bodyDepth)
  const route = selectRoute(match, method, body, lenient)
  const variables = Object.fromEntries(route.names.map((name, i) => [name, match.values[i] ?? '']))
  const bodyHash = route.api.query ? '' : hashOf(incoming, text)
  const given = hasBody ? paramsFromBody(route.api, body, lenient) : paramsFromQuery(route.api, incoming.search)
  return { route, input: { ...given, ...variables }, variables, bodyHash }
}

export type Checked = { ok: true; params: Record<string, unknown> } | { ok: false; error: SkerryError; notANumber: boolean }

const pathSchemas: Record<string, typeof ipv4> = { ip: ipv4, dns: ipv4 }

/** A path variable that can't be any resource's uuid names nothing that exists. */
function badVariable(name: string, value: string): SkerryError | undefined {
  const schema = pathSchemas[name]
  if (schema) {
    return schema.safeParse(value).success
      ? undefined
      : new SkerryError('invalid-argument', `invalid field[${name}]: must be an IPv4 address`, { field: name })
  }
  // Sessions and api ids that never were are answered by their own calls (`valid: false`, `{}`, an empty list).
  if (name === 'sessionUuid' || name === 'apiId' || uuidSchema.safeParse(value).success) return undefined
  return new SkerryError('not-found', `invalid field[${name}]: there is no resource with this uuid`, { field: name })
}

/** Parameters against the API's schema; unknown ones are dropped, as ZStack does. Values are never repeated in the error: they may be secret. */
export function checkParams({ route, input, variables }: Received): Checked {
  for (const [name, value] of Object.entries(variables)) {
    const error = badVariable(name, value)
    if (error) return { ok: false, error, notANumber: false }
  }
  const parsed = route.api.params.safeParse(input)
  if (parsed.success) return { ok: true, params: { ...parsed.data, ...variables } }
  const issues = parsed.error.issues.map((issue) => ({ field: issue.path.join('.'), problem: issue.message }))
  const message = issues.map(({ field, problem }) => `invalid field[${field}]: ${problem}`).join('; ')
  const details = { field: issues[0]?.field, issues }
  const notANumber = parsed.error.issues.some(
    (issue) =>
      issue.code === 'invalid_type' &&
      (issue.expected === 'number' || issue.expected === 'int') &&
      valueAt(input, issue.path) !== undefined,
  )
  return { ok: false, error: new SkerryError('invalid-argument', message.slice(0, 4_000), details), notANumber }
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined),
    input,
  )
}
