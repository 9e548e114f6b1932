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

export function defineResource<const R extends Resource>(resource: R): R {
  return resource
}

/** The Enabled/Disabled machine that most resources share (zstack-core §2). */
export const enabledDisabled: States = {
  field: 'state',
  table: { Enabled: { enable: 'Enabled', disable: 'Disabled' }, Disabled: { enable: 'Enabled', disable: 'Disabled' } },
}
export const enabledState = z.enum(['Enabled', 'Disabled'])
