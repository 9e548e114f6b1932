/** The VLAN of an L2 network: taken by one network in each cluster, and changed while guests are on it. */
import { type Guard, NO_VLAN, type Op, type Row, SkerryError, VLAN } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { input } from './input.ts'
import { type Action, type Ctx, type Input, need, touch, type World } from './world.ts'

/** A VLAN needs an interface that carries it. */
export function needCarrier(physicalInterface: unknown): void {
  if (physicalInterface === 'none')
    throw new SkerryError('invalid-argument', 'a VLAN needs an interface of the hosts to carry it: physicalInterface is none')
}

const keyOf = (row: Readonly<Row>, clusterUuid: string) => `${clusterUuid}:${row['physicalInterface']}:${row['vlan']}`

/** Throws when another network has the same VLAN of the same interface in that cluster. `row`: the network as it is to be. */
export function needFreeVlan(graph: Graph, row: Readonly<Row>, clusterUuid: string): void {
  if (row['type'] !== VLAN) return
  const taken = graph.get('usedVlan', keyOf(row, clusterUuid))
  if (!taken || taken['l2NetworkUuid'] === row['uuid']) return
  const other = graph.get('l2Network', taken['l2NetworkUuid'] as string)
  throw new SkerryError(
    'in-use',
    `L2 network ${other?.['name']} has VLAN ${row['vlan']} of ${row['physicalInterface']} in this cluster already`,
    { l2NetworkUuid: taken['l2NetworkUuid'], clusterUuid, physicalInterface: row['physicalInterface'], vlan: row['vlan'] },
  )
}

/** Rows that hold a network's VLAN in clusters, or let go of it. */
export function vlanRows(
  graph: Graph,
  row: Readonly<Row>,
  o: { clusters: readonly string[]; on: boolean; now: number },
): {
  guards: Guard[]
  ops: Op[]
} {
  if (row['type'] !== VLAN) return { guards: [], ops: [] }
  const keys = o.clusters.map((clusterUuid) => [clusterUuid, keyOf(row, clusterUuid)] as const)
  if (!o.on) {
    const held = keys.filter(([, k]) => graph.get('usedVlan', k)?.['l2NetworkUuid'] === row['uuid'])
    return { guards: [], ops: held.map(([, k]) => ({ o: 'del', t: 'usedVlan', k })) }
  }
  const { physicalInterface, vlan, uuid } = row
  return {
    guards: keys.map(([, k]) => ({ g: 'absent', t: 'usedVlan', k })),
    ops: keys.map(([clusterUuid, k]) => ({
      o: 'put',
      t: 'usedVlan',
      k,
      v: {
        ...{ uuid: k, name: `${physicalInterface}.${vlan}`, createDate: o.now, lastOpDate: o.now },
        ...{ clusterUuid, l2NetworkUuid: uuid, physicalInterface, vlan },
      },
    })),
  }
}

type Tag = { type: string; vlan: number | null }
const tagOf = (row: Readonly<Row>): Tag => ({
  type: row['type'] as string,
  vlan: (row['vlan'] as number | null | undefined) ?? null,
})

/** What the parameters ask for, or what is wrong with them. */
function asked(row: Readonly<Row>, params: Row): Tag {
  const { vlan } = params as { vlan?: number }
  const type = (params['type'] as string | undefined) ?? (vlan === undefined ? (row['type'] as string) : VLAN)
  if (![NO_VLAN, VLAN].includes(row['type'] as string))
    throw new SkerryError('invalid-argument', `L2 network ${row['name']} is a ${row['type']}, which has no VLAN`, {
      type: row['type'],
    })
  if (type === NO_VLAN) {
    if (vlan !== undefined)
      throw new SkerryError('invalid-argument', `type ${NO_VLAN} says no VLAN, and vlan says ${vlan}`, { vlan })
    return { type, vlan: null }
  }
  if (vlan === undefined) throw new SkerryError('invalid-argument', 'no VLAN is named: vlan is missing', { field: 'vlan' })
  needCarrier(row['physicalInterface'])
  return { type, vlan }
}

/** The network with this VLAN, its rows of before given back. */
function written(ctx: Ctx, row: Row, tag: Tag) {
  const { graph, now } = ctx.world
  const clusters = row['attachedClusterUuids'] as string[]
  const next = { ...row, ...tag }
  const same = tag.type === row['type'] && tag.vlan === tagOf(row).vlan
  const free = vlanRows(graph, row, { clusters: same ? [] : clusters, on: false, now: now() })
  const take = vlanRows(graph, next, { clusters: same ? [] : clusters, on: true, now: now() })
  const key = row['uuid'] as string
  return {
    guards: [{ g: 'version' as const, t: 'l2Network', k: key, seq: graph.version('l2Network', key)! }, ...take.guards],
    ops: [touch(ctx, 'l2Network', key, { ...tag, virtualNetworkId: tag.vlan }), ...free.ops, ...take.ops],
    facts: [{ noun: 'l2Network', uuid: key, event: 'updated' }],
  }
}

const before = z.object({ before: z.object({ type: z.string(), vlan: z.number().nullable() }) })

/** Each host moves its bridge from one VLAN to the other; guests and routers stay on the bridge. */
export const l2NetworkChangeVlan: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'l2Network.changeVlan',
    version: 1,
    input,
    steps: [
      {
        name: 'change',
        output: before,
        do: (ctx: Ctx) => {
          const row = need(ctx.world.graph, 'l2Network', ctx.input.uuid)
          const was = (ctx.outputs['change'] as z.infer<typeof before> | undefined)?.before ?? tagOf(row)
          return { output: { before: was }, change: written(ctx, row, asked(row, ctx.input.params)) }
        },
        undo: (ctx: Ctx) => {
          const was = (ctx.outputs['change'] as z.infer<typeof before> | undefined)?.before
          const row = ctx.world.graph.get('l2Network', ctx.input.uuid) as Row | undefined
          return was && row ? { change: written(ctx, row, was) } : {}
        },
      },
      {
        name: 'make-bridges',
        do: async (ctx: Ctx) => void (await ctx.world.agents.converge([`bridge/${ctx.input.uuid}`], ctx)),
        noUndo: 'the bridges follow the network',
        optional: 'the call answers before the hosts have the VLAN',
      },
    ],
  }),
  check({ graph, uuid, params }) {
    const row = need(graph, 'l2Network', uuid)
    const next = { ...row, ...asked(row, params) }
    for (const cluster of row['attachedClusterUuids'] as string[]) needFreeVlan(graph, next, cluster)
  },
}
