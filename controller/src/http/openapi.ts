/** `/openapi.json`: OpenAPI 3.1 of `/v1`, computed from the contract. */
import { type Api, baseFields, errors, PREFIX, type Resource, type Row, resourceOf, routes } from '@skerry/contract'
import { z } from 'zod'
import { shapeOfInventory } from '../inventory/index.ts'
import type { Route, RouteTable } from './routes.ts'

/** JSON Schema of a schema of the contract. */
export const schemaOfParams = (schema: z.ZodType): Row => {
  const { $schema, ...json } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Row
  return json
}

export const ref = (name: string): Row => ({ $ref: `#/components/schemas/${name}` })

/** The inventory as /v1 shows it: timestamps are ISO text, inlined children refer to their own schema. */
function inventorySchema(resource: Resource): Row {
  const { fields, times, inlined } = shapeOfInventory(resource)
  const declared: Record<string, z.ZodType> = { ...baseFields, ...resource.fields }
  const properties: Row = {}
  for (const field of fields)
    properties[field] = times.has(field) ? { type: 'string', format: 'date-time' } : schemaOfParams(declared[field]!)
  for (const { list, child } of inlined) properties[list] = { type: 'array', items: ref(child.name) }
  return { type: 'object', description: resource.summary, properties }
}

/** What a call answers when it is done. */
export function resultSchema(api: Api): Row {
  if (api.result.kind === 'empty') return { type: 'object' }
  if (api.result.kind === 'fields') return schemaOfParams(api.result.schema)
  if (api.result.kind === 'lists') {
    const list = (table: string): Row => ({ type: 'array', items: ref(table) })
    const single = Object.entries(api.result.of).map(([name, table]) => [name, list(table)])
    const several = Object.entries(api.result.maps ?? {}).map(([name, table]) => [
      ...[name, { type: 'object', additionalProperties: list(table) }],
    ])
    return { type: 'object', properties: Object.fromEntries([...single, ...several]) }
  }
  const item = ref(api.result.of)
  const listed = { inventories: { type: 'array', items: item } }
  if (api.result.kind === 'inventory')
    return { type: 'object', properties: { inventory: item, ...(api.result.listed ? listed : {}) } }
  return { type: 'object', properties: { ...listed, total: { type: 'integer' } } }
}

const json = (schema: Row): Row => ({ 'application/json': { schema } })
const problem: Row = { description: 'A problem document', content: { 'application/problem+json': { schema: ref('Problem') } } }

const queryParameters = ['q', 'limit', 'start', 'count', 'replyWithCount', 'sort', 'fields', 'groupBy'].map((name) => ({
  name,
  in: 'query',
  required: false,
  schema: name === 'q' ? { type: 'array', items: { type: 'string' } } : { type: 'string' },
}))

function parameters({ api, names, byUuid }: Route): Row[] {
  const inPath = names.map((name) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
    description: 'a uuid, or a name where that is unambiguous',
  }))
  if (api.query) return byUuid ? inPath : [...inPath, ...queryParameters]
  const properties = (schemaOfParams(api.params)['properties'] ?? {}) as Row
  const inQuery =
    api.method === 'GET' || api.method === 'DELETE'
      ? Object.entries(properties).map(([name, schema]) => ({ name, in: 'query', required: false, schema }))
      : []
  const controls = api.sync
    ? []
    : ['wait', 'dryRun'].map((name) => ({ name, in: 'query', required: false, schema: { type: 'string' } }))
  return [...inPath, ...inQuery.filter(({ name }) => !names.includes(name)), ...controls]
}

const bodySchema = (api: Api): Row => ({
  type: 'object',
  title: api.api,
  description: api.summary,
  properties: { [api.bodyKey ?? 'params']: schemaOfParams(api.params) },
})

/** One operation; PUTs that share a path become one with a choice of bodies. */
function operation(shared: readonly Route[]): Row {
  const [route] = shared as [Route, ...Route[]]
  const bodies = shared.filter(({ api }) => api.method === 'POST' || api.method === 'PUT').map(({ api }) => bodySchema(api))
  const [only] = bodies
  const accepted: Row = shared.every(({ api }) => api.sync)
    ? {}
    : {
        202: {
          description: 'Accepted: a job',
          content: json({ type: 'object', properties: { job: ref('job'), location: { type: 'string' } } }),
        },
      }
  return {
    operationId: shared.map(({ api }) => api.api).join('_or_') + (route.byUuid ? '_ByUuid' : ''),
    summary: shared.map(({ api }) => api.summary).join(' · '),
    tags: [route.resource.noun],
    parameters: parameters(route),
    ...(only ? { requestBody: { required: false, content: json(bodies.length === 1 ? only : { oneOf: bodies }) } } : {}),
    responses: { 200: { description: 'Done', content: json(resultSchema(route.api)) }, ...accepted, default: problem },
    ...(route.api.session ? {} : { security: [] }),
  }
}

