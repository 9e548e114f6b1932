/** Accounts and their users: names that are unique where somebody logs in with them, and passwords of which only a scrypt is kept. */
import { ADMIN_ACCOUNT, defaultQuotas, type Guard, type Op, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow } from '@skerry/workflow'
import { sessionKey } from '../engine/session-key.ts'
import { withoutPassword } from '../identity/password.ts'
import { cascadeOf } from './cascade.ts'
import { removeFromStores } from './image.stores.ts'
import { input } from './input.ts'
import { deletion } from './resource.delete.ts'
import { resourceUpdating } from './resource.update.ts'
import { type Action, baseRow, type Ctx, derivedId, type EndCtx, type Input, need, type World } from './world.ts'

/** Names are unique in the site for accounts, and in their account for users. */
function checkName(graph: Graph, table: string, of: { name: unknown; except?: string; accountUuid?: unknown }): void {
  if (of.name === undefined) return
  for (const key of graph.by(table, 'name', of.name)) {
    const row = graph.get(table, key)
    if (key === of.except || (table === 'user' && row?.['accountUuid'] !== of.accountUuid)) continue
    throw new SkerryError('duplicate-name', `there is ${table === 'user' ? 'a user' : 'an account'} ${of.name} already`, {
      field: 'name',
      ...(table === 'user' ? { uuid: key } : {}),
    })
  }
}

const kept = (graph: Graph, table: string, uuid: string) => graph.get(table, uuid)?.['passwordHash'] as string | undefined

const quotaRows = (ctx: Ctx): Op[] =>
  Object.entries(defaultQuotas).map(([name, value]) => {
    const uuid = derivedId(ctx, `quota ${name}`)
    const row = { ...baseRow(ctx), description: null, uuid, name, identityUuid: ctx.input.uuid, identityType: 'AccountVO', value }
    return { o: 'put', t: 'quota', k: uuid, v: row }
  })

interface Who {
  table: 'account' | 'user'
  row(ctx: Ctx): Row
  also?(ctx: Ctx): Op[]
}

function creates({ table, row, also }: Who): Action['workflow'] {
  const undo = (ctx: Ctx) => {
    const there = ctx.world.graph.get(table, ctx.input.uuid)
    return there
      ? {
          change: {
            ops: [
              { o: 'del' as const, t: table, k: ctx.input.uuid },
              ...(also?.(ctx) ?? []).map(({ t, k }) => ({ o: 'del' as const, t, k })),
            ],
          },
        }
      : {}
  }
  const create = {
    name: 'create',
    undo,
    do: (ctx: Ctx) => {
      const { graph } = ctx.world
      const { uuid, params, accountUuid } = ctx.input
      if (graph.get(table, uuid)) return {}
      checkName(graph, table, { name: params['name'], accountUuid })
      const guards: Guard[] = [{ g: 'absent', t: table, k: uuid }]
      if (table === 'user') guards.push({ g: 'exists', t: 'account', k: accountUuid })
      const v = { ...baseRow(ctx), passwordHash: params['passwordHash'], ...row(ctx) }
      const ops: Op[] = [{ o: 'put', t: table, k: uuid, v }, ...(also?.(ctx) ?? [])]
      return { change: { guards, ops, facts: [{ noun: table, uuid, event: 'created' }] } }
    },
  }
  return defineWorkflow<Input, World>({ name: `${table}.create`, version: 1, input, steps: [create] })
}

const accountCreate: Action = {
  workflow: creates({
    table: 'account',
    row: ({ input: { params } }) => ({ type: params['type'] ?? 'Normal' }),
    also: quotaRows,
  }),
  // One at a time: what makes a name unique is that nobody else is taking it.
  queueKey: () => 'account',
  complete: (params) => withoutPassword(params),
  check: ({ graph, params }) => checkName(graph, 'account', { name: params['name'] }),
}

const userCreate: Action = {
  workflow: creates({ table: 'user', row: (ctx) => ({ accountUuid: ctx.input.accountUuid, policyUuids: [] }) }),
  queueKey: ({ accountUuid }) => `user of ${accountUuid}`,
  complete: (params) => withoutPassword(params),
}

/** Sessions that were begun with another password than this one; whoever has changed it stays logged in. */
function endedSessions({ input: { params, uuid }, world: { graph } }: EndCtx): Op[] {
  if (params['passwordHash'] === undefined) return []
  const account = graph.get('user', uuid)?.['accountUuid'] ?? uuid
  return [...graph.by('session', 'accountUuid', account)]
    .filter((k) => graph.get('session', k)?.['userUuid'] === uuid && k !== params['keptSession'])
    .map((k) => ({ o: 'del', t: 'session', k }))
}

function updates(table: 'account' | 'user'): Action {
  const updating = resourceUpdating(`${table}.update`, {
    // Not a field that a caller may name: it comes of the password.
    also: ({ passwordHash }) => (passwordHash === undefined ? {} : { passwordHash }),
    check({ graph, params, uuid }) {
      const { accountUuid } = need(graph, table, uuid)
      checkName(graph, table, { name: params['name'], except: uuid, accountUuid })
    },
  })
  const { workflow } = updating
  const finish = async (ctx: EndCtx) => ({ ...(await workflow.finish?.(ctx)), change: { ops: endedSessions(ctx) } })
  return {
    ...updating,
    workflow: { ...workflow, finish },
    queueKey: ({ uuid }, graph) => (table === 'account' ? 'account' : `user of ${graph.get('user', uuid)?.['accountUuid']}`),
    async complete(params, { graph, uuid, session }) {
      const changed = await withoutPassword(params, kept(graph, table, uuid))
      return session === undefined ? changed : { ...changed, keptSession: sessionKey(session) }
    },
  }
}

/** What its stores hold of an image that goes. */
const removeImages = {
  name: 'remove-images',
  noUndo: 'the caller asked for the bytes to go; a repeat removes what is left',
  do: async (ctx: Ctx) => {
    const { graph } = ctx.world
    for (const { table, key, action } of cascadeOf(graph, 'account', ctx.input.uuid).order) {
      if (table !== 'image' || action !== 'delete') continue
      const sha256 = (graph.get('image', key)?.['sha256'] as string | null | undefined) ?? null
      await removeFromStores({ ...ctx, commandId: `${ctx.commandId}_${key}`, input: { ...ctx.input, uuid: key } }, sha256)
    }
  },
}

const accountDeletion = deletion('account.delete', [removeImages])

/** An account goes with everything that is its own. */
const accountDelete: Action = {
  ...accountDeletion,
  check(i) {
    if (i.uuid === ADMIN_ACCOUNT)
      throw new SkerryError('illegal-state', 'the first administrator stays: somebody must be able to log in', { uuid: i.uuid })
    accountDeletion.check!(i)
  },
}

export const accounts: readonly Action[] = [accountCreate, updates('account'), accountDelete, userCreate, updates('user')]
