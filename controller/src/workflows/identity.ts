/** Policies, groups, roles and quotas. */
import { type Row, SkerryError } from '@skerry/contract'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { input } from './input.ts'
import { creation } from './resource.create.ts'
import { type Action, baseRow, type Ctx, derivedId, type EndCtx, type Input, need, touch, type World } from './world.ts'

const account = (ctx: Ctx) => ({ accountUuid: ctx.input.accountUuid })

const policyCreate = creation({
  workflow: 'policy.create',
  table: 'policy',
  row: (ctx) => ({ ...account(ctx), statements: ctx.input.params['statements'] }),
})

const groupCreate = creation({
  workflow: 'userGroup.create',
  table: 'userGroup',
  row: (ctx) => ({ ...account(ctx), userUuids: [], policyUuids: [] }),
})

/** Statements of a role as it holds them, each with an id of its own. */
const placed = (ctx: Pick<Ctx, 'job' | 'input'>, statements: unknown): Row[] =>
  ((statements as Row[] | undefined) ?? []).map((statement, i) => ({
    uuid: derivedId(ctx, `statement ${i}`),
    roleUuid: ctx.input.uuid,
    statement,
  }))

const roleCreate = creation({
  workflow: 'role.create',
  table: 'role',
  row: (ctx) => ({
    identity: ctx.input.params['identity'] ?? null,
    type: 'Customized',
    state: 'Enabled',
    statements: placed(ctx, ctx.input.params['statements']),
    policyUuids: ctx.input.params['policyUuids'] ?? [],
  }),
  check: ({ graph, params }) => {
    for (const uuid of (params['policyUuids'] as string[] | undefined) ?? []) need(graph, 'policy', uuid)
  },
})

type Statements = { uuid: string; statement: Row }[]
const before = z.object({ before: z.record(z.string(), z.unknown()) })

/** One write of a role's fields, undone by writing back what was there. */
function roleChange(name: string, fields: (ctx: Ctx, role: Row) => Row): Action {
  const change = {
    name: 'change',
    output: before,
    do: (ctx: Ctx) => {
      const role = need(ctx.world.graph, 'role', ctx.input.uuid)
      const set = fields(ctx, role)
      const old =
        ctx.outputs['change']?.before ?? Object.fromEntries(Object.keys(set).map((field) => [field, role[field] ?? null]))
      const facts = [{ noun: 'role', uuid: ctx.input.uuid, event: 'updated' }]
      return { output: { before: old }, change: { ops: [touch(ctx, 'role', ctx.input.uuid, set)], facts } }
    },
    undo: (ctx: Ctx) => {
      const old = (ctx.outputs['change'] as z.infer<typeof before> | undefined)?.before
      return old && ctx.world.graph.get('role', ctx.input.uuid)
        ? { change: { ops: [{ o: 'set' as const, t: 'role', k: ctx.input.uuid, v: old }] } }
        : {}
    },
  }
  return {
    workflow: defineWorkflow<Input, World>({ name, version: 1, input, steps: [change] }),
    check({ graph, uuid, params }) {
      need(graph, 'role', uuid)
      for (const policy of (params['policyUuids'] as string[] | undefined) ?? []) need(graph, 'policy', policy)
    },
  }
}

const roleUpdate = roleChange('role.update', (ctx) => {
  const { name, description, policyUuids, statements } = ctx.input.params
  const given = Object.entries({ name, description, policyUuids }).filter(([, value]) => value !== undefined)
  return { ...Object.fromEntries(given), ...(statements === undefined ? {} : { statements: placed(ctx, statements) }) }
})

const addStatements = roleChange('role.addStatements', (ctx, role) => {
  const added = placed(ctx, ctx.input.params['statements'])
  const ids = new Set(added.map(({ uuid }) => uuid))
  return { statements: [...(role['statements'] as Statements).filter(({ uuid }) => !ids.has(uuid)), ...added] }
})

const removeStatements = roleChange('role.removeStatements', (ctx, role) => {
  const gone = new Set(ctx.input.params['policyStatementUuids'] as string[])
  return { statements: (role['statements'] as Statements).filter(({ uuid }) => !gone.has(uuid)) }
})

const quotaOf = (ctx: EndCtx | Ctx): Row | undefined => {
  const { identityUuid, name } = ctx.input.params
  const rows = [...ctx.world.graph.by('quota', 'identityUuid', identityUuid)].map(
    (key) => ctx.world.graph.get('quota', key) as Row,
  )
  return rows.find((row) => row['name'] === name)
}

const old = z.object({ before: z.number().nullable() })

/** An account that is older than a quota has no row of it yet: it has the default until then. */
const setQuota = {
  name: 'set',
  output: old,
  do: (ctx: Ctx) => {
    const { identityUuid, name, value } = ctx.input.params as { identityUuid: string; name: string; value: number }
    const row = quotaOf(ctx)
    const output = {
      before: (ctx.outputs['set']?.before as number | null | undefined) ?? (row ? (row['value'] as number) : null),
    }
    const guards = [{ g: 'exists' as const, t: 'account', k: identityUuid }]
    const uuid = (row?.['uuid'] as string | undefined) ?? ctx.input.uuid
    const facts = [{ noun: 'quota', uuid, event: 'updated' }]
    if (row) return { output, change: { guards, ops: [touch(ctx, 'quota', uuid, { value })], facts } }
    const made = { ...baseRow(ctx), name, identityUuid, identityType: 'AccountVO', value }
    return { output, change: { guards, ops: [{ o: 'put' as const, t: 'quota', k: uuid, v: made }], facts } }
  },
  undo: (ctx: Ctx) => {
    const was = ctx.outputs['set'] as z.infer<typeof old> | undefined
    const row = quotaOf(ctx)
    if (!was || !row) return {}
    const k = row['uuid'] as string
    return {
      change: {
        ops: [
          was.before === null
            ? { o: 'del' as const, t: 'quota', k }
            : { o: 'set' as const, t: 'quota', k, v: { value: was.before } },
        ],
      },
    }
  },
}

const quotaUpdate: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'quota.update',
    version: 1,
    input,
    steps: [setQuota],
    finish: (ctx: EndCtx) => ({ result: { inventory: quotaOf(ctx) ?? {} } }),
  }),
  queueKey: ({ params }) => `quota ${params['identityUuid']}`,
  check({ graph, params }) {
    if (need(graph, 'account', params['identityUuid'])['type'] === 'SystemAdmin')
      throw new SkerryError('invalid-argument', 'invalid field[identityUuid]: administrators have no quotas', {
        field: 'identityUuid',
      })
  },
}

export const identities: readonly Action[] = [
  ...[policyCreate, groupCreate, roleCreate, roleUpdate, addStatements, removeStatements, quotaUpdate],
]