const problemSchema: Row = {
  type: 'object',
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { enum: Object.keys(errors) },
    retry: { enum: ['never', 'later', 'bug'] },
    hint: { type: 'string' },
    details: { type: 'object' },
    cause: ref('Problem'),
    job: { type: 'string' },
  },
}

const fixedPaths: Row = Object.fromEntries(
  [
    [routes.health, 'Is the process alive?'],
    [routes.ready, 'Is the controller ready to serve?'],
    [routes.metrics, "Metrics in Prometheus' text form"],
    [
      PREFIX.own + routes.events,
      'Server-sent events, from an event, a commit or a time on; by since, noun, uuid, event, account, job, live. As a WebSocket too: each message is {id, event, data}; lastEventId goes on behind an event; browsers offer the sub-protocols skerry.events and skerry.session.<session>',
    ],
    [PREFIX.own + routes.diff, 'What became of the resources between from= and to=; by noun, uuid'],
    [PREFIX.own + routes.audit, 'Differences between the graph and the hosts'],
    [PREFIX.own + routes.history, 'What the log says of one job (job=) or resource (resourceUuid=)'],
    [PREFIX.own + routes.conditions, 'What is wrong now; by noun, uuid, resourceUuid, severity, code'],
    [PREFIX.own + routes.conditionStream, 'Server-sent events: what is wrong now, then each change'],
    [PREFIX.own + routes.status, 'The site at a glance'],
    [PREFIX.own + routes.workflows, 'What jobs do, step by step'],
    [`${PREFIX.own + routes.workflows}/{name}`, 'One workflow; with format=mermaid drawn as a flowchart'],
  ].map(([path, summary]) => [path, { get: { summary, responses: { 200: { description: 'Done' } } } }]),
)

/** Schemas to which answers refer: inventories by resource, and problems. */
export function answerSchemas(table: RouteTable): Row {
  const named = new Set(table.routes.map(({ resource }) => resource.name))
  for (const { api } of table.routes) {
    if (api.result.kind === 'inventory' || api.result.kind === 'inventories') named.add(api.result.of)
    if (api.result.kind === 'lists') for (const of of Object.values({ ...api.result.of, ...api.result.maps })) named.add(of)
  }
  for (const name of [...named]) for (const { child } of shapeOfInventory(resourceOf(name)!).inlined) named.add(child.name)
  for (const name of [...named]) for (const { child } of shapeOfInventory(resourceOf(name)!).inlined) named.add(child.name)
  return {
    ...Object.fromEntries([...named].map((name) => [name, inventorySchema(resourceOf(name)!)])),
    Problem: problemSchema,
  }
}

/** The whole document. `table`: the routes of /v1. */
export function openapi(table: RouteTable, version: string): Row {
  const byPath = new Map<string, Map<string, Route[]>>()
  for (const route of table.routes) {
    const methods = byPath.get(route.path) ?? new Map<string, Route[]>()
    byPath.set(route.path, methods)
    methods.set(route.api.method, [...(methods.get(route.api.method) ?? []), route])
  }
  const paths = Object.fromEntries(
    [...byPath].map(([path, methods]) => [
      PREFIX.own + path,
      Object.fromEntries([...methods].map(([method, shared]) => [method.toLowerCase(), operation(shared)])),
    ]),
  )
  return {
    openapi: '3.1.0',
    info: { title: 'Skerry', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    security: [{ session: [] }, { accessKey: [] }],
    paths: { ...paths, ...fixedPaths },
    components: {
      securitySchemes: {
        session: { type: 'http', scheme: 'bearer', description: 'The uuid of a session from LogInByAccount' },
        accessKey: {
          ...{ type: 'apiKey', in: 'header', name: 'Authorization' },
          description:
            'ZStack <AccessKeyID>:<base64 of HMAC-SHA1(AccessKeySecret, METHOD, Date and path, a line each)>, with a Date header within 15 minutes',
        },
      },
      schemas: answerSchemas(table),
    },
  }
}
