/** A volume grows. A guest that runs is shown that first; a disk that has grown stays as large as it is, whatever becomes of the job. */
import { type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { input } from './input.ts'
import { asItIs, needEnabledVolume, needFiles, queueOfVolume, roomOps, setVolume, toGuest, volumeOf } from './volume.files.ts'
import { takeRoom } from './volume.rows.ts'
import { type Action, type CheckInput, type Ctx, type EndCtx, type Input, touch, type World } from './world.ts'

type Type = 'Root' | 'Data'
const placeOf = (volume: Readonly<Row>) => ({
  hostUuid: volume['localHostUuid'] as string,
  primaryStorageUuid: volume['primaryStorageUuid'] as string,
})
const before = z.object({ size: z.number() })
const sizeBefore = (ctx: Ctx) => (ctx.outputs['mark'] as z.infer<typeof before>).size

/** The volume, if it can become as large. Throws why not. */
function needGrowing(graph: Graph, { uuid, type, size, job }: { uuid: string; type: Type; size: unknown; job?: string }): Row {
  const volume = needFiles(graph, uuid, job === undefined ? {} : { job })
  needEnabledVolume(volume)
  const now = volume['size'] as number
  if (volume['type'] !== type)
    throw new SkerryError(
      'invalid-argument',
      `volume ${volume['name']} is a ${volume['type']} volume: this is for ${type.toLowerCase()} volumes`,
      {
        uuid,
        type: volume['type'],
      },
    )
  if (typeof size !== 'number' || size <= now)
    throw new SkerryError('invalid-argument', `volume ${volume['name']} has ${now} bytes: it can only grow, so say more`, {
      field: 'size',
      uuid,
      size: now,
    })
  takeRoom(graph, placeOf(volume), size - now)
  return volume
}

function resizing(type: Type): Action {
  const wanted = ({ uuid, params }: { uuid: string; params: Row }) => ({ uuid, type, size: params['size'] })
  return {
    workflow: defineWorkflow<Input, World>({
      name: `volume.resize${type}`,
      version: 1,
      input,
      steps: [
        {
          name: 'mark',
          output: before,
          do: (ctx: Ctx) => {
            const { graph } = ctx.world
            const marked = graph.get('volume', ctx.input.uuid)?.['filesJob'] === ctx.job
            const volume = marked ? volumeOf(ctx, ctx.input.uuid) : needGrowing(graph, { ...wanted(ctx.input), job: ctx.job })
            return {
              output: ctx.outputs['mark'] ?? { size: volume['size'] },
              change: { guards: [asItIs(graph, ctx.input.uuid)], ops: [setVolume(volume, { filesJob: ctx.job })] },
            }
          },
          undo: (ctx: Ctx) => {
            const volume = ctx.world.graph.get('volume', ctx.input.uuid)
            return volume?.['filesJob'] === ctx.job ? { change: { ops: [setVolume(volume, { filesJob: null })] } } : {}
          },
        },
        {
          name: 'show-guest',
          noUndo: 'a disk that has grown stays as it is',
          do: async (ctx: Ctx) => {
            const volume = volumeOf(ctx, ctx.input.uuid)
            if (volume['vmInstanceUuid'] === null) return
            const sizeBytes = ctx.input.params['size'] as number
            await toGuest(ctx, volume, { verb: 'resize-disk', input: { path: volume['installPath'], sizeBytes } })
          },
        },
        {
          name: 'grow',
          do: (ctx: Ctx) => {
            const { graph } = ctx.world
            const volume = volumeOf(ctx, ctx.input.uuid)
            const size = ctx.input.params['size'] as number
            if (volume['size'] === size) return {}
            const room = takeRoom(graph, placeOf(volume), size - sizeBefore(ctx))
            return {
              change: {
                guards: [asItIs(graph, ctx.input.uuid), ...room.guards],
                ops: [setVolume(volume, { size }), ...room.ops],
              },
            }
          },
          undo: (ctx: Ctx) => {
            const volume = ctx.world.graph.get('volume', ctx.input.uuid)
            const size = sizeBefore(ctx)
            if (!volume || volume['filesJob'] !== ctx.job || volume['size'] === size) return {}
            return { change: { ops: [setVolume(volume, { size }), ...roomOps(volume, size - (volume['size'] as number))] } }
          },
        },
        {
          name: 'converge',
          noUndo: 'a disk that has grown stays as it is',
          do: async (ctx: Ctx) => void (await ctx.world.agents.converge([`volume/${ctx.input.uuid}`], ctx)),
        },
      ],
      finish: (ctx: EndCtx) => ({
        change: {
          ops: [touch(ctx as Ctx, 'volume', ctx.input.uuid, { filesJob: null })],
          facts: [{ noun: 'volume', uuid: ctx.input.uuid, event: 'resized', data: { size: ctx.input.params['size'] } }],
        },
      }),
    }),
    check: ({ graph, uuid, params }: CheckInput) => void needGrowing(graph, wanted({ uuid, params })),
    queueKey: ({ uuid }, graph) => queueOfVolume(graph, uuid),
  }
}

export const volumeResizes: readonly Action[] = [resizing('Root'), resizing('Data')]
