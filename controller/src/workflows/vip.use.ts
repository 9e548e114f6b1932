/** EIPs and port forwarding: a use of a VIP is made, attached and detached in one commit with the VIP's row, and then its router is told. */
import { type Change, type Row, SkerryError } from '@skerry/contract'
import { defineWorkflow, type Step } from '@skerry/workflow'
import { z } from 'zod'
import { input } from './input.ts'
import { deletion } from './resource.delete.ts'
import { cidrOf, needFreePorts, needReachable, needVipFor, portsOf } from './vip.check.ts'
import { tellRouter, vipOfCall } from './vip.tell.ts'
import { changingState } from './vip.ts'
import { type UseTable, vipAfter } from './vip.uses.ts'
import { type Action, baseRow, type CheckInput, type Ctx, type Input, need, needEnabled, type World } from './world.ts'

const held = z.object({ before: z.record(z.string(), z.unknown()).nullable() })

/** The use is as given (null: gone), and its VIP says so. */
function useChange(ctx: Ctx, table: UseTable, row: Row | null): Change | undefined {
  const { graph, now } = ctx.world
  const { uuid } = ctx.input
  const vip = graph.get('vip', vipOfCall(ctx))
  const there = graph.get(table, uuid)
  if (!vip || (!row && !there)) return undefined
  const key = vip['uuid'] as string
  const nic = row?.['vmNicUuid'] as string | null | undefined
  return {
    guards: [
      { g: 'version', t: 'vip', k: key, seq: graph.version('vip', key)! },
      there ? { g: 'version', t: table, k: uuid, seq: graph.version(table, uuid)! } : { g: 'absent', t: table, k: uuid },
      ...(nic ? [{ g: 'exists' as const, t: 'vmNic', k: nic }] : []),
    ],
    ops: [
      row ? { o: 'put', t: table, k: uuid, v: row } : { o: 'del', t: table, k: uuid },
      { o: 'set', t: 'vip', k: key, v: { ...vipAfter(graph, vip, { table, uuid, row }), lastOpDate: now() } },
    ],
    facts: [{ noun: table, uuid, event: !row ? 'deleted' : there ? 'updated' : 'created' }],
  }
}

/** `next`: the row as the call wants it; it throws what stands in the way by now. */
function useStep(table: UseTable, next: (ctx: Ctx) => Row): Step<Input, World> {
  return {
    name: 'change',
    output: held,
    do: (ctx: Ctx) => {
      const there = ctx.world.graph.get(table, ctx.input.uuid) as Row | undefined
      const known = ctx.outputs['change'] as z.infer<typeof held> | undefined
      const change = useChange(ctx, table, next(ctx))
      return { output: { before: known ? known.before : (there ?? null) }, ...(change ? { change } : {}) }
    },
    undo: (ctx: Ctx) => {
      const known = ctx.outputs['change'] as z.infer<typeof held> | undefined
      if (!known) return {}
      const { before } = known
      const { graph } = ctx.world
      if (before && !graph.get(table, ctx.input.uuid)) return {}
      // a card that has gone meanwhile takes nothing back
      const lost = before?.['vmNicUuid'] && !graph.get('vmNic', before['vmNicUuid'] as string)
      const change = useChange(ctx, table, before && lost ? { ...before, vmNicUuid: null, guestIp: null } : before)
      return change ? { change } : {}
    },
  }
}

interface Kind {
  table: UseTable
  /** fields of a new row besides those of every use */
  fields(params: Row): Row
  check?(i: CheckInput, vip: Row): void
}

const guestOf = (nic: Row | undefined) => ({ vmNicUuid: nic?.['uuid'] ?? null, guestIp: nic?.['ip'] ?? null })

