/** Starting a stopped VM: on the host that holds its disk. A running one is left alone. */
import type { Row } from '@skerry/contract'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { keepApart } from '../place/affinity.ts'
import { placeBy } from '../plugins/rank.ts'
import { input } from './input.ts'
import { networkPart } from './vm.network.ts'
import { startRequestOf } from './vm.request.ts'
import { moveVm, releaseHost, reserveHost } from './vm.state.ts'
import { dropFormer } from './vm.static-ip.ts'
import { type Action, type Ctx, type Input, need, type World } from './world.ts'

const was = z.object({
  running: z.boolean(),
  state: z.string(),
  lastHostUuid: z.string().nullable(),
  powerMode: z.string().nullable(),
  /** absent in jobs from before it was kept */
  stateCause: z.string().nullable().optional(),
})
type Was = z.infer<typeof was>
const wasOf = (ctx: Ctx) => ctx.outputs['look'] as Was
const needed = (ctx: Ctx) => !wasOf(ctx).running
const vmOf = (ctx: Ctx) => need(ctx.world.graph, 'vmInstance', ctx.input.uuid)

export const vmStart: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'vm.start',
    version: 1,
    input,
    steps: [
      {
        name: 'look',
        output: was,
        noUndo: 'it only looks',
        do: (ctx: Ctx) => {
          const vm = vmOf(ctx)
          return {
            output: {
              running: vm['state'] === 'Running',
              state: vm['state'],
              lastHostUuid: vm['lastHostUuid'] ?? null,
              powerMode: vm['powerMode'] ?? null,
              stateCause: vm['stateCause'] ?? null,
            },
          }
        },
      },
      {
        name: 'allocate-host',
        when: needed,
        do: async (ctx: Ctx) => {
          const vm = vmOf(ctx)
          if (vm['state'] === 'Starting') return {}
          const held = vm['hostUuid'] as string | null
          const { graph } = ctx.world
          const request = startRequestOf(graph, vm, ctx.input.params)
          const at = held ? { hostUuid: held, clusterUuid: vm['clusterUuid'] } : await placeBy(ctx.world, request)
          const apart = keepApart(graph, request)
          const reserve = held ? { guards: [], ops: [] } : reserveHost(graph, at.hostUuid, vm)
          const moved = moveVm(ctx, 'starting', {
            hostUuid: at.hostUuid,
            clusterUuid: at.clusterUuid,
            placementEpoch: (vm['placementEpoch'] as number) + 1,
            stateCause: null,
          })
          return {
            change: {
              ...moved,
              guards: [...moved.guards, ...reserve.guards, ...apart.guards],
              ops: [...moved.ops, ...reserve.ops, ...apart.ops],
            },
          }
        },
        undo: (ctx: Ctx) => {
          const vm = ctx.world.graph.get('vmInstance', ctx.input.uuid) as Row | undefined
          if (vm?.['state'] !== 'Starting') return {}
          const { state, powerMode, stateCause = null, ...was } = wasOf(ctx)
          // A crashed one was on this host: without any host its definition there would be removed.
          const lastHostUuid = state === 'Crashed' ? vm['hostUuid'] : was.lastHostUuid
          // The placement epoch stays raised: it fences, so it never goes back.
          const back: Row = { state, stateCause, hostUuid: null, lastHostUuid, power: 'Stopped', powerMode }
          return {
            change: {
              ops: [
                { o: 'set' as const, t: 'vmInstance', k: ctx.input.uuid, v: back },
                ...releaseHost(ctx.world.graph, vm['hostUuid'], vm),
              ],
            },
          }
        },
      },
      ...networkPart({ when: needed }),
      {
        name: 'power-on',
        when: needed,
        do: (ctx: Ctx) => ({
          change: { ops: [{ o: 'set', t: 'vmInstance', k: ctx.input.uuid, v: { power: 'Running', powerCause: 'api' } }] },
        }),
        undo: async (ctx: Ctx) =>
          ctx.world.graph.get('vmInstance', ctx.input.uuid)
            ? {
                change: {
                  ops: [{ o: 'set' as const, t: 'vmInstance', k: ctx.input.uuid, v: { power: 'Stopped', powerMode: 'cold' } }],
                },
              }
            : {},
      },
      {
        name: 'boot',
        when: needed,
        do: async (ctx: Ctx) => void (await ctx.world.agents.converge([`vm/${ctx.input.uuid}`], ctx)),
        noUndo: 'taking the power back stops the domain',
      },
    ],
    finish: (ctx: Ctx) => {
      if (!needed(ctx)) return {}
      const moved = moveVm(ctx, 'running')
      return { change: { ...moved, ops: [...moved.ops, ...dropFormer(ctx.world.graph, ctx.input.uuid)] } }
    },
  }),
  places: ({ uuid, params }, graph) => startRequestOf(graph, need(graph, 'vmInstance', uuid), params),
  check: ({ graph, uuid, params }) => {
    need(graph, 'vmInstance', uuid)
    if (params['hostUuid']) need(graph, 'host', params['hostUuid'])
  },
}
