/** Starting a stopped VM: on the host that holds its disk. A running one is left alone. */
import type { Row } from '@skerry/contract'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { placeVm, RESERVED_MEMORY } from '../place/host.ts'
import { input } from './input.ts'
import { chooseRouters } from './vm.router.ts'
import { moveVm, needsOf, releaseHost, reserveHost } from './vm.state.ts'
import { type Action, type Ctx, type Input, need, type World } from './world.ts'

const was = z.object({
  running: z.boolean(),
  state: z.string(),
  lastHostUuid: z.string().nullable(),
  powerMode: z.string().nullable(),
})
type Was = z.infer<typeof was>
const wasOf = (ctx: Ctx) => ctx.outputs['look'] as Was
const needed = (ctx: Ctx) => !wasOf(ctx).running
const vmOf = (ctx: Ctx) => need(ctx.world.graph, 'vmInstance', ctx.input.uuid)

function request(ctx: Ctx, vm: Row) {
  const root = need(ctx.world.graph, 'volume', vm['rootVolumeUuid'])
  const l3NetworkUuids = [...ctx.world.graph.by('vmNic', 'vmInstanceUuid', ctx.input.uuid)].map(
    (k) => ctx.world.graph.get('vmNic', k)?.['l3NetworkUuid'] as string,
  )
  return {
    hostUuid: root['localHostUuid'] as string,
    primaryStorageUuid: root['primaryStorageUuid'] as string,
    cpuNum: vm['cpuNum'] as number,
    memoryBytes: vm['memorySize'] as number,
    diskBytes: 0,
    l3NetworkUuids,
  }
}

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
            },
          }
        },
      },
      {
        name: 'allocate-host',
        when: needed,
        do: (ctx: Ctx) => {
          const vm = vmOf(ctx)
          if (vm['state'] === 'Starting') return {}
          const held = vm['hostUuid'] as string | null
          const at = held ? { hostUuid: held, clusterUuid: vm['clusterUuid'] } : placeVm(ctx.world.graph, request(ctx, vm))
          const reserve = held ? { guards: [], ops: [] } : reserveHost(at.hostUuid, vm, RESERVED_MEMORY)
          const moved = moveVm(ctx, 'starting', {
            hostUuid: at.hostUuid,
            clusterUuid: at.clusterUuid,
            placementEpoch: (vm['placementEpoch'] as number) + 1,
            stateCause: null,
          })
          return { change: { ...moved, guards: [...moved.guards, ...reserve.guards], ops: [...moved.ops, ...reserve.ops] } }
        },
        undo: (ctx: Ctx) => {
          const vm = ctx.world.graph.get('vmInstance', ctx.input.uuid) as Row | undefined
          if (vm?.['state'] !== 'Starting') return {}
          const { lastHostUuid, state, powerMode } = wasOf(ctx)
          // The placement epoch stays raised: it fences, so it never goes back.
          const back: Row = { state, hostUuid: null, lastHostUuid, power: 'Stopped', powerMode }
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
      { ...chooseRouters, when: needed },
      {
        name: 'make-network',
        when: needed,
        do: async (ctx: Ctx) => void (await ctx.world.agents.converge(needsOf(ctx.world.graph, ctx.input.uuid), ctx)),
        noUndo: 'bridges, routers and leases belong to the networks and the NICs',
      },
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
    finish: (ctx: Ctx) => (needed(ctx) ? { change: moveVm(ctx, 'running') } : {}),
  }),
  check: ({ graph, uuid, params }) => {
    need(graph, 'vmInstance', uuid)
    if (params['hostUuid']) need(graph, 'host', params['hostUuid'])
  },
}
