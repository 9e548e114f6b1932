/** Resources that others may see, and resources that get another owner. */
import { ADMIN_ACCOUNT, isOwned, type Op, OWNER, type Row, resourceOf, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { resourceTypeOf } from '../engine/tags.ts'
import { anyRow, ownerOf } from '../identity/whose.ts'
import { input } from './input.ts'
import { type Action, type Ctx, derivedId, type EndCtx, type Input, need, type World } from './world.ts'

/** The resource, which must be of a kind that belongs to accounts. */
function owned(graph: Graph, uuid: string, field: string): { table: string; row: Readonly<Row> } {
  const found = anyRow(graph, uuid)
  if (!found) throw new SkerryError('not-found', `there is no resource ${uuid}`, { field, uuid })
  const resource = resourceOf(found.table)
  if (resource && isOwned(resource)) return found
  const message = `invalid field[${field}]: ${resource?.noun ?? found.table} ${uuid} has no owner of its own`
  throw new SkerryError('invalid-argument', message, { field, uuid })
}

const PUBLIC = 'public'
const keyOf = (resource: string, receiver: string) => `${resource}:${receiver}`
const listOf = (params: Row, field: string) => [...new Set((params[field] as string[] | undefined) ?? [])]

/** Who is to see it: accounts, or everybody. */
const receiversOf = (params: Row): string[] => [
  ...listOf(params, 'accountUuids'),
  ...(params['toPublic'] === true ? [PUBLIC] : []),
]

function shareRow(ctx: Ctx, uuid: string, receiver: string): Row {
  const { graph, now } = ctx.world
  const { table, row } = owned(graph, uuid, 'resourceUuids')
  const owner = ownerOf(graph, table, row)
  return {
    uuid: derivedId(ctx, `share ${uuid} ${receiver}`),
    name: 'share',
    description: null,
    createDate: now(),
    lastOpDate: now(),
    ownerAccountUuid: typeof owner === 'object' ? owner.account : ADMIN_ACCOUNT,
    receiverAccountUuid: receiver === PUBLIC ? null : receiver,
    toPublic: receiver === PUBLIC,
    resourceType: resourceTypeOf(table),
    resourceUuid: uuid,
  }
}

const pairs = (params: Row): { k: string; uuid: string; receiver: string }[] =>
  listOf(params, 'resourceUuids').flatMap((uuid) =>
    receiversOf(params).map((receiver) => ({ k: keyOf(uuid, receiver), uuid, receiver })),
  )

const made = z.object({ keys: z.array(z.string()) })

const share = {
  name: 'share',
  output: made,
  do: (ctx: Ctx) => {
    const { graph } = ctx.world
    const fresh = pairs(ctx.input.params).filter(({ k }) => !graph.get('sharedResource', k))
    const ops = fresh.map(({ k, uuid, receiver }): Op => ({ o: 'put', t: 'sharedResource', k, v: shareRow(ctx, uuid, receiver) }))
    const tables = new Map(fresh.map(({ uuid }) => [uuid, owned(graph, uuid, 'resourceUuids').table]))
    const facts = [...tables].map(([uuid, noun]) => ({ noun, uuid, event: 'shared' }))
    const accounts = new Set(fresh.flatMap(({ receiver }) => (receiver === PUBLIC ? [] : [receiver])))
    const guards = [
      ...[...tables].map(([k, t]) => ({ g: 'exists' as const, t, k })),
      ...[...accounts].map((k) => ({ g: 'exists' as const, t: 'account', k })),
    ]
    const keys = (ctx.outputs['share'] as z.infer<typeof made> | undefined)?.keys ?? fresh.map(({ k }) => k)
    return { output: { keys }, change: { guards, ops, facts } }
  },
  undo: (ctx: Ctx) => {
    const keys = (ctx.outputs['share'] as z.infer<typeof made> | undefined)?.keys ?? []
    const there = keys.filter((k) => ctx.world.graph.get('sharedResource', k))
    return { change: { ops: there.map((k): Op => ({ o: 'del', t: 'sharedResource', k })) } }
  },
}

const resourceShare: Action = {
  workflow: defineWorkflow<Input, World>({ name: 'resource.share', version: 1, input, steps: [share] }),
  check({ graph, params }) {
    if (receiversOf(params).length === 0)
      throw new SkerryError('invalid-argument', 'give accountUuids, or toPublic', { field: 'accountUuids' })
    for (const uuid of listOf(params, 'resourceUuids')) owned(graph, uuid, 'resourceUuids')
    for (const uuid of listOf(params, 'accountUuids')) need(graph, 'account', uuid)
  },
}

const unshare = {
  name: 'unshare',
  output: z.object({ rows: z.array(z.record(z.string(), z.unknown())) }),
  do: (ctx: Ctx) => {
    const { graph } = ctx.world
    const { params } = ctx.input
    const every = listOf(params, 'resourceUuids').flatMap((uuid) => [...graph.by('sharedResource', 'resourceUuid', uuid)])
    const named = new Set(pairs(params).map(({ k }) => k))
    const rows = every.filter((k) => params['all'] === true || named.has(k)).map((k) => graph.get('sharedResource', k) as Row)
    const ops = rows.map((row): Op => ({ o: 'del', t: 'sharedResource', k: keyOfRow(row) }))
    return { output: { rows: (ctx.outputs['unshare']?.rows as Row[] | undefined) ?? rows }, change: { ops } }
  },
  undo: (ctx: Ctx) => {
    const rows = (ctx.outputs['unshare']?.rows as Row[] | undefined) ?? []
    const lost = rows.filter((row) => !ctx.world.graph.get('sharedResource', keyOfRow(row)))
    return { change: { ops: lost.map((row): Op => ({ o: 'put', t: 'sharedResource', k: keyOfRow(row), v: row })) } }
  },
}

const keyOfRow = (row: Row) => keyOf(row['resourceUuid'] as string, (row['receiverAccountUuid'] as string | null) ?? PUBLIC)

const resourceUnshare: Action = {
  workflow: defineWorkflow<Input, World>({ name: 'resource.unshare', version: 1, input, steps: [unshare] }),
}

/** The root volume of a VM is always of the VM's owner. */
const rootOf = (graph: Graph, vm: string): Readonly<Row>[] =>
  [...graph.by('volume', 'vmInstanceUuid', vm)].map((k) => graph.get('volume', k)!).filter((volume) => volume['type'] === 'Root')

const before = z.object({ before: z.string().nullable() })

const change = {
  name: 'change',
  output: before,
  do: (ctx: Ctx) => {
    const { graph } = ctx.world
    const { resourceUuid, accountUuid } = ctx.input.params as { resourceUuid: string; accountUuid: string }
    const { table, row } = owned(graph, resourceUuid, 'resourceUuid')
    const was = (ctx.outputs['change'] as z.infer<typeof before> | undefined)?.before
    const output = { before: was === undefined ? ((row[OWNER] as string | undefined) ?? null) : was }
    const facts = [{ noun: table, uuid: resourceUuid, event: 'owner-changed' }]
    const guards = [{ g: 'exists' as const, t: 'account', k: accountUuid }]
    return { output, change: { guards, ops: moved(graph, table, row, accountUuid), facts } }
  },
  undo: (ctx: Ctx) => {
    const was = ctx.outputs['change'] as z.infer<typeof before> | undefined
    const found = anyRow(ctx.world.graph, ctx.input.params['resourceUuid'] as string)
    return was && found ? { change: { ops: moved(ctx.world.graph, found.table, found.row, was.before) } } : {}
  },
}

function moved(graph: Graph, table: string, row: Readonly<Row>, account: string | null): Op[] {
  const v = { [OWNER]: account === ADMIN_ACCOUNT ? null : account }
  const uuid = row['uuid'] as string
  const with_ = table === 'vmInstance' ? rootOf(graph, uuid) : []
  return [
    { o: 'set', t: table, k: uuid, v },
    ...with_.map((volume): Op => ({ o: 'set', t: 'volume', k: volume['uuid'] as string, v })),
  ]
}

const resourceChangeOwner: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'resource.changeOwner',
    version: 1,
    input,
    steps: [change],
    finish: (ctx: EndCtx) => {
      const { resourceUuid, accountUuid } = ctx.input.params as { resourceUuid: string; accountUuid: string }
      const { table, row } = owned(ctx.world.graph, resourceUuid, 'resourceUuid')
      const resourceType = resourceTypeOf(table)
      const { createDate } = row
      const inventory = { accountUuid, resourceUuid, resourceType, concreteResourceType: resourceType, createDate }
      return { result: { inventory: { ...inventory, lastOpDate: ctx.world.now() } } }
    },
  }),
  queueKey: ({ params }) => params['resourceUuid'] as string,
  check({ graph, params }) {
    need(graph, 'account', params['accountUuid'])
    const { table, row } = owned(graph, params['resourceUuid'] as string, 'resourceUuid')
    if (table === 'volume' && row['type'] === 'Root')
      throw new SkerryError(
        'invalid-argument',
        'a root volume belongs to whom its VM instance belongs: change the owner of that',
        {
          field: 'resourceUuid',
          vmInstanceUuid: row['vmInstanceUuid'],
        },
      )
  },
}

export const sharing: readonly Action[] = [resourceShare, resourceUnshare, resourceChangeOwner]
