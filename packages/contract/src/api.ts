/** Builders of APIs: what ZStack's kinds of calls have in common is written here once (zstack-core §1.2). */
import { z } from 'zod'
import type { Api, Result } from './resource.ts'
import * as s from './scalars.ts'

/** Longest tag that a creation may bring along: user data of guests are tags. */
const MAX_TAG = 66_000

/** Parameters that every creating call takes (zstack-core §1.2). */
export const createParams = {
  name: s.name,
  description: s.text.optional(),
  resourceUuid: s.uuid.optional(),
  tagUuids: z.array(s.uuid).optional(),
  systemTags: z.array(s.line(MAX_TAG)).optional(),
  userTags: z.array(s.line(2048)).optional(),
}

/** Whether the caller may choose the new resource's uuid: elsewhere `resourceUuid` names what exists (tags). */
export const choosesUuid = (api: Api): boolean => api.params.shape['resourceUuid'] === createParams.resourceUuid

const lower = (api: string) => api.charAt(0).toLowerCase() + api.slice(1)

/** An API as the SDK sees it: its name, path, parameters and result are types too, so that a typed client follows from them. */
export interface Typed<N extends string, P extends string, S extends z.ZodRawShape, R extends Result, Sync extends boolean>
  extends Omit<Api, 'api' | 'path' | 'params' | 'result' | 'sync'> {
  api: N
  path: P
  params: z.ZodObject<S>
  result: R
  sync: Sync
}
type Inventory<O extends string> = { kind: 'inventory'; of: O; inventory?: string }
type Empty = { kind: 'empty' }
type Shape = z.ZodRawShape
/** what a builder without parameters has */
type None = Record<never, never>

/** Who may call it, where that does not follow from whose its resource is (rights.ts). */
type Who = Pick<Api, 'rights' | 'names' | 'owns' | 'target' | 'self'>
const who = ({ rights, names, owns, target, self }: Who): Who => ({
  ...(rights ? { rights } : {}),
  ...(names ? { names } : {}),
  ...(owns ? { owns } : {}),
  ...(target ? { target } : {}),
  ...(self ? { self } : {}),
})

const inventoryOf = <O extends string>(of: O, inventory?: string): Inventory<O> => ({
  kind: 'inventory',
  of,
  ...(inventory ? { inventory } : {}),
})

/** POST that creates: `{ params: {...} }` → 202 → `{ inventory }`. */
export function create<const N extends string, const P extends string, const O extends string, S extends Shape>(
  api: N,
  path: P,
  o: { of: O; workflow: string; params: S; inventory?: string; verb?: string; summary: string } & Who,
): Typed<N, P, typeof createParams & S, Inventory<O>, false> {
  const params = z.object({ ...createParams, ...o.params }) as z.ZodObject<typeof createParams & S>
  const result = inventoryOf(o.of, o.inventory)
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
    verb: o.verb ?? 'create',
    summary: o.summary,
    ...who(o),
  }
}

/** GET with ZStack's query grammar; `path/{uuid}` answers the same list with one entry or none. */
export function query<const N extends string, const P extends string, const O extends string>(
  api: N,
  path: P,
  of: O,
  options: { byUuid?: boolean; inventory?: string } = {},
): Typed<N, P, None, { kind: 'inventories'; of: O; inventory?: string }, true> {
  const also = options.byUuid === false ? [] : [`${path}/{uuid}`]
  const named = options.inventory ? { inventory: options.inventory } : {}
  const result = { kind: 'inventories' as const, of, ...named }
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
    verb: 'get',
    summary: `List and search ${of} resources`,
  }
}

/** PUT …/actions with `{ <action>: {...} }`. */
export function action<
  const N extends string,
  const P extends string,
  const O extends string,
  S extends Shape = None,
  const R extends Result = Inventory<O>,
