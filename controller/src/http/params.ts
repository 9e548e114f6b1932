/** From a matched route and a request to the parameters of one API: which API, where they lie, whether they fit the schema. */
import { hash } from 'node:crypto'
import type { Readable } from 'node:stream'
import type { Api, Row } from '@skerry/contract'
import { type Checked, checkCall } from '../engine/check-params.ts'
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

/** The parameters of a request against the schema of its API. */
export const checkParams = ({ route, input, variables }: Received): Checked => checkCall({ api: route.api, input, variables })
