/** What a VM's network cards need on its host: routers are chosen, then bridges, routers and leases are made. A part of what brings a card up. */
import { defineWorkflow, subWorkflow } from '@skerry/workflow'
import { input } from './input.ts'
import { chooseRouters } from './vm.router.ts'
import { needsOf } from './vm.state.ts'
import type { Ctx, Input, World } from './world.ts'

export const vmNetwork = defineWorkflow<Input, World>({
  name: 'vm.network',
  version: 1,
  input,
  steps: [
    chooseRouters,
    {
      name: 'make-network',
      do: async (ctx: Ctx) => void (await ctx.world.agents.converge(needsOf(ctx.world.graph, ctx.input.uuid), ctx)),
      noUndo: 'bridges and routers belong to the networks, and leases go with their cards',
    },
  ],
})

/** For a VM whose cards and host are known. `when`, `needs`: as of a step. */
export const networkPart = (more: { when?: (ctx: Ctx) => boolean; needs?: readonly string[] } = {}) =>
  subWorkflow<Input, Input, World>(vmNetwork, { as: 'network', formerly: true, ...more })
