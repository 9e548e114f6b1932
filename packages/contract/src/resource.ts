/**
 * What a resource is: one file of pure data under `resources/`. Routes, OpenAPI, SDK, CLI, query fields, indexes, cascade,
 * 409s and the console derive from it. It names workflows; it holds no code.
 */
import { z } from 'zod'
import type { Rights, Scope } from './rights.ts'
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
  /** The other can't be without this one either: it is deleted along with it. */
  both?: boolean
  /** with `both`: only where the fields of this resource have these values */
  bothWhere?: Readonly<Record<string, string | number | null>>
  list?: boolean
  /** Name of the relation as seen from the other side, for queries: `zone.clusters`. */
  inverse: string
  /** Relation name from this side; default: `via` without `Uuid`. */
  as?: string
  /** Rendered inside the other's inventory under `inverse` (ZStack: `VmInstanceInventory.vmNics`). */
  inline?: boolean
}

export type Result =
  /** `listed`: the same once more, as the only one of `inventories` */
  | { kind: 'inventory'; of: string; inventory?: string; listed?: true }
  | { kind: 'inventories'; of: string; inventory?: string }
  /** several lists of inventories: table by the name of the list; `maps`: several lists by words of the caller, under each name */
  | { kind: 'lists'; of: Readonly<Record<string, string>>; maps?: Readonly<Record<string, string>> }
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
  /** Who may call it; default: what follows from whose its resource is (rights.ts). */
  rights?: Rights
  /** Tables of parameters that name what exists, where their names don't say it (`*`: any); null: it names nothing of the caller's. */
  names?: Readonly<Record<string, string | null>>
  /** Parameters that must name the caller's own, though others may be used once they are shared. */
  owns?: readonly string[]
  /**
   * The parameter that names a user, where users are told from the account: `may`: each may make the call about itself without a policy;
   * `only`: and with a policy about nobody else, because it would get the rights of others.
   */
  self?: { parameter: string; user: 'may' | 'only' }
  /** The parameter that names the resource of the call, where no variable of its path does. */
  target?: string
  /** CLI verb: `skerry <verb> <noun>`. */
  verb: string
  summary: string
  /** Only under /v1: our own, not ZStack's. */
  own?: boolean
  /** A further table in which `{uuid}` may be: ZStack deletes tags and patterns of tags by one call. */
  alsoOf?: string
  /**
   * What the call is where its uuid is one of that table: ZStack starts appliances by the calls of VMs. `answers`: the resource that it
   * answers with, where that is another one.
   */
  otherwise?: { of: string; workflow: string; allowed?: readonly string[]; answers?: string }
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
  /** Whose its rows are. Only administrators see those of a resource that doesn't say it. */
  scope?: Scope
  /** Its rows are those of another table whose field has this value (`systemTag`: tags of type System); default: its own table. */
  rows?: { table: string; where: { field: string; is: string } }
  uniqueName?: boolean
  fields: Record<string, z.ZodType>
  /** Fields that never leave the controller. */
  hidden?: readonly string[]
  /** Number fields changed by `add` operations with guards: they move neither version nor lastOpDate. */
  counters?: readonly string[]
  /** A field of its inventory that is a tree of another resource's rows: those that name it in `via`, each below the one it names in `parent`. */
  tree?: { field: string; of: string; via: string; parent: string }
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

/** Table of the graph that holds a resource's rows. */
export const tableOf = (resource: Resource): string => resource.rows?.table ?? resource.name

/** Whether a row of that table is one of this resource. */
export const isRowOf = ({ rows }: Resource, row: Readonly<Record<string, unknown>>): boolean =>
  rows === undefined || row[rows.where.field] === rows.where.is

export function defineResource<const R extends Resource>(resource: R): R {
  return resource
}

/** The Enabled/Disabled machine that most resources share (zstack-core §2). */
export const enabledDisabled: States = {
  field: 'state',
  table: { Enabled: { enable: 'Enabled', disable: 'Disabled' }, Disabled: { enable: 'Enabled', disable: 'Disabled' } },
}
export const enabledState = z.enum(['Enabled', 'Disabled'])
/** How deleting ends (zstack-core §3.21): at once and for good, after a while in which it can be taken back, or when somebody expunges it. */
export const deletionPolicy = z.enum(['Direct', 'Delay', 'Never'])
