/**
 * Pausing and resuming. To stand still is desired state of a guest that is on: each call is an order with a number of its own, which
 * the agent carries out once, so that a guest that another hand has paused or let go on is not changed back and forth.
 */
import { SkerryError } from '@skerry/contract'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { input } from './input.ts'
import { moveVm } from './vm.state.ts'
import { type Action, type Ctx, type Input, need, type World } from './world.ts'

const was = z.object({ paused: z.boolean(), pauseOrder: z.number().int() })

interface Order {
  name: 'vm.pause' | 'vm.resume'
  paused: boolean
  /** events of the state table: on the way, and there */
  going: 'pausing' | 'resuming'
  there: 'paused' | 'running'
}

const states = { pausing: 'Pausing', resuming: 'Resuming', paused: 'Paused', running: 'Running' } as const

const order = ({ name, paused, going, there }: Order): Action => ({
  workflow: defineWorkflow<Input, World>({
    name,
    version: 1,
    input,
    steps: [
      {
        name: 'look',
        output: was,
        noUndo: 'it only looks',
        do: (ctx: Ctx) => {
          const vm = need(ctx.world.graph, 'vmInstance', ctx.input.uuid)
          return { output: ctx.outputs['look'] ?? { paused: vm['paused'] === true, pauseOrder: vm['pauseOrder'] ?? 0 } }
        },
      },
      {
        name: going,
        do: (ctx: Ctx) => {
          const { pauseOrder } = ctx.outputs['look'] as z.infer<typeof was>
          return { change: moveVm(ctx, going, { paused, pauseOrder: pauseOrder + 1 }) }
        },
        // Taking an order back is another order: the agent may have carried out the first.
        undo: (ctx: Ctx) => {
          if (ctx.world.graph.get('vmInstance', ctx.input.uuid)?.['state'] !== states[going]) return {}
          const { pauseOrder } = ctx.outputs['look'] as z.infer<typeof was>
          const state = paused ? 'Running' : 'Paused'
          const v = { state, paused: !paused, pauseOrder: pauseOrder + 2 }
          return { change: { ops: [{ o: 'set' as const, t: 'vmInstance', k: ctx.input.uuid, v }] } }
        },
      },
      {
        name: 'carry-out',
        noUndo: 'taking the order back undoes it',
        do: async (ctx: Ctx) => {
          const [status] = await ctx.world.agents.converge([`vm/${ctx.input.uuid}`], ctx)
          const power = status?.observed['power']
          if (power !== states[there])
            throw new SkerryError('vm-illegal-state', `the guest is ${power ?? 'not seen'} after it was to be ${states[there]}`, {
              uuid: ctx.input.uuid,
              state: power,
              cause: status?.observed['cause'],
            })
        },
      },
    ],
    finish: (ctx: Ctx) => ({ change: moveVm(ctx, there, { stateCause: null }) }),
  }),
  check: ({ graph, uuid }) => void need(graph, 'vmInstance', uuid),
})

export const vmPause: Action = order({ name: 'vm.pause', paused: true, going: 'pausing', there: 'paused' })
export const vmResume: Action = order({ name: 'vm.resume', paused: false, going: 'resuming', there: 'running' })
