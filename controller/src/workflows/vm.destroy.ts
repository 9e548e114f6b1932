/**
 * Destroy keeps the root disk and the addresses, so that recover brings them back; expunge lets them go. Data volumes have a life
 * of their own: they are detached, and stay so (ZStack dataVolume.deleteOnVmDestroy=false).
 */
import { SkerryError } from '@skerry/contract'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { configText } from '../configs/value.ts'
import { dropDrives, isoNames } from './cdrom.rows.ts'
import { input } from './input.ts'
import { nextState } from './resource.update.ts'
import { dropNics } from './vm.rows.ts'
import { leaveHost, moveVm } from './vm.state.ts'
import { lookStep, restore } from './vm.stop.ts'
import { dataVolumesOf, detached, dropVolumes } from './volume.rows.ts'
import { type Action, afterwards, type Ctx, type EndCtx, type Input, need, type World } from './world.ts'

const vmOf = (ctx: EndCtx) => need(ctx.world.graph, 'vmInstance', ctx.input.uuid)
/** Enforcing doesn't wait for a host that may be gone for good: the tombstone waits for it. */
const waits = (ctx: Ctx) => ctx.input.params['deleteMode'] !== 'Enforcing'

/** A VM whose disk is lost is off already: its agent says so only of what doesn't run. */
async function powerOff(ctx: Ctx): Promise<void> {
  try {
    await ctx.world.agents.converge([`vm/${ctx.input.uuid}`], ctx)
  } catch (error) {
    if (!(error instanceof SkerryError) || error.code !== 'volume-lost') throw error
  }
}

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
        do: powerOff,
        noUndo: 'giving the power back starts it again',
      },
    ],
    finish: (ctx: EndCtx) => {
      const vm = vmOf(ctx)
      const moved = moveVm(ctx, 'destroyed', {
        // Recovered later, it is off because it was destroyed: neither crashed any more, nor waiting for its host.
        stateCause: null,
        hostUuid: null,
        lastHostUuid: vm['hostUuid'] ?? vm['lastHostUuid'],
        destroyedAt: ctx.world.now(),
        deletionPolicy: configText(ctx.world.graph, 'vm.deletionPolicy'),
      })
      const off = dataVolumesOf(ctx.world.graph, ctx.input.uuid).map((v) => detached(v, ctx.world.now()))
      const left = leaveHost(ctx.world.graph, vm)
      return {
        change: { ...moved, guards: [...moved.guards, ...left.guards], ops: [...moved.ops, ...off, ...left.ops] },
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
        output: z.object({
          destroyedAt: z.number().nullable(),
          powerMode: z.string().nullable(),
          /** absent in jobs from before it was kept */
          stateCause: z.string().nullable().optional(),
        }),
        do: (ctx: Ctx) => {
          const { destroyedAt = null, powerMode = null, stateCause = null } = vmOf(ctx)
          return { output: { destroyedAt, powerMode, stateCause } }
        },
      },
      {
        name: 'recover',
        do: (ctx: Ctx) => ({ change: moveVm(ctx, 'stopped', { destroyedAt: null, powerMode: 'grace', stateCause: null }) }),
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
    ...isoNames(graph, uuid),
    ...[...graph.by('vmNic', 'vmInstanceUuid', uuid)].map((k) => `lease/${k}`),
  ]
  return {
    change: {
      guards: [{ g: 'field' as const, t: 'vmInstance', k: uuid, field: 'state', in: ['Destroyed'] }],
      ops: [
        ...dropNics(graph, uuid),
        ...dropVolumes(graph, uuid),
        ...dropDrives(graph, uuid),
        { o: 'del' as const, t: 'vmInstance', k: uuid },
      ],
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
