/**
 * A data volume with the content of a snapshot. It is copied beside the snapshot, chain and all, and depends on nothing afterwards. Until
 * the copy is whole its agent knows nothing of a volume, because a document would have it made empty; undone, it is handed over as one
 * that is to be removed.
 */
import { fileNameOf, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { needAllHeard } from '../orphans/reunite.ts'
import { input } from './input.ts'
import { CLEAN_UP_MS } from './volume.create.ts'
import { asItIs, needFiles, queueOfVolume, setVolume, toStorage, volumeOf } from './volume.files.ts'
import { dataVolumeRow, giveRoom, placed, takeRoom } from './volume.rows.ts'
import { needSnapshot } from './volume-snapshot.revert.ts'
import { type Action, baseRow, type CheckInput, type Ctx, type EndCtx, type Input, need, type World } from './world.ts'

const sizes = z.object({ sizeBytes: z.number(), actualBytes: z.number() })
const sizesOf = (ctx: EndCtx, step: 'measure' | 'copy') => ctx.outputs[step] as z.infer<typeof sizes>

const snapshotOf = (ctx: EndCtx) => need(ctx.world.graph, 'volumeSnapshot', ctx.input.params['volumeSnapshotUuid'])
const sourceOf = (ctx: EndCtx) => volumeOf(ctx, snapshotOf(ctx)['volumeUuid'] as string)
const rowOf = (ctx: EndCtx) => ctx.world.graph.get('volume', ctx.input.uuid)
const fileOf = (snapshot: Readonly<Row>) => fileNameOf(snapshot['primaryStorageInstallPath'] as string)
const isMarked = (ctx: Ctx) => sourceOf(ctx)['filesJob'] === ctx.job

/** The snapshot, if a volume can be made of it where it lies. */
function needCopyable(graph: Graph, params: Row, job?: string): Row {
  const snapshot = needSnapshot(graph, params['volumeSnapshotUuid'])
  needFiles(graph, snapshot['volumeUuid'], job === undefined ? {} : { job })
  const { primaryStorageUuid = snapshot['primaryStorageUuid'] } = params
  if (primaryStorageUuid !== snapshot['primaryStorageUuid'])
    throw new SkerryError('invalid-argument', `a volume of snapshot ${snapshot['name']} is made on the storage of the snapshot`, {
      ...{ field: 'primaryStorageUuid', primaryStorageUuid, allowed: [snapshot['primaryStorageUuid']] },
    })
  needAllHeard(graph)
  return snapshot
}

function persist(ctx: Ctx) {
  const { graph, now } = ctx.world
  const { uuid } = ctx.input
  if (rowOf(ctx)) return {}
  const source = sourceOf(ctx)
  const at = { hostUuid: source['localHostUuid'] as string, primaryStorageUuid: source['primaryStorageUuid'] as string }
  const { name, description } = baseRow(ctx)
  const size = sizesOf(ctx, 'measure').sizeBytes
  const row: Row = {
    ...dataVolumeRow({ uuid, name, description, size }, now()),
    ...placed(graph, uuid, at),
    copyOf: fileOf(snapshotOf(ctx)),
  }
  const room = takeRoom(graph, at, size)
  return {
    change: {
      guards: [{ g: 'absent' as const, t: 'volume', k: uuid }, ...room.guards],
      ops: [{ o: 'put' as const, t: 'volume', k: uuid, v: row }, ...room.ops],
      facts: [{ noun: 'volume', uuid, event: 'created' }],
    },
  }
}

async function measure(ctx: Ctx) {
  const file = fileOf(snapshotOf(ctx))
  const answer = await toStorage(ctx, sourceOf(ctx), { verb: 'sizes', input: { files: [file] } })
  const [found] = answer['files'] as z.infer<typeof sizes>[]
  if (!found)
    throw new SkerryError('volume-lost', `the file of volume snapshot ${snapshotOf(ctx)['name']} is gone`, {
      ...{ volumeUuid: sourceOf(ctx)['uuid'], path: snapshotOf(ctx)['primaryStorageInstallPath'] },
    })
  return { output: sizes.parse(found) }
}

async function copy(ctx: Ctx) {
  const row = rowOf(ctx)!
  const files = { from: row['copyOf'], as: fileNameOf(row['installPath'] as string) }
  return { output: sizes.parse(await toStorage(ctx, row, { verb: 'copy', input: files })) }
}

const finish = (ctx: EndCtx) => {
  const source = sourceOf(ctx)
  const { actualBytes } = sizesOf(ctx, 'copy')
  return {
    change: {
      guards: [{ g: 'field' as const, t: 'volume', k: source['uuid'] as string, field: 'filesJob', in: [ctx.job] }],
      ops: [
        setVolume(rowOf(ctx)!, { status: 'Ready', copyOf: null, actualSize: actualBytes }),
        setVolume(source, { filesJob: null }),
      ],
    },
  }
}

export const volumeFromSnapshot: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'volume.fromSnapshot',
    version: 1,
    input,
    steps: [
      {
        name: 'mark',
        do: (ctx: Ctx) => {
          if (isMarked(ctx)) return {}
          needCopyable(ctx.world.graph, ctx.input.params, ctx.job)
          const source = sourceOf(ctx)
          const guards = [asItIs(ctx.world.graph, source['uuid'] as string)]
          return { change: { guards, ops: [setVolume(source, { filesJob: ctx.job })] } }
        },
        undo: (ctx: Ctx) => (isMarked(ctx) ? { change: { ops: [setVolume(sourceOf(ctx), { filesJob: null })] } } : {}),
      },
      { name: 'measure', output: sizes, do: measure, noUndo: 'it only looks' },
      {
        name: 'clean-up',
        do: () => ({}),
        // The row is gone by now, and the agent is removing what it had made.
        undo: async (ctx: Ctx) => void (await ctx.world.agents.gone([`volume/${ctx.input.uuid}`], CLEAN_UP_MS)),
      },
      {
        name: 'persist',
        do: persist,
        undo: (ctx: Ctx) => {
          const row = rowOf(ctx)
          return row
            ? { change: { ops: [{ o: 'del' as const, t: 'volume', k: ctx.input.uuid }, ...giveRoom(ctx.world.graph, row)] } }
            : {}
        },
      },
      {
        name: 'copy',
        output: sizes,
        do: copy,
        undo: (ctx: Ctx) => {
          const row = rowOf(ctx)
          return row?.['copyOf'] ? { change: { ops: [setVolume(row, { copyOf: null })] } } : {}
        },
      },
    ],
    finish,
  }),
  check({ graph, params, uuid }: CheckInput) {
    if (graph.get('volume', uuid)) throw new SkerryError('duplicate-uuid', `a volume with uuid ${uuid} exists`, { uuid })
    needCopyable(graph, params)
  },
  queueKey: ({ params }, graph) =>
    queueOfVolume(graph, need(graph, 'volumeSnapshot', params['volumeSnapshotUuid'])['volumeUuid'] as string),
}
