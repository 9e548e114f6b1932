/**
 * `/asyncapi.json`: AsyncAPI 3.0 of everything on NATS, computed from the contract: calls of the API, what agents are told and tell, facts,
 * alarms, ends of jobs. Written as the controller sees it: it receives calls and sends to agents.
 */
import { type Api, callHeaders, headers as httpHeaders, type Row, subjectParameter, subjects, tombstone } from '@skerry/contract'
import { addAgents, addCommands, documentSchemas } from './asyncapi-agents.ts'
import { add, hole, type Parts } from './asyncapi-parts.ts'
import { answerSchemas, ref, resultSchema, schemaOfParams } from './openapi.ts'
import type { RouteTable } from './routes.ts'

const optional = { type: 'string' }
const callHeaderSchema = ({ session, sync }: Api): Row => ({
  type: 'object',
  properties: {
    [httpHeaders.authorization]: { type: 'string', description: 'Bearer <uuid of a session>' },
    ...(sync ? {} : { [callHeaders.job]: optional, [callHeaders.wait]: optional, [callHeaders.dryRun]: { enum: ['true'] } }),
    ...(sync
      ? {}
      : {
          [httpHeaders.idempotencyKey]: optional,
          [httpHeaders.apiTimeout]: optional,
          'If-Match': optional,
          'If-Plan': optional,
        }),
  },
  ...(session ? { required: [httpHeaders.authorization] } : {}),
})

const querySchema: Row = {
  type: 'object',
  properties: {
    q: { type: 'array', items: { type: 'string' }, description: "conditions such as 'state=Running'" },
    ...Object.fromEntries(['limit', 'start'].map((name) => [name, { type: 'integer' }])),
    ...Object.fromEntries(['count', 'replyWithCount'].map((name) => [name, { type: 'boolean' }])),
    ...Object.fromEntries(['sort', 'groupBy'].map((name) => [name, { type: 'string' }])),
    fields: { type: 'array', items: { type: 'string' } },
  },
}

const jobSchema: Row = {
  type: 'object',
  required: ['job', 'done'],
  properties: { job: ref('job'), done: { type: 'string', description: 'the subject that tells of its end' } },
}

/** Of what stands in no subject: path variables are parameters here. */
function paramsSchema({ api, names }: { api: Api; names: readonly string[] }, own: string | undefined): Row {
  if (api.query) return own === undefined ? querySchema : { type: 'object' }
  const schema = schemaOfParams(api.params)
  const besides = names.filter((name) => name !== own)
  const properties = {
    ...(schema['properties'] as Row),
    ...Object.fromEntries(besides.map((name) => [name, { type: 'string' }])),
  }
  const required = [...new Set([...((schema['required'] as string[] | undefined) ?? []), ...besides])]
  return { ...schema, properties, ...(required.length > 0 ? { required } : {}) }
}

function addCalls(parts: Parts, table: RouteTable): void {
  for (const route of table.routes) {
    const { api, resource, path } = route
    const own = subjectParameter(path, resource)
    const named = own === undefined || !api.query ? api.api : `${api.api}.one`
    const name = `call.${named}` in parts.channels ? `call.${named}.of` : `call.${named}`
    add(parts, {
      ...{ name, action: 'receive', summary: api.summary },
      address: subjects.api(resource.noun, own === undefined ? undefined : hole('uuid'), api.verb),
      payload: paramsSchema(route, own),
      headers: callHeaderSchema(api),
      reply: { anyOf: [resultSchema(api), ...(api.sync ? [] : [jobSchema]), ref('Problem')] },
    })
  }
}

function addFacts(parts: Parts): void {
  const fact: Row = {
    type: 'object',
    required: ['id', 'at', 'noun', 'uuid', 'event', 'actor'],
    properties: {
      id: { type: 'string', description: '<seq>.<n>: the header Nats-Msg-Id too; told at least once' },
      at: { type: 'integer', description: 'epoch ms' },
      ...Object.fromEntries(['noun', 'uuid', 'event', 'actor', 'job'].map((name) => [name, { type: 'string' }])),
      data: { type: 'object' },
    },
  }
  add(parts, {
    name: 'event',
    address: subjects.event(hole('noun'), hole('uuid'), hole('event')),
    summary: 'A fact of the log',
    action: 'send',
    payload: fact,
  })
  for (const change of ['raised', 'cleared'] as const)
    add(parts, {
      ...{
        name: `alarm.${change}`,
        address: subjects.alarm(hole('code'), hole('uuid'), change),
        summary: `A condition was ${change}`,
        action: 'send',
      },
      payload: { type: 'object' },
    })
  const done = {
    type: 'object',
    required: ['uuid', 'state', 'api'],
    properties: Object.fromEntries(['uuid', 'state', 'api'].map((name) => [name, { type: 'string' }])),
  }
  add(parts, {
    name: 'job.done',
    address: subjects.job(hole('uuid'), 'done'),
    summary: 'A job has ended',
    action: 'send',
    payload: done,
  })
}

/** The whole document. `table`: the routes of /v1, which calls share with HTTP. */
export function asyncapi(table: RouteTable, version: string): Row {
  const parts: Parts = { channels: {}, operations: {}, messages: {}, schemas: {} }
  addCalls(parts, table)
  addAgents(parts)
  addCommands(parts)
  addFacts(parts)
  return {
    asyncapi: '3.0.0',
    info: { title: 'Skerry on NATS', version, license: { name: 'Apache-2.0' } },
    defaultContentType: 'application/json',
    ...{ channels: parts.channels, operations: parts.operations },
    components: {
      messages: parts.messages,
      schemas: { ...answerSchemas(table), ...documentSchemas(), tombstone: schemaOfParams(tombstone) },
    },
  }
}
