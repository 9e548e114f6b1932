/** Destroy keeps disks and addresses, so that recover brings back exactly what was; expunge lets them go. */
import { SkerryError } from '@skerry/contract'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { input } from './input.ts'
import { dropNics, dropVolumes } from './vm.create.ts'
import { moveVm, releaseHost } from './vm.state.ts'
import { lookStep, restore } from './vm.stop.ts'
import { type Action, type Ctx, need } from './world.ts'

const CLEAN_UP_MS = 30_000
const vmOf = (ctx: Ctx) => need(ctx.world.graph, 'vmInstance', ctx.input.uuid)
/** Enforcing doesn't wait for a host that may be gone for good: the tombstone waits for it. */
const waits = (ctx: Ctx) => ctx.input.params['deleteMode'] !== 'Enforcing'

export const vmDestroy: Action = {
  workflow: defineWorkflow<any, any>({
    name: 'vm.destroy', version: 1, input,
    steps: [
      lookStep(() => false),
      { name: 'destroying', do: (ctx: Ctx) => ({ change: moveVm(ctx, 'destroying', { power: 'Stopped', powerCause: 'api', powerMode: 'cold' }) }), undo: (ctx: Ctx) => restore(ctx, 'Destroying') },
      { name: 'power-off', when: waits, do: async (ctx: Ctx) => void (await ctx.world.agents.converge([`vm/${ctx.input.uuid}`], ctx)), noUndo: 'giving the power back starts it again' },
      {
        name: 'destroyed', noUndo: 'from here on only recover brings it back; what follows only cleans up',
        do: (ctx: Ctx) => {
          const vm = vmOf(ctx)
          if (vm['state'] === 'Destroyed') return {}
          const moved = moveVm(ctx, 'destroyed', { hostUuid: null, lastHostUuid: vm['hostUuid'] ?? vm['lastHostUuid'], destroyedAt: ctx.world.now() })
          return { change: { ...moved, ops: [...moved.ops, ...releaseHost(ctx.world.graph, vm['hostUuid'], vm)] } }
        },
      },
      { name: 'clean-up', do: async (ctx: Ctx) => void (await ctx.world.agents.gone([`vm/${ctx.input.uuid}`], CLEAN_UP_MS)), noUndo: 'the tombstone stays until the host has carried it out' },
    ],
    finish: () => ({ result: {} }),
  }),
  check: ({ graph, uuid }) => void need(graph, 'vmInstance', uuid),
}

export const vmRecover: Action = {
  workflow: defineWorkflow<any, any>({
    name: 'vm.recover', version: 1, input,
    steps: [
      {
        name: 'recover',
        do: (ctx: Ctx) => ({ change: moveVm(ctx, 'stopped', { destroyedAt: null, powerMode: 'grace' }) }),
        undo: (ctx: Ctx) => (ctx.world.graph.get('vmInstance', ctx.input.uuid)?.['state'] === 'Stopped' ? { change: { ops: [{ o: 'set' as const, t: 'vmInstance', k: ctx.input.uuid, v: { state: 'Destroyed', destroyedAt: ctx.world.now() } }] } } : {}),
      },
      { name: 'define', do: async (ctx: Ctx) => void (await ctx.world.agents.converge([`vm/${ctx.input.uuid}`], ctx)), noUndo: 'a destroyed VM has no domain' },
    ],
  }),
  check: ({ graph, uuid }) => {
    const vm = need(graph, 'vmInstance', uuid)
    if (!graph.get('volume', vm['rootVolumeUuid'] as string)) throw new SkerryError('volume-lost', `the root volume of VM instance ${vm['name']} is gone`, { uuid })
  },
}

export const vmExpunge: Action = {
  workflow: defineWorkflow<any, any>({
    name: 'vm.expunge', version: 1, input,
    steps: [
      {
        name: 'remove', output: z.object({ names: z.array(z.string()) }), noUndo: 'one commit removes everything, or nothing',
        do: (ctx: Ctx) => {
          const { graph } = ctx.world
          const uuid = ctx.input.uuid
          if (!graph.get('vmInstance', uuid)) return { output: ctx.outputs['remove'] ?? { names: [] } }
          const names = [`vm/${uuid}`, ...[...graph.by('volume', 'vmInstanceUuid', uuid)].map((k) => `volume/${k}`), ...[...graph.by('vmNic', 'vmInstanceUuid', uuid)].map((k) => `lease/${k}`)]
          return {
            output: { names },
            change: {
              guards: [{ g: 'field', t: 'vmInstance', k: uuid, field: 'state', in: ['Destroyed'] }], ops: [...dropNics(graph, uuid), ...dropVolumes(graph, uuid), { o: 'del', t: 'vmInstance', k: uuid }],
              facts: [{ noun: 'vmInstance', uuid, event: 'expunged' }],
            },
          }
        },
      },
      { name: 'clean-up', do: async (ctx: Ctx) => void (await ctx.world.agents.gone((ctx.outputs['remove'] as { names: string[] }).names, CLEAN_UP_MS)), noUndo: 'the tombstones stay until the host has carried them out' },
    ],
    finish: () => ({ result: {} }),
  }),
  check: ({ graph, uuid }) => void need(graph, 'vmInstance', uuid),
}