function creating({ table, fields, check }: Kind): Action {
  const looked = (i: Pick<CheckInput, 'graph' | 'params' | 'uuid'>) => {
    const vip = needVipFor(i.graph, i.params['vipUuid'], table, i.uuid)
    const nicUuid = i.params['vmNicUuid']
    return { vip, nic: nicUuid === undefined ? undefined : needReachable(i.graph, nicUuid, { vip, table, own: i.uuid }) }
  }
  return {
    workflow: defineWorkflow<Input, World>({
      name: `${table}.create`,
      version: 1,
      input,
      steps: [
        useStep(table, (ctx) => {
          const { graph } = ctx.world
          const { params, uuid } = ctx.input
          const { vip, nic } = looked({ graph, params, uuid })
          const there = graph.get(table, uuid)
          if (there) return there as Row
          check?.({ graph, params, uuid, table }, vip)
          return { ...baseRow(ctx), vipUuid: vip['uuid'], vipIp: vip['ip'], state: 'Enabled', ...fields(params), ...guestOf(nic) }
        }),
        tellRouter,
      ],
    }),
    check(i) {
      if (i.graph.get(table, i.uuid))
        throw new SkerryError('duplicate-uuid', `a ${table} with uuid ${i.uuid} exists`, { uuid: i.uuid })
      const { vip, nic } = looked(i)
      needAddress(i, nic)
      check?.(i, vip)
    },
    queueKey: (i) => i.params['vipUuid'] as string,
  }
}

/** The address that a call names must be the card's: a card has one here. */
function needAddress({ graph, params }: Pick<CheckInput, 'graph' | 'params'>, nic: Row | undefined): void {
  const asked = params['usedIpUuid']
  if (asked === undefined) return
  const own = nic ? [...graph.by('usedIp', 'vmNicUuid', nic['uuid'])].map((k) => graph.get('usedIp', k)?.['uuid']) : []
  if (!own.includes(asked))
    throw new SkerryError('invalid-argument', `address ${asked} is none of that network card`, { field: 'usedIpUuid' })
}

function attaching(table: UseTable): Action {
  const nicFor = (i: Pick<CheckInput, 'graph' | 'params' | 'uuid'>) => {
    const use = needEnabled(i.graph, table, i.uuid)
    const vip = needEnabled(i.graph, 'vip', use['vipUuid'])
    return { use, nic: needReachable(i.graph, i.params['vmNicUuid'], { vip, table, own: i.uuid }) }
  }
  return {
    workflow: defineWorkflow<Input, World>({
      name: `${table}.attach`,
      version: 1,
      input,
      steps: [
        useStep(table, (ctx) => {
          const { use, nic } = nicFor({ graph: ctx.world.graph, params: ctx.input.params, uuid: ctx.input.uuid })
          return { ...use, ...guestOf(nic), lastOpDate: ctx.world.now() }
        }),
        tellRouter,
      ],
    }),
    check(i) {
      const { use, nic } = nicFor(i)
      if (use['vmNicUuid'])
        throw new SkerryError('illegal-state', `${use['name']} is attached to another network card: detach it first`, {
          uuid: i.uuid,
          vmNicUuid: use['vmNicUuid'],
        })
      needAddress(i, nic)
    },
    queueKey: ({ uuid }, graph) => (graph.get(table, uuid)?.['vipUuid'] as string | undefined) ?? uuid,
  }
}

const detaching = (table: UseTable): Action => ({
  workflow: defineWorkflow<Input, World>({
    name: `${table}.detach`,
    version: 1,
    input,
    steps: [
      useStep(table, (ctx) => ({
        ...need(ctx.world.graph, table, ctx.input.uuid),
        vmNicUuid: null,
        guestIp: null,
        lastOpDate: ctx.world.now(),
      })),
      tellRouter,
    ],
  }),
  check({ graph, uuid }) {
    const use = need(graph, table, uuid)
    if (!use['vmNicUuid']) throw new SkerryError('illegal-state', `${use['name']} is attached to no network card`, { uuid })
  },
  queueKey: ({ uuid }, graph) => (graph.get(table, uuid)?.['vipUuid'] as string | undefined) ?? uuid,
})

const rule = (params: Row): Row => ({
  ...portsOf(params),
  protocolType: params['protocolType'],
  allowedCidr: typeof params['allowedCidr'] === 'string' ? cidrOf(params['allowedCidr']) : null,
})

const of = (kind: Kind): Action[] => [
  creating(kind),
  attaching(kind.table),
  detaching(kind.table),
  changingState(`${kind.table}.changeState`),
  deletion(`${kind.table}.delete`),
]

export const vipUseActions: readonly Action[] = [
  ...of({ table: 'eip', fields: () => ({}) }),
  ...of({
    table: 'portForwardingRule',
    fields: rule,
    check: ({ graph, params }, vip) => needFreePorts(graph, vip, params),
  }),
]