>(
  api: N,
  path: P,
  o: {
    of: O
    workflow: string
    verb: string
    params?: S
    allowed?: readonly string[]
    result?: R
    summary: string
  } & Who,
): Typed<N, P, S, R, false> {
  return {
    api,
    method: 'PUT',
    path,
    bodyKey: lower(api),
    params: z.object(o.params ?? {}) as z.ZodObject<S>,
    sync: false,
    session: true,
    workflow: o.workflow,
    result: o.result ?? (inventoryOf(o.of) as Result as R),
    verb: o.verb,
    summary: o.summary,
    ...who(o),
    ...(o.allowed ? { allowed: o.allowed } : {}),
  }
}

const updateParams = { name: s.name.optional(), description: s.text.optional() }

/** PUT …/actions with `updateX`: name, description and what else may change. */
export function update<const N extends string, const P extends string, const O extends string, S extends Shape = None>(
  api: N,
  path: P,
  of: O,
  params?: S,
): Typed<N, P, typeof updateParams & S, Inventory<O>, false> {
  return action(api, path, {
    of,
    workflow: 'resource.update',
    verb: 'update',
    params: { ...updateParams, ...params } as typeof updateParams & S,
    summary: `Change a ${of}`,
  })
}

/** PUT …/actions with `changeXState {stateEvent}`. */
export function changeState<
  const N extends string,
  const P extends string,
  const O extends string,
  const E extends readonly [string, ...string[]],
>(api: N, path: P, of: O, events: E) {
  return action(api, path, {
    of,
    workflow: 'resource.changeState',
    verb: 'change-state',
    params: { stateEvent: z.enum(events) },
    summary: `Change the state of a ${of}`,
  })
}

const removeParams = { deleteMode: z.enum(['Permissive', 'Enforcing', '']).optional() }

/** DELETE, answers `{}`. */
export function remove<const N extends string, const P extends string, S extends Shape = None, const R extends Result = Empty>(
  api: N,
  path: P,
  of: string,
  options: {
    workflow?: string
    allowed?: readonly string[]
    params?: S
    result?: R
    verb?: string
    summary?: string
  } & Who = {},
): Typed<N, P, typeof removeParams & S, R, false> {
  const params = z.object({ ...removeParams, ...options.params }) as z.ZodObject<typeof removeParams & S>
  return {
    api,
    method: 'DELETE',
    path,
    params,
    sync: false,
    session: true,
    workflow: options.workflow ?? 'resource.delete',
    result: options.result ?? ({ kind: 'empty' } as Result as R),
    verb: options.verb ?? 'delete',
    summary: options.summary ?? `Delete a ${of}`,
    ...who(options),
    ...(options.allowed ? { allowed: options.allowed } : {}),
  }
}

/** POST or DELETE on a path that names both ends of an attachment; answers the resource `of`. */
export function attach<const N extends string, const P extends string, const O extends string, S extends Shape = None>(
  api: N,
  method: 'POST' | 'DELETE',
  path: P,
  o: { of: O; workflow: string; verb: string; params?: S; inventory?: string; summary: string } & Who,
): Typed<N, P, S, Inventory<O>, false> {
  const result = inventoryOf(o.of, o.inventory)
  return {
    api,
    method,
    path,
    params: z.object(o.params ?? {}) as z.ZodObject<S>,
    sync: false,
    session: true,
    workflow: o.workflow,
    result,
    verb: o.verb,
    summary: o.summary,
    ...who(o),
    ...(method === 'POST' ? { bodyKey: 'params' } : {}),
  }
}

/** A synchronous call with a reply of its own. */
export function call<const N extends string, const P extends string, const R extends Result, S extends Shape = None>(
  api: N,
  method: Api['method'],
  path: P,
  o: {
    params?: S
    result: R
    verb: string
    summary: string
    anonymous?: boolean
    own?: boolean
    bodyKey?: string
  } & Who,
): Typed<N, P, S, R, true> {
  return {
    api,
    method,
    path,
    params: z.object(o.params ?? {}) as z.ZodObject<S>,
    sync: true,
    session: !o.anonymous,
    result: o.result,
    ...who(o),
    verb: o.verb,
    summary: o.summary,
    ...who(o),
    ...(method === 'PUT' || method === 'POST' ? { bodyKey: o.bodyKey ?? (method === 'PUT' ? lower(api) : 'params') } : {}),
    ...(o.own ? { own: true } : {}),
  }
}
