/**
 * May this caller make this call? One pure function for every door (HTTP in both dialects, NATS, long jobs), which also says why.
 * What a caller may not see is not there: such a call is refused as one that names what doesn't exist, word for word.
 */
import {
  type Api,
  namedIn,
  type Resource,
  type Row,
  resourceOf,
  rightsOf,
  SkerryError,
  subjectParameter,
  tableOf,
} from '@skerry/contract'
import { longCallIn } from '../engine/long-call.ts'
import type { Caller } from '../engine/port.ts'
import { policiesOf } from './policies.ts'
import type { Placed } from './statements.ts'
import { verdictOf } from './statements.ts'
import { anyRow, maySee, ownerOf, type Rows } from './whose.ts'

export interface Asking {
  api: Api
  resource: Resource
  /** undefined: nothing is known of them yet; only the API is judged */
  params?: Row
  caller?: Caller | undefined
}

/** Which rule decided. */
export type Rule =
  | 'anonymous API'
  | 'administrator'
  | 'API for administrators'
  | 'statement'
  | 'no statement allows it'
  | 'no session'
  | 'not there'
  | "another account's"
  | 'own account'
  | 'oneself'
  | "another user's"

export interface Decision {
  allowed: boolean
  rule: Rule
  /** of a policy or role, where one decided */
  statement?: { name: string; effect: string; in: string }
  /** what the rule was about */
  parameter?: string
  /** what a refusal is thrown as */
  error?: SkerryError
}

const allow = (rule: Rule, by?: Placed): Decision => ({ allowed: true, rule, ...said(by) })
const deny = (rule: Rule, error: SkerryError, more: Partial<Decision> = {}): Decision => ({
  allowed: false,
  rule,
  error,
  ...more,
})
const said = (by: Placed | undefined): Pick<Decision, 'statement'> =>
  by ? { statement: { name: by.statement.name, effect: by.statement.effect, in: by.in } } : {}

const refused = (api: Api, why: string) => new SkerryError('permission-denied', `${api.api} ${why}`, { api: api.api })

/** The error for what is not there for the caller, whether or not it is there for others. */
export const notThere = (noun: string, resource: string | undefined, uuid: unknown): SkerryError =>
  new SkerryError('not-found', `there is no ${noun} ${String(uuid)}`, { ...(resource ? { resource } : {}), uuid })

/** By the API alone: the kind of account, then what is said of its user or of the account itself. */
function byApi(graph: Rows, asking: Asking): Decision {
  const { api, resource, caller } = asking
  const rights = rightsOf({ api, resource })
  if (rights === 'anonymous') return allow('anonymous API')
  if (!caller) return deny('no session', new SkerryError('session-invalid'))
  if (!caller.admin && (rights === undefined || rights === 'admin'))
    return deny('API for administrators', refused(api, 'is for administrators'))
  const bound = policiesOf(graph, caller)
  let oneself = false
  for (const statements of bound) {
    const { allowed, by } = verdictOf(statements, { api, resource })
    if (allowed) continue
    if (!by && mayBeAboutItself(asking)) {
      oneself = true
      continue
    }
    if (!by) return deny('no statement allows it', refused(api, 'is allowed by no policy of this user or account'))
    return deny('statement', refused(api, `is denied by ${by.statement.name} in ${by.in}`), said(by))
  }
  if (oneself) return allow('oneself')
  if (caller.admin) return allow('administrator')
  const last = bound.at(-1)
  return last ? allow('statement', verdictOf(last, { api, resource }).by) : allow('own account')
}

/** Whether a user asks about itself where each may; without parameters that is not known yet, and is asked again. */
function mayBeAboutItself({ api, params, caller }: Asking): boolean {
  if (api.self?.user !== 'may' || caller?.userUuid === undefined) return false
  return params === undefined || params[api.self.parameter] === caller.userUuid
}

const valuesOf = (value: unknown): unknown[] =>
  Array.isArray(value) ? value : value === undefined || value === null ? [] : [value]

/** The row that a parameter names, in its table or in the one that the API takes for it too. */
function namedRow(graph: Rows, { api, of, uuid }: { api: Api; of: string; uuid: string }) {
  if (of === '*') return anyRow(graph, uuid)
  const resource = resourceOf(of)
  const table = resource ? tableOf(resource) : of
  const row = graph.get(table, uuid) ?? byNaturalKey(graph, resource, uuid)
  if (row) return { table, row }
  const also = api.alsoOf ?? api.otherwise?.of
  const other = also === undefined ? undefined : graph.get(also, uuid)
  return other && { table: also!, row: other }
}

function byNaturalKey(graph: Rows, resource: Resource | undefined, uuid: string): Readonly<Row> | undefined {
  if (!resource?.indexes.includes('uuid')) return undefined
  for (const key of graph.by(resource.name, 'uuid', uuid)) return graph.get(resource.name, key)
  return undefined
}

/** By what the call names. Administrators may name anything, also what is not there: that is told by who looks for it. */
function byNames(graph: Rows, asking: Asking & { params: Row; caller: Caller }): Decision | undefined {
  const { api, resource, params, caller } = asking
  const account = caller.accountUuid
  const rights = rightsOf(asking)
  const target = api.target ?? subjectParameter(api.path, resource)
  const writes = !api.sync
  for (const { parameter, of, path } of namedIn(asking)) {
    for (const uuid of valuesOf(params[parameter])) {
      const found = namedRow(graph, { api, of, uuid: String(uuid) })
      const noun = of === '*' ? 'resource' : (resourceOf(of)?.noun ?? of)
      if (!found || !maySee(graph, account, found.table, found.row))
        return deny('not there', notThere(noun, of === '*' ? undefined : of, uuid), { parameter })
      const owner = ownerOf(graph, found.table, found.row)
      const own = typeof owner === 'object' && owner.account === account
      const scope = resourceOf(found.table)?.scope
      const used = owner === 'everyone' || (typeof scope === 'object' && 'used' in scope && scope.used === true)
      const mustOwn = (writes && (parameter === target || !used)) || (rights === 'owner' && path) || api.owns?.includes(parameter)
      if (mustOwn && !own)
        return deny("another account's", refused(api, `changes ${noun} ${String(uuid)}, which is not this account's`), {
          parameter,
        })
    }
  }
  return undefined
}

/** The decision on a call. Without `params` on its API alone. */
export function decide(graph: Rows, asking: Asking): Decision {
  const first = byApi(graph, asking)
  const { params, caller } = asking
  if (!first.allowed || params === undefined || !caller) return first
  const { self } = asking.api
  if (self?.user === 'only' && caller.userUuid !== undefined && params[self.parameter] !== caller.userUuid)
    return deny("another user's", refused(asking.api, 'is possible for users about themselves only'), {
      parameter: self.parameter,
    })
  const named = caller.admin ? undefined : byNames(graph, { ...asking, params, caller })
  if (named) return named
  // Nothing binds the administrator, and what else is wrong with the call inside is told when it is prepared.
  const inner = caller.admin && caller.userUuid === undefined ? undefined : longCallIn({ api: asking.api, params })
  if (!inner) return first
  const within = decide(graph, { ...inner, caller })
  return within.allowed ? first : within
}

/** Throws what `decide` refuses. */
export function checkMay(graph: Rows, asking: Asking): void {
  const { error } = decide(graph, asking)
  if (error) throw error
}
