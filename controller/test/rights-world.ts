/** One row of every resource, all of one account, and callers of every kind: the ground of the matrix of rights. */
import { createHash } from 'node:crypto'
import {
  ADMIN_ACCOUNT,
  type Api,
  type apis,
  isOwned,
  namedIn,
  pathParameters,
  type Resource,
  type Row,
  resources,
} from '@skerry/contract'
import type { Caller } from '../src/engine/port.ts'
import { FakeEngine, sampleParams } from '../src/testing/index.ts'

export const uuidOf = (name: string) => createHash('sha256').update(name).digest('hex').slice(0, 32)

/** The account that owns everything. */
export const OWNER_ACCOUNT = uuidOf('account')
const OTHER = uuidOf('another account')
const RECEIVER = uuidOf('an account to which things were shared')
const USER = uuidOf('user')

export const callers = {
  anonymous: undefined,
  expired: undefined,
  tampered: undefined,
  other: { accountUuid: OTHER, sessionUuid: uuidOf('s1'), admin: false },
  'read-only user': { accountUuid: OWNER_ACCOUNT, sessionUuid: uuidOf('s2'), admin: false, userUuid: USER },
  'shared with': { accountUuid: RECEIVER, sessionUuid: uuidOf('s3'), admin: false },
  owner: { accountUuid: OWNER_ACCOUNT, sessionUuid: uuidOf('s4'), admin: false },
  admin: { accountUuid: ADMIN_ACCOUNT, sessionUuid: uuidOf('s5'), admin: true },
} as const satisfies Record<string, Caller | undefined>
export type Who = keyof typeof callers

/** What each sends as session. */
export const sessions: Readonly<Partial<Record<Who, string>>> = {
  ...Object.fromEntries(Object.entries(callers).flatMap(([who, caller]) => (caller ? [[who, caller.sessionUuid]] : []))),
  expired: uuidOf('a session that has ended'),
  // one character of a good one
  tampered: callers.owner.sessionUuid.replace(/.$/, (c) => (c === '0' ? '1' : '0')),
}

export class RightsEngine extends FakeEngine {
  override session(uuid: string): Caller | undefined {
    return Object.values(callers).find((caller) => caller?.sessionUuid === uuid)
  }
}

/** Which fields say whose a row is. */
function belonging(resource: Resource): Row {
  const { scope } = resource
  if (typeof scope !== 'object') return {}
  if ('follows' in scope) return { [scope.follows]: uuidOf(scope.of === '*' ? 'vmInstance' : scope.of) }
  return scope.owner === 'uuid' ? {} : { [scope.owner]: OWNER_ACCOUNT }
}

export function rightsEngine(): RightsEngine {
  const engine = new RightsEngine()
  for (const resource of Object.values(resources as Record<string, Resource>)) {
    if (resource.rows || resource.name === 'sharedResource') continue
    engine.add(resource.name, { uuid: uuidOf(resource.name), name: `a ${resource.name}`, ...belonging(resource) })
    if (!isOwned(resource)) continue
    const share = { ownerAccountUuid: OWNER_ACCOUNT, receiverAccountUuid: RECEIVER, toPublic: false }
    engine.add('sharedResource', { uuid: uuidOf(`share ${resource.name}`), ...share, resourceUuid: uuidOf(resource.name) })
  }
  for (const uuid of [OTHER, RECEIVER, ADMIN_ACCOUNT])
    engine.add('account', { uuid, type: uuid === ADMIN_ACCOUNT ? 'SystemAdmin' : 'Normal' })
  // No policy holds for the user, and no role binds an account.
  engine.add('user', { uuid: USER, accountUuid: OWNER_ACCOUNT, policyUuids: [] })
  engine.add('userGroup', { uuid: uuidOf('userGroup'), accountUuid: OWNER_ACCOUNT, userUuids: [], policyUuids: [] })
  engine.add('account', { uuid: OWNER_ACCOUNT, type: 'Normal', roleUuids: [] })
  return engine
}

export type Declared = (typeof apis)[number]

/** Valid parameters that name what is there, or with `salt` what is not. */
export function paramsOf({ api, resource }: Declared, salt = ''): Row {
  const params: Row = { ...sampleParams(api) }
  delete params['resourceUuid']
  for (const name of pathParameters(api.path)) params[name] ??= uuidOf(name)
  for (const { parameter, of, path } of namedIn({ api, resource })) {
    if (!(parameter in params) && !path && parameter !== 'resourceUuid') continue
    const uuid = uuidOf((of === '*' ? 'vmInstance' : (resourceTable(of) ?? of)) + salt)
    params[parameter] = Array.isArray(params[parameter]) || parameter.endsWith('Uuids') ? [uuid] : uuid
  }
  return params
}

const resourceTable = (name: string) => (resources as Record<string, Resource>)[name]?.rows?.table

export const isRead = (api: Api) => api.query === true || api.method === 'GET'

/** The request that calls the API with these parameters. */
export function requestOf({ api }: Declared, params: Row): [method: string, path: string, body?: unknown] {
  const rest = { ...params }
  const path = api.path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = rest[name]
    delete rest[name]
    return String(value)
  })
  if (api.method === 'POST' || api.method === 'PUT') return [api.method, path, { [api.bodyKey ?? 'params']: rest }]
  const search = new URLSearchParams(
    Object.entries(rest).flatMap(([k, v]) => [v].flat().map((one) => [k, String(one)] as [string, string])),
  )
  return [api.method, `${path}${search.size > 0 ? `?${search}` : ''}`]
}

/** Whose the rows of a table are; of any table: as of a VM instance, which stands for all. */
export const scopeOf = (table: string) => (resources as Record<string, Resource>)[table === '*' ? 'vmInstance' : table]?.scope
