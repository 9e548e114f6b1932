/**
 * Who may do what. A resource says whose its rows are (`scope`), and from that follows who may call each of its APIs; an API says
 * it itself only where that would be wrong. Data only: what decides is in the controller.
 */
import { choosesUuid } from './api.ts'
import { resourceNamedBy } from './named-by.ts'
import type { Api, Resource } from './resource.ts'
import { pathParameters } from './subjects/api.ts'

/**
 * Whose the rows of a resource are.
 * - `admin`: of the site; only administrators see them.
 * - `everyone`: of the site; every account sees them, administrators change them.
 * - `owner`: of the account that this field names; without a value of the first administrator. `ownerUuid` is kept by the engine,
 *   any other is a field of the resource. What a call changes must be the caller's own; with `used` others may name it in their
 *   calls once it is shared with them (an image, a network).
 * - `follows`: of whom that is whose uuid stands in this field, in the table `of` (`*`: in any).
 */
export type Scope = 'admin' | 'everyone' | { owner: string; used?: boolean } | { follows: string; of: string }

/**
 * Who may call an API.
 * - `anonymous`: anybody.
 * - `account`: every account. What it reads must be visible to it, what it changes its own, but for what is `used`.
 * - `owner`: the same, and what its path names must be its own even if it is shared or `used`.
 * - `admin`: administrators.
 */
export type Rights = 'anonymous' | 'account' | 'owner' | 'admin'

/** The field in which the engine keeps whose a row is. */
export const OWNER = 'ownerUuid'

/** Whether the engine keeps whose this resource's rows are. A view of another's rows keeps none. */
export const isOwned = ({ scope, rows }: Resource): boolean =>
  rows === undefined && typeof scope === 'object' && 'owner' in scope && scope.owner === OWNER

/** Who may call the API; undefined: it can't be told, because its resource doesn't say whose it is. */
export function rightsOf({ resource, api }: { resource: Resource; api: Api }): Rights | undefined {
  if (!api.session) return 'anonymous'
  const { scope } = resource
  if (api.rights !== undefined || scope === undefined) return api.rights
  if (api.query || api.sync) return scope === 'admin' ? 'admin' : 'account'
  return scope === 'admin' || scope === 'everyone' ? 'admin' : 'account'
}

/** Parameters that name a resource of any kind. */
const anyKind: ReadonlySet<string> = new Set(['resourceUuid', 'resourceUuids', 'targetResourceUuid'])

export interface Named {
  parameter: string
  /** table; `*`: any */
  of: string
  /** by the path */
  path: boolean
}

/** The parameters of an API that name what exists: each must be there for the caller. */
export function namedIn({ resource, api }: { resource: Resource; api: Api }): Named[] {
  const path = pathParameters(api.path)
  const chosen = choosesUuid(api)
  return [...new Set([...path, ...Object.keys(api.params.shape)])].flatMap((parameter): Named[] => {
    const told = api.names?.[parameter]
    if (told === null || (chosen && parameter === 'resourceUuid')) return []
    const of =
      told ??
      (anyKind.has(parameter) ? '*' : parameter === 'tagUuids' ? 'tagPattern' : resourceNamedBy(parameter, resource)?.name)
    return of === undefined ? [] : [{ parameter, of, path: path.includes(parameter) }]
  })
}
