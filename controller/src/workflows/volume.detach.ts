/** A data volume leaves its VM: it goes out of the VM's document, and is free when the guest has let go of it. */
import { SkerryError } from '@skerry/contract'
import { defineWorkflow, type Step } from '@skerry/workflow'
import { z } from 'zod'
import { input } from './input.ts'
import { convergeVm, needVm } from './volume.attach.ts'
import { detached, needData, needIdleFiles } from './volume.rows.ts'
import type { Action, Ctx, EndCtx, Input, World } from './world.ts'

const holder = z.object({ vmInstanceUuid: z.string().nullable() })
/** The VM that had it when the job began. */
export const holderOf = (ctx: EndCtx) => (ctx.outputs['look'] as z.infer<typeof holder> | undefined)?.vmInstanceUuid ?? null
const attached = (ctx: Ctx) => holderOf(ctx) !== null
const volumeOf = (ctx: EndCtx) => ctx.world.graph.get('volume', ctx.input.uuid)

/** A VM one of whose disks is lost is off: nothing holds the volume. */
async function unplug(ctx: Ctx): Promise<void> {
  try {
    await convergeVm(ctx, holderOf(ctx)!)
  } catch (error) {
    if (!(error instanceof SkerryError) || error.code !== 'volume-lost') throw error
  }
}

/** What takes a volume out of the VM that it is attached to, if any; `detached` then records it, in the commit that ends the job. */
export const detachSteps: readonly Step<Input, World>[] = [
  {
    name: 'look',
    output: holder,
    noUndo: 'it only looks',
    do: (ctx: Ctx) => {
      const vmInstanceUuid = (volumeOf(ctx)?.['vmInstanceUuid'] as string | null | undefined) ?? null
      if (vmInstanceUuid !== null) needVm(ctx.world.graph, vmInstanceUuid, 'detached')
      return { output: { vmInstanceUuid } }
    },
  },
  {
    name: 'withdraw',
    when: attached,
    do: (ctx: Ctx) => ({
      change: {
        guards: [{ g: 'field', t: 'volume', k: ctx.input.uuid, field: 'vmInstanceUuid', in: [holderOf(ctx)] }],
        ops: [{ o: 'set', t: 'volume', k: ctx.input.uuid, v: { detaching: true } }],
      },
    }),
    undo: (ctx: Ctx) =>
      volumeOf(ctx)?.['detaching']
        ? { change: { ops: [{ o: 'set' as const, t: 'volume', k: ctx.input.uuid, v: { detaching: false } }] } }
        : {},
  },
  { name: 'unplug', when: attached, do: unplug, noUndo: 'wanting it again plugs it in again' },
]

/** The end of these steps; undefined: it was attached to no VM. */
export function detachChange(ctx: EndCtx) {
  const volume = volumeOf(ctx)
  const vmInstanceUuid = holderOf(ctx)
  if (!volume || vmInstanceUuid === null) return undefined
  const { uuid } = ctx.input
  return {
    guards: [{ g: 'field' as const, t: 'volume', k: uuid, field: 'vmInstanceUuid', in: [vmInstanceUuid] }],
    ops: [detached(volume, ctx.world.now())],
    facts: [{ noun: 'volume', uuid, event: 'detached', data: { vmInstanceUuid } }],
  }
}

export const volumeDetach: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'volume.detach',
    version: 1,
    input,
    steps: [...detachSteps],
    finish: (ctx: EndCtx) => {
      const change = detachChange(ctx)
      return change ? { change } : {}
    },
  }),
  check({ graph, params, uuid }) {
    const volume = needData(graph, uuid, ['Ready'])
    needIdleFiles(volume)
    const vmUuid = volume['vmInstanceUuid'] as string | null
    if (vmUuid === null)
      throw new SkerryError('illegal-state', `volume ${volume['name']} is attached to no VM instance`, {
        uuid,
        state: 'detached',
      })
    if (params['vmUuid'] && params['vmUuid'] !== vmUuid)
      throw new SkerryError('invalid-argument', `volume ${volume['name']} is attached to another VM instance`, {
        field: 'vmUuid',
        vmInstanceUuid: vmUuid,
      })
    needVm(graph, vmUuid, 'detached')
  },
  queueKey: holdersQueue,
}

/** In turn with what starts, stops and destroys its VM. */
export function holdersQueue({ uuid }: Input, graph: World['graph']): string {
  return (graph.get('volume', uuid)?.['vmInstanceUuid'] as string | null | undefined) ?? uuid
}
