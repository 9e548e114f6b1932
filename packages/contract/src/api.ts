/** Builders of APIs: what ZStack's kinds of calls have in common is written here once (zstack-core §1.2). */
import { z } from 'zod'
import type { Api, Result } from './resource.ts'
import * as s from './scalars.ts'

/** Parameters that every creating call takes (zstack-core §1.2). */
export const createParams = {
  name: s.name,
  description: s.text.optional(),
  resourceUuid: s.uuid.optional(),
  tagUuids: z.array(s.uuid).optional(),
  systemTags: z.array(s.line(2048)).optional(),
  userTags: z.array(s.line(2048)).optional(),
}

const lower = (api: string) => api.charAt(0).toLowerCase() + api.slice(1)

/** POST that creates: `{ params: {...} }` → 202 → `{ inventory }`. */
export function create(
  api: string,
  path: string,
  o: { of: string; workflow: string; params: z.ZodRawShape; inventory?: string; verb?: string; summary: string },
): Api {
  const params = z.object({ ...createParams, ...o.params })
  const result: Result = { kind: 'inventory', of: o.of, ...(o.inventory ? { inventory: o.inventory } : {}) }
  return {
    api,
    method: 'POST',
    path,
    bodyKey: 'params',
    params,
    sync: false,
    session: true,
    workflow: o.workflow,
    result,
    rights: 'admin',
    verb: o.verb ?? 'create',
    summary: o.summary,
  }
}

/** GET with ZStack's query grammar; `path/{uuid}` answers the same list with one entry or none. */
export function query(api: string, path: string, of: string, options: { byUuid?: boolean; inventory?: string } = {}): Api {
  const also = options.byUuid === false ? [] : [`${path}/{uuid}`]
  const result: Result = { kind: 'inventories', of, ...(options.inventory ? { inventory: options.inventory } : {}) }
  return {
    api,
    method: 'GET',
    path,
    also,
    params: z.object({}),
    sync: true,
    session: true,
    query: true,
    result,
    rights: 'account',
    verb: 'get',
    summary: `List and search ${of} resources`,
  }
}

/** PUT …/actions with `{ <action>: {...} }`. */
export function action(
  api: string,
  path: string,
  o: {
    of: string
    workflow: string
    verb: string
    params?: z.ZodRawShape
    allowed?: readonly string[]
    result?: Result
    summary: string
  },
): Api {
  return {
    api,
    method: 'PUT',
    path,
    bodyKey: lower(api),
    params: z.object(o.params ?? {}),
    sync: false,
    session: true,
    workflow: o.workflow,
    result: o.result ?? { kind: 'inventory', of: o.of },
    rights: 'admin',
    verb: o.verb,
    summary: o.summary,
    ...(o.allowed ? { allowed: o.allowed } : {}),
  }
}

/** PUT …/actions with `updateX`: name, description and what else may change. */
export function update(api: string, path: string, of: string, params: z.ZodRawShape = {}): Api {
  return action(api, path, {
    of,
    workflow: 'resource.update',
    verb: 'update',
    params: { name: s.name.optional(), description: s.text.optional(), ...params },
    summary: `Change a ${of}`,
  })
}

/** PUT …/actions with `changeXState {stateEvent}`. */
export function changeState(api: string, path: string, of: string, events: readonly [string, ...string[]]): Api {
  return action(api, path, {
    of,
    workflow: 'resource.changeState',
    verb: 'change-state',
    params: { stateEvent: z.enum(events) },
    summary: `Change the state of a ${of}`,
  })
}

/** DELETE, answers `{}`. */
export function remove(
  api: string,
  path: string,
  of: string,
  options: {
    workflow?: string
    allowed?: readonly string[]
    params?: z.ZodRawShape
    result?: Result
    verb?: string
    summary?: string
  } = {},
): Api {
  const params = z.object({ deleteMode: z.enum(['Permissive', 'Enforcing', '']).optional(), ...options.params })
  return {
    api,
    method: 'DELETE',
    path,
    params,
    sync: false,
    session: true,
    workflow: options.workflow ?? 'resource.delete',
    result: options.result ?? { kind: 'empty' },
    rights: 'admin',
    verb: options.verb ?? 'delete',
    summary: options.summary ?? `Delete a ${of}`,
    ...(options.allowed ? { allowed: options.allowed } : {}),
  }
}

/** POST or DELETE on a path that names both ends of an attachment; answers the resource `of`. */
export function attach(
  api: string,
  method: 'POST' | 'DELETE',
  path: string,
  o: { of: string; workflow: string; verb: string; params?: z.ZodRawShape; inventory?: string; summary: string },
): Api {
  const result: Result = { kind: 'inventory', of: o.of, ...(o.inventory ? { inventory: o.inventory } : {}) }
  return {
    api,
    method,
    path,
    params: z.object(o.params ?? {}),
    sync: false,
    session: true,
    workflow: o.workflow,
    result,
    rights: 'admin',
    verb: o.verb,
    summary: o.summary,
    ...(method === 'POST' ? { bodyKey: 'params' } : {}),
  }
}

/** A synchronous call with a reply of its own. */
export function call(
  api: string,
  method: Api['method'],
  path: string,
  o: {
    params?: z.ZodRawShape
    result: Result
    verb: string
    summary: string
    anonymous?: boolean
    own?: boolean
    bodyKey?: string
  },
): Api {
  return {
    api,
    method,
    path,
    params: z.object(o.params ?? {}),
    sync: true,
    session: !o.anonymous,
    result: o.result,
    rights: o.anonymous ? 'anonymous' : 'account',
    verb: o.verb,
    summary: o.summary,
    ...(method === 'PUT' || method === 'POST' ? { bodyKey: o.bodyKey ?? (method === 'PUT' ? lower(api) : 'params') } : {}),
    ...(o.own ? { own: true } : {}),
  }
}
