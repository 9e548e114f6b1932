/** Statements of policies: which of them speaks of a call, and what they say together. Pure. */
import type { Api, policyStatement, Resource } from '@skerry/contract'
import type { z } from 'zod'

export type Statement = z.infer<typeof policyStatement>

/** A statement with where it stands. */
export interface Placed {
  statement: Statement
  /** `policy <uuid>`, `role <uuid>`, or `built in` */
  in: string
}

/** Whatever policies and roles say of nothing else: ask what one may and why, and stay logged in. */
export const ALWAYS: Placed = {
  statement: {
    name: 'always',
    effect: 'Allow',
    actions: ['CheckApiPermission', 'CheckResourcePermission', 'ExplainPermission', 'RenewSession'],
  },
  in: 'built in',
}

/** What every user may do without a policy, as in ZStack: read what its account sees. */
export const DEFAULT_READ: Placed = {
  statement: { name: 'default-read', effect: 'Allow', actions: ['*:read'] },
  in: 'built in',
}

/** Whether the text has the form, in which `*` stands for any characters. Linear: forms come from people. */
export function hasForm(text: string, form: string): boolean {
  const parts = form.split(/\*+/)
  const [first = '', last = ''] = [parts.shift(), parts.pop()]
  if (parts.length === 0 && !form.includes('*')) return text === form
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return false
  let at = first.length
  for (const part of parts) {
    const found = text.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return at <= text.length - last.length
}

/** A class of ZStack's counts by its own name: packages of ours and its are not the same everywhere. */
const formOf = (action: string) => action.replace(/^.*\.(?=API\w+$)/, '').toLowerCase()

/**
 * The names under which statements may speak of an API: `StartVmInstance`, `APIStartVmInstanceMsg`, `vm:start`, `vm:write`, and
 * ZStack's class in the package of the inventory, for `org.zstack.header.vm.**`.
 */
function namesOf({ api, resource }: { api: Api; resource: Resource }): string[] {
  const { noun } = resource
  const reads = api.query === true || api.method === 'GET'
  const message = `API${api.api}Msg`
  const inPackage = `${resource.inventory?.java?.replace(/\.\w+$/, '') ?? 'skerry'}.${message}`
  const names = [api.api, message, inPackage, `${noun}:${api.verb}`, `${noun}:${reads ? 'read' : 'write'}`]
  return names.map((name) => name.toLowerCase())
}

/** Whether the statement speaks of the API. */
export function speaksOf({ actions }: Statement, call: { api: Api; resource: Resource }): boolean {
  const names = namesOf(call)
  return actions.some((action) => names.some((name) => hasForm(name, formOf(action))))
}

export interface Verdict {
  allowed: boolean
  /** the statement that decided; undefined: none speaks of the API */
  by?: Placed
}

/** A Deny decides before any Allow; where no statement speaks of the API it is not allowed. */
export function verdictOf(statements: readonly Placed[], call: { api: Api; resource: Resource }): Verdict {
  const about = statements.filter(({ statement }) => speaksOf(statement, call))
  const denied = about.find(({ statement }) => statement.effect === 'Deny')
  if (denied) return { allowed: false, by: denied }
  const [by] = about
  return by ? { allowed: true, by } : { allowed: false }
}
