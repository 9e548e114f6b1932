/** Deleting a data volume takes it from its VM and keeps its data, so that recover brings it back; expunging lets the data go. */
import { SkerryError } from '@skerry/contract'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { configText } from '../configs/value.ts'
import { input } from './input.ts'
import { needVm } from './volume.attach.ts'
import { detachChange, detachSteps, holderOf, holdersQueue } from './volume.detach.ts'
import { dropSnapshots, giveRoom, needData, needIdleFiles } from './volume.rows.ts'
import { type Action, afterwards, type Ctx, type EndCtx, type Input, touch, type World } from './world.ts'

const volumeOf = (ctx: EndCtx) => ctx.world.graph.get('volume', ctx.input.uuid)

/** A volume that was never made has nothing to be brought back: its row goes. */
function deletion(ctx: EndCtx) {
  const { uuid } = ctx.input
  const volume = needData(ctx.world.graph, uuid, ['NotInstantiated', 'Ready'])
  if (volume['vmInstanceUuid'] !== holderOf(ctx) || volume['placingJob'])
    throw new SkerryError('in-use', `volume ${volume['name']} is being attached to a VM instance`, { uuid })
  needIdleFiles(volume)
  const facts = [{ noun: 'volume', uuid, event: 'deleted' }]
  const asItIs = { g: 'version' as const, t: 'volume', k: uuid, seq: ctx.world.graph.version('volume', uuid)! }
  if (volume['status'] === 'NotInstantiated')
    return { change: { guards: [asItIs], ops: [{ o: 'del' as const, t: 'volume', k: uuid }], facts }, result: {} }
  const off = detachChange(ctx)
  const now = ctx.world.now()
  const deletionPolicy = configText(ctx.world.graph, 'volume.deletionPolicy')
  return {
    change: {
      guards: [asItIs, ...(off?.guards ?? [])],
      ops: [
        ...(off?.ops ?? []),
        { o: 'set' as const, t: 'volume', k: uuid, v: { status: 'Deleted', deletedAt: now, deletionPolicy, lastOpDate: now } },
      ],
      facts: [...(off?.facts ?? []), ...facts],
    },
    result: {},
  }
}

export const volumeDelete: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'volume.delete',
    version: 1,
    input,
    steps: [...detachSteps],
    finish: deletion,
  }),
  check({ graph, uuid }) {
    const volume = needData(graph, uuid, ['NotInstantiated', 'Ready'])
    needIdleFiles(volume)
    if (volume['vmInstanceUuid'] !== null) needVm(graph, volume['vmInstanceUuid'], 'detached')
  },
  queueKey: holdersQueue,
}

const deletedAt = z.object({ deletedAt: z.number().nullable() })

export const volumeRecover: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'volume.recover',
    version: 1,
    input,
    steps: [
      {
        name: 'mark',
        output: deletedAt,
        do: (ctx: Ctx) => ({
          output: ctx.outputs['mark'] ?? { deletedAt: volumeOf(ctx)?.['deletedAt'] ?? null },
          change: {
            guards: [{ g: 'field', t: 'volume', k: ctx.input.uuid, field: 'status', in: ['Deleted', 'Ready'] }],
            ops: [touch(ctx, 'volume', ctx.input.uuid, { status: 'Ready', deletedAt: null })],
            facts: [{ noun: 'volume', uuid: ctx.input.uuid, event: 'recovered' }],
          },
        }),
        undo: (ctx: Ctx) => {
          const was = ctx.outputs['mark'] as z.infer<typeof deletedAt> | undefined
          return was && volumeOf(ctx)?.['status'] === 'Ready'
            ? { change: { ops: [{ o: 'set' as const, t: 'volume', k: ctx.input.uuid, v: { status: 'Deleted', ...was } }] } }
            : {}
        },
      },
    ],
  }),
  check: ({ graph, uuid }) => void needData(graph, uuid, ['Deleted']),
}

export const volumeExpunge: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'volume.expunge',
    version: 1,
    input,
    steps: [
      {
        name: 'check',
        noUndo: 'it only looks',
        do: (ctx: Ctx) => void needData(ctx.world.graph, ctx.input.uuid, ['Deleted']),
      },
    ],
    // The end of the job is the removal: one commit, so there is never half of it to take back.
    finish: (ctx: EndCtx) => {
      const { uuid } = ctx.input
      const volume = needData(ctx.world.graph, uuid, ['Deleted'])
      return {
        change: {
          guards: [{ g: 'field', t: 'volume', k: uuid, field: 'status', in: ['Deleted'] }],
          ops: [
            { o: 'del', t: 'volume', k: uuid },
            ...dropSnapshots(ctx.world.graph, uuid),
            ...giveRoom(ctx.world.graph, volume),
          ],
          facts: [{ noun: 'volume', uuid, event: 'expunged' }],
        },
        result: afterwards([`volume/${uuid}`]),
      }
    },
  }),
  check: ({ graph, uuid }) => void needData(graph, uuid, ['Deleted']),
}
