/**
 * What a resource is: one file of pure data under `resources/`. Routes, OpenAPI, SDK, CLI, query fields, indexes, cascade,
 * 409s and the console derive from it. It names workflows; it holds no code.
 */
import { z } from 'zod'
import * as s from './scalars.ts'

export type OnDelete = 'cascade' | 'restrict' | 'detach' | 'stop'

export interface Edge {
  /** Table of the resource that `via` names. */
  to: string
  /** Field of this resource that holds the uuid (or, with `list`, the uuids). */
  via: string
  kind: 'parent' | 'friend'
  /** What happens to this resource when the other goes; friends are left alone. */
  onDelete?: OnDelete
  list?: boolean
  /** Name of the relation as seen from the other side, for queries: `zone.clusters`. */
  inverse: string
  /** Relation name from this side; default: `via` without `Uuid`. */
  as?: string
  /** Rendered inside the other's inventory under `inverse` (ZStack: `VmInstanceInventory.vmNics`). */
  inline?: boolean
}

export type Result =
  | { kind: 'inventory'; of: string; inventory?: string }
  | { kind: 'inventories'; of: string; inventory?: string }
  | { kind: 'fields'; schema: z.ZodObject }
  | { kind: 'empty' }

export interface Api {
  /** ZStack's API name without `API…Msg`: `CreateZone`. Unique. */
  api: string
  method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Under `/zstack/v1` and `/v1`; `{uuid}` are path parameters. */
  path: string
  /** Further paths that name the same API (queries by uuid). */
  also?: string[]
  /** Top-level body key: `params`, or the action's name. */
  bodyKey?: string
  params: z.ZodObject
  /** Sync calls answer 200 at once; async ones 202 and a job. */
  sync: boolean
  /** false: reachable without a session (the golden list of anonymous paths is made from this). */
  session: boolean
  query?: boolean
  workflow?: string
  result: Result
  /** States (of `states.field`) in which the call is accepted; others answer 409 naming these. */
  allowed?: readonly string[]
  rights: 'admin' | 'account' | 'anonymous'
  /** CLI verb: `skerry <verb> <noun>`. */
  verb: string
  summary: string
  /** Only under /v1: our own, not ZStack's. */
  own?: boolean
}

export interface States {
  field: 'state' | 'status'
  /** state → event → next state */
  table: Record<string, Record<string, string>>
}

export interface Resource {
  name: string
  /** CLI and console noun, kebab case: `vm`, `zone`, `l3-network`. */
  noun: string
  path: string
  /**
   * ZStack's inventory class: short (SDK) and full (server) name; absent where the resource is only ours. `java` is what a reply's
   * `schema` carries, and is absent where ZStack's SDK knows no such class (a name it can't map makes it throw).
   */
  inventory?: { sdk: string; java?: string }
  summary: string
  uniqueName?: boolean
  fields: Record<string, z.ZodType>
  /** Fields that never leave the controller. */
  hidden?: readonly string[]
  /** Number fields changed by `add` operations with guards: they move neither version nor lastOpDate. */
  counters?: readonly string[]
  states?: States
  edges: Record<string, Edge>
  indexes: readonly string[]
  apis: readonly Api[]
  /** Columns of the CLI's and console's tables. */
  columns: readonly string[]
}

/** Fields that every resource has. */
export const baseFields = {
  uuid: s.uuid,
  name: s.name,
  description: s.text.nullable().optional(),
  createDate: s.time,
  lastOpDate: s.time,
} as const

/** Parameters that every creating call takes (zstack-core §1.2). */
export const createParams = {
  name: s.name,
  description: s.text.optional(),
  resourceUuid: s.uuid.optional(),
  tagUuids: z.array(s.uuid).optional(),
  systemTags: z.array(z.string().max(2048)).optional(),
  userTags: z.array(z.string().max(2048)).optional(),
}

export function defineResource<const R extends Resource>(resource: R): R {
  return resource
}

const lower = (api: string) => api.charAt(0).toLowerCase() + api.slice(1)

/** POST that creates: `{ params: {...} }` → 202 → `{ inventory }`. */
export function create(api: string, path: string, o: { of: string; workflow: string; params: z.ZodRawShape; inventory?: string; verb?: string; summary: string }): Api {
  const params = z.object({ ...createParams, ...o.params })
  const result: Result = { kind: 'inventory', of: o.of, ...(o.inventory ? { inventory: o.inventory } : {}) }
  return { api, method: 'POST', path, bodyKey: 'params', params, sync: false, session: true, workflow: o.workflow, result, rights: 'admin', verb: o.verb ?? 'create', summary: o.summary }
}

