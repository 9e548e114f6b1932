/** Stopping: the guest is asked, and after its grace time its power is cut; `cold` cuts at once. */
import type { Row } from '@skerry/contract'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { markedByAnother } from './cascade.guests.ts'
import { input } from './input.ts'
import { leaveHost, moveVm } from './vm.state.ts'
import { dropFormer } from './vm.static-ip.ts'
import { type Action, type Ctx, type Input, need, type World } from './world.ts'

const was = z.object({
  stopped: z.boolean(),
  state: z.string(),
  power: z.string(),
  powerCause: z.string(),
  powerMode: z.string().nullable(),
})
const needed = (ctx: Ctx) => !(ctx.outputs['look'] as z.infer<typeof was>).stopped
const vmOf = (ctx: Ctx) => need(ctx.world.graph, 'vmInstance', ctx.input.uuid)

/** The fields that say how a VM was before it was touched; both stop and destroy restore them when they fail. */
export const lookStep = (isDone: (vm: Row) => boolean) => ({
  name: 'look',
  output: was,
  noUndo: 'it only looks',
  do: (ctx: Ctx) => {
    const vm = vmOf(ctx)
    return {
      output: {
        stopped: isDone(vm),
        state: vm['state'],
        power: vm['power'],
        powerCause: vm['powerCause'],
        powerMode: vm['powerMode'] ?? null,
      },
    }
  },
})

/** States in which only a job that is under way may leave a VM. */
const BETWEEN = ['Stopping', 'Destroying']

/**
 * Writes back state and power as they were. Where it was already being stopped by another job, of its host say, and that has ended since
 * and left the VM to this one, nobody would ever end that state: then its host is to tell what it is.
 */
export const restore = (ctx: Ctx, whileIn: string) => {
  const vm = ctx.world.graph.get('vmInstance', ctx.input.uuid)
  if (vm?.['state'] !== whileIn) return {}
  const { state: before, power, powerCause, powerMode } = ctx.outputs['look'] as z.infer<typeof was>
  const marked = BETWEEN.includes(before) ? markedByAnother(ctx) : undefined
  const state = BETWEEN.includes(before) && !marked ? 'Unknown' : before
  return {
    change: {
      guards: marked ? [marked] : [],
      ops: [{ o: 'set' as const, t: 'vmInstance', k: ctx.input.uuid, v: { state, power, powerCause, powerMode } }],
    },
  }
}

export const vmStop: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'vm.stop',
    version: 1,
    input,
    steps: [
      lookStep((vm) => vm['state'] === 'Stopped'),
      {
        name: 'stopping',
        when: needed,
        do: (ctx: Ctx) => ({
          change: moveVm(ctx, 'stopping', {
            power: 'Stopped',
            powerCause: 'api',
            powerMode: ctx.input.params['type'] === 'cold' ? 'cold' : 'grace',
          }),
        }),
        undo: (ctx: Ctx) => restore(ctx, 'Stopping'),
      },
      {
        name: 'power-off',
        when: needed,
        do: async (ctx: Ctx) => void (await ctx.world.agents.converge([`vm/${ctx.input.uuid}`], ctx)),
        noUndo: 'giving the power back starts it again',
      },
    ],
    finish: (ctx: Ctx) => {
      const vm = vmOf(ctx)
      // Off already, by a crash or by somebody's hand: whoever stops it says that it may be.
      if (!needed(ctx))
        return vm['stateCause']
          ? { change: { ops: [{ o: 'set', t: 'vmInstance', k: ctx.input.uuid, v: { stateCause: null } }] } }
          : {}
      const moved = moveVm(ctx, 'stopped', {
        hostUuid: null,
        lastHostUuid: vm['hostUuid'] ?? vm['lastHostUuid'],
        stateCause: null,
      })
      const left = leaveHost(ctx.world.graph, vm)
      return {
        change: {
          ...moved,
          guards: [...moved.guards, ...left.guards],
          ops: [...moved.ops, ...left.ops, ...dropFormer(ctx.world.graph, ctx.input.uuid)],
        },
      }
    },
  }),
  check: ({ graph, uuid }) => void need(graph, 'vmInstance', uuid),
}
