/** Under /v1 a name stands for a uuid where it is unambiguous (DESIGN §2): in paths and in every parameter that ends in `Uuid(s)`. */
import { type Resource, type Row, resourceNamedBy, SkerryError, uuid as uuidSchema } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Route } from './routes.ts'

function keysByName(graph: Graph, resource: Resource, name: string): string[] {
  if (resource.indexes.includes('name')) return [...graph.by(resource.name, 'name', name)]
  const keys: string[] = []
  for (const [key, row] of graph.rows(resource.name)) if (row['name'] === name) keys.push(key)
  return keys
}

/** The uuid behind a name; a uuid stays as it is. Throws `not-found`, or `ambiguous-name` with the candidates; both name the parameter. */
export function resolveName(graph: Graph, resource: Resource, given: string, field: string): string {
  if (uuidSchema.safeParse(given).success) return given
  const rows: Readonly<Row>[] = []
  for (const key of keysByName(graph, resource, given)) {
    const row = graph.get(resource.name, key)
    if (row) rows.push(row)
  }
  const [only] = rows
  if (only === undefined)
    throw new SkerryError('not-found', `there is no ${resource.noun} named ${JSON.stringify(given.slice(0, 255))}`, {
      resource: resource.name,
      field,
    })
  if (rows.length === 1) return String(only['uuid'])
  const state = resource.states?.field
  const candidates = rows
    .slice(0, 20)
    .map((row) => ({ uuid: row['uuid'], createDate: row['createDate'], ...(state ? { [state]: row[state] } : {}) }))
  throw new SkerryError('ambiguous-name', `${rows.length} ${resource.noun} resources are named ${JSON.stringify(given)}`, {
    resource: resource.name,
    field,
    candidates,
  })
}

const named = new Map<string, Resource | undefined>()

/** What a parameter of an API names, looked for once. Never asked of what a client made up: the contract's words are few. */
function namedBy(parameter: string, own: Resource): Resource | undefined {
  if (parameter === 'uuid') return own
  if (!named.has(parameter)) named.set(parameter, resourceNamedBy(parameter, own))
  return named.get(parameter)
}

/** Input with every name replaced. Values that aren't text are left for the schema to refuse. */
export function resolveNames(graph: Graph, route: Route, input: Record<string, unknown>): Record<string, unknown> {
  // From entries: assigning to a key called `__proto__` would give the input another prototype.
  return Object.fromEntries(
    Object.entries(input).map(([parameter, value]) => {
      const known = Object.hasOwn(route.api.params.shape, parameter) || route.names.includes(parameter)
      const resource = known ? namedBy(parameter, route.resource) : undefined
      return [parameter, resource === undefined ? value : resolved(graph, resource, value, parameter)]
    }),
  )
}

function resolved(graph: Graph, resource: Resource, value: unknown, field: string): unknown {
  if (Array.isArray(value)) return value.map((one) => resolved(graph, resource, one, field))
  return typeof value === 'string' && value !== '' ? resolveName(graph, resource, value, field) : value
}
