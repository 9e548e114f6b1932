/** Restart of the guest, in place: a verb of its agent. */
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { agentOn } from '../desired/agents-of.ts'
import { GRACE_MS } from '../desired/vm.ts'
import { input } from './input.ts'
import { moveVm } from './vm.state.ts'
import { type Action, type Ctx, type Input, need, type World } from './world.ts'

export const vmReboot: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'vm.reboot',
    version: 1,
    input,
    steps: [
      {
        name: 'rebooting',
        output: z.object({ state: z.string() }),
        do: (ctx: Ctx) => {
          const vm = need(ctx.world.graph, 'vmInstance', ctx.input.uuid)
          return { output: { state: ctx.outputs['rebooting']?.state ?? vm['state'] }, change: moveVm(ctx, 'rebooting') }
        },
        undo: (ctx: Ctx) => {
          const done = ctx.outputs['rebooting'] as { state: string } | undefined
          const rebooting = ctx.world.graph.get('vmInstance', ctx.input.uuid)?.['state'] === 'Rebooting'
          return done && rebooting
            ? { change: { ops: [{ o: 'set' as const, t: 'vmInstance', k: ctx.input.uuid, v: { state: done.state } }] } }
            : {}
        },
      },
      {
        name: 'reboot',
        noUndo: 'a restarted guest is a running guest',
        do: async (ctx: Ctx) => {
          const vm = need(ctx.world.graph, 'vmInstance', ctx.input.uuid)
          const agent = agentOn(ctx.world.graph, vm['hostUuid'] as string, 'kvm')!
          await ctx.world.agents.command(
            agent,
            { id: ctx.commandId, noun: 'vm', uuid: ctx.input.uuid, verb: 'reboot', input: { graceMs: GRACE_MS } },
            ctx,
          )
        },
      },
    ],
    // A report that it runs again is not heard while it is Rebooting, so what it crashed of is cleared here.
    finish: (ctx: Ctx) => ({ change: moveVm(ctx, 'running', { stateCause: null }) }),
  }),
  check: ({ graph, uuid }) => void need(graph, 'vmInstance', uuid),
}
