/** Destroy keeps disks and addresses, so that recover brings back exactly what was; expunge lets them go. */
import { SkerryError } from '@skerry/contract'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { input } from './input.ts'
import { nextState } from './resource.update.ts'
import { dropNics, dropVolumes } from './vm.rows.ts'
import { moveVm, releaseHost } from './vm.state.ts'
import { lookStep, restore } from './vm.stop.ts'
import { type Action, afterwards, type Ctx, type EndCtx, type Input, need, type World } from './world.ts'

const vmOf = (ctx: EndCtx) => need(ctx.world.graph, 'vmInstance', ctx.input.uuid)
/** Enforcing doesn't wait for a host that may be gone for good: the tombstone waits for it. */
const waits = (ctx: Ctx) => ctx.input.params['deleteMode'] !== 'Enforcing'

export const vmDestroy: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'vm.destroy',
    version: 1,
    input,
    steps: [
      lookStep(() => false),
      {
        name: 'destroying',
        do: (ctx: Ctx) => ({ change: moveVm(ctx, 'destroying', { power: 'Stopped', powerCause: 'api', powerMode: 'cold' }) }),
        undo: (ctx: Ctx) => restore(ctx, 'Destroying'),
      },
      {
        name: 'power-off',
        when: waits,
        do: async (ctx: Ctx) => void (await ctx.world.agents.converge([`vm/${ctx.input.uuid}`], ctx)),
        noUndo: 'giving the power back starts it again',
      },
    ],
    finish: (ctx: EndCtx) => {
      const vm = vmOf(ctx)
      const moved = moveVm(ctx, 'destroyed', {
        hostUuid: null,
        lastHostUuid: vm['hostUuid'] ?? vm['lastHostUuid'],
        destroyedAt: ctx.world.now(),
      })
      return {
        change: { ...moved, ops: [...moved.ops, ...releaseHost(ctx.world.graph, vm['hostUuid'], vm)] },
        result: afterwards([`vm/${ctx.input.uuid}`]),
      }
    },
  }),
  check: ({ graph, uuid }) => void need(graph, 'vmInstance', uuid),
}

export const vmRecover: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'vm.recover',
    version: 1,
    input,
    steps: [
      {
        name: 'look',
        noUndo: 'it only looks',
        output: z.object({ destroyedAt: z.number().nullable(), powerMode: z.string().nullable() }),
        do: (ctx: Ctx) => ({
          output: { destroyedAt: vmOf(ctx)['destroyedAt'] ?? null, powerMode: vmOf(ctx)['powerMode'] ?? null },
        }),
      },
      {
        name: 'recover',
        do: (ctx: Ctx) => ({ change: moveVm(ctx, 'stopped', { destroyedAt: null, powerMode: 'grace' }) }),
        undo: (ctx: Ctx) =>
          ctx.world.graph.get('vmInstance', ctx.input.uuid)?.['state'] === 'Stopped'
            ? {
                change: {
                  ops: [
                    { o: 'set' as const, t: 'vmInstance', k: ctx.input.uuid, v: { state: 'Destroyed', ...ctx.outputs['look'] } },
                  ],
                },
              }
            : {},
      },
      {
        name: 'define',
        do: async (ctx: Ctx) => void (await ctx.world.agents.converge([`vm/${ctx.input.uuid}`], ctx)),
        noUndo: 'a destroyed VM has no domain',
      },
    ],
  }),
  check: ({ graph, uuid }) => {
    const vm = need(graph, 'vmInstance', uuid)
    if (!graph.get('volume', vm['rootVolumeUuid'] as string))
      throw new SkerryError('volume-lost', `the root volume of VM instance ${vm['name']} is gone`, { uuid })
  },
}

/** Everything of a VM in one commit. */
function removal(ctx: EndCtx) {
  const { graph } = ctx.world
  const uuid = ctx.input.uuid
  const names = [
    `vm/${uuid}`,
    ...[...graph.by('volume', 'vmInstanceUuid', uuid)].map((k) => `volume/${k}`),
    ...[...graph.by('vmNic', 'vmInstanceUuid', uuid)].map((k) => `lease/${k}`),
  ]
  return {
    change: {
      guards: [{ g: 'field' as const, t: 'vmInstance', k: uuid, field: 'state', in: ['Destroyed'] }],
      ops: [...dropNics(graph, uuid), ...dropVolumes(graph, uuid), { o: 'del' as const, t: 'vmInstance', k: uuid }],
      facts: [{ noun: 'vmInstance', uuid, event: 'expunged' }],
    },
    result: afterwards(names),
  }
}

export const vmExpunge: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'vm.expunge',
    version: 1,
    input,
    steps: [{ name: 'check', noUndo: 'it only looks', do: (ctx: Ctx) => void nextState(vmOf(ctx), 'vmInstance', 'expunging') }],
    finish: removal,
  }),
  check: ({ graph, uuid }) => void need(graph, 'vmInstance', uuid),
}