/** GET with ZStack's query grammar; `path/{uuid}` answers the same list with one entry or none. */
export function query(api: string, path: string, of: string, options: { byUuid?: boolean; inventory?: string } = {}): Api {
  const also = options.byUuid === false ? [] : [`${path}/{uuid}`]
  const result: Result = { kind: 'inventories', of, ...(options.inventory ? { inventory: options.inventory } : {}) }
  return { api, method: 'GET', path, also, params: z.object({}), sync: true, session: true, query: true, result, rights: 'account', verb: 'get', summary: `List and search ${of} resources` }
}

/** PUT …/actions with `{ <action>: {...} }`. */
export function action(api: string, path: string, o: { of: string; workflow: string; verb: string; params?: z.ZodRawShape; allowed?: readonly string[]; result?: Result; summary: string }): Api {
  return {
    api, method: 'PUT', path, bodyKey: lower(api), params: z.object(o.params ?? {}), sync: false, session: true,
    workflow: o.workflow, result: o.result ?? { kind: 'inventory', of: o.of }, rights: 'admin', verb: o.verb, summary: o.summary,
    ...(o.allowed ? { allowed: o.allowed } : {}),
  }
}

/** PUT …/actions with `updateX`: name, description and what else may change. */
export function update(api: string, path: string, of: string, params: z.ZodRawShape = {}, workflow = 'resource.update'): Api {
  return action(api, path, { of, workflow, verb: 'update', params: { name: s.name.optional(), description: s.text.optional(), ...params }, summary: `Change a ${of}` })
}

/** PUT …/actions with `changeXState {stateEvent}`. */
export function changeState(api: string, path: string, of: string, events: readonly [string, ...string[]], workflow = 'resource.changeState'): Api {
  return action(api, path, { of, workflow, verb: 'change-state', params: { stateEvent: z.enum(events) }, summary: `Change the state of a ${of}` })
}

/** DELETE, answers `{}`. */
export function remove(api: string, path: string, of: string, options: { workflow?: string; allowed?: readonly string[]; params?: z.ZodRawShape; result?: Result; verb?: string; summary?: string } = {}): Api {
  const params = z.object({ deleteMode: z.enum(['Permissive', 'Enforcing', '']).optional(), ...options.params })
  return {
    api, method: 'DELETE', path, params, sync: false, session: true, workflow: options.workflow ?? 'resource.delete',
    result: options.result ?? { kind: 'empty' }, rights: 'admin', verb: options.verb ?? 'delete', summary: options.summary ?? `Delete a ${of}`,
    ...(options.allowed ? { allowed: options.allowed } : {}),
  }
}

/** POST or DELETE on a path that names both ends of an attachment; answers the resource `of`. */
export function attach(api: string, method: 'POST' | 'DELETE', path: string, o: { of: string; workflow: string; verb: string; params?: z.ZodRawShape; inventory?: string; summary: string }): Api {
  const result: Result = { kind: 'inventory', of: o.of, ...(o.inventory ? { inventory: o.inventory } : {}) }
  return {
    api, method, path, params: z.object(o.params ?? {}), sync: false, session: true, workflow: o.workflow, result, rights: 'admin', verb: o.verb, summary: o.summary,
    ...(method === 'POST' ? { bodyKey: 'params' } : {}),
  }
}

/** A synchronous call with a reply of its own. */
export function call(api: string, method: Api['method'], path: string, o: { params?: z.ZodRawShape; result: Result; verb: string; summary: string; anonymous?: boolean; own?: boolean; bodyKey?: string }): Api {
  return {
    api, method, path, params: z.object(o.params ?? {}), sync: true, session: !o.anonymous, result: o.result,
    rights: o.anonymous ? 'anonymous' : 'account', verb: o.verb, summary: o.summary,
    ...(method === 'PUT' || method === 'POST' ? { bodyKey: o.bodyKey ?? (method === 'PUT' ? lower(api) : 'params') } : {}),
    ...(o.own ? { own: true } : {}),
  }
}

/** The Enabled/Disabled machine that most resources share (zstack-core §2). */
export const enabledDisabled: States = {
  field: 'state',
  table: { Enabled: { enable: 'Enabled', disable: 'Disabled' }, Disabled: { enable: 'Enabled', disable: 'Disabled' } },
}
export const enabledState = z.enum(['Enabled', 'Disabled'])
