/** The policies that bind a caller: those of its user, and the roles of its account. Pure. */
import type { Row } from '@skerry/contract'
import type { Caller } from '../engine/port.ts'
import { ALWAYS, DEFAULT_READ, type Placed, type Statement } from './statements.ts'
import type { Rows } from './whose.ts'

const listOf = (row: Readonly<Row> | undefined, field: string) => (row?.[field] as string[] | undefined) ?? []

function statementsOf(graph: Rows, policyUuid: string): Placed[] {
  const policy = graph.get('policy', policyUuid)
  return ((policy?.['statements'] as Statement[] | undefined) ?? []).map((statement) => ({
    statement,
    in: `policy ${policy!['name']} (${policyUuid})`,
  }))
}

/** What a user may do: its own policies and those of its groups; and to read, unless one of them denies it. */
function ofUser(graph: Rows, userUuid: string): Placed[] {
  const user = graph.get('user', userUuid)
  const groups = [...graph.by('userGroup', 'userUuids', userUuid)].map((key) => graph.get('userGroup', key))
  const policies = new Set([user, ...groups].flatMap((row) => listOf(row, 'policyUuids')))
  return [...[...policies].flatMap((uuid) => statementsOf(graph, uuid)), DEFAULT_READ, ALWAYS]
}

/** What an account may do by its roles; undefined: it has none that is enabled, and may do all that accounts may. */
function ofRoles(graph: Rows, accountUuid: string): Placed[] | undefined {
  const roles = listOf(graph.get('account', accountUuid), 'roleUuids').flatMap((uuid) => {
    const role = graph.get('role', uuid)
    return role?.['state'] === 'Enabled' ? [role] : []
  })
  if (roles.length === 0) return undefined
  const said = roles.flatMap((role) => [
    ...((role['statements'] as { statement: Statement }[] | undefined) ?? []).map(({ statement }) => ({
      statement,
      in: `role ${role['name']} (${role['uuid']})`,
    })),
    ...listOf(role, 'policyUuids').flatMap((uuid) => statementsOf(graph, uuid)),
  ])
  return [...said, ALWAYS]
}

/** Lists of statements, each of which must allow what the caller does. None: nothing binds it but its kind of account. */
export function policiesOf(graph: Rows, caller: Caller): Placed[][] {
  // Roles must not shut the last administrator out.
  const roles = caller.admin ? undefined : ofRoles(graph, caller.accountUuid)
  const user = caller.userUuid === undefined ? undefined : ofUser(graph, caller.userUuid)
  return [roles, user].filter((statements) => statements !== undefined)
}
