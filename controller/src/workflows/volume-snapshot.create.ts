/**
 * A snapshot is the present file of a volume, which nobody writes into any more: what is written from now on goes into an empty file over
 * it. A running guest is moved there by its agent; one that is off finds it in its definition.
 */
import { fileNameOf, layerPath, MAX_SNAPSHOT_DEPTH, MAX_SNAPSHOTS, type Op, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { input } from './input.ts'
import {
  actualOf,
  needEnabledVolume,
  needFiles,
  poolOf,
  presentFile,
  queueOfVolume,
  roomOps,
  toGuest,
  toStorage,
  volumeOf,
} from './volume.files.ts'
import { snapshotsOf, takeRoom } from './volume.rows.ts'
import { becomePresent, markStep, type NextFile, nextFileSteps } from './volume-snapshot.next.ts'
import { lineageOps, parentsNow, treeRow } from './volume-snapshot.trees.ts'
import { type Action, baseRow, type CheckInput, type Ctx, derivedId, type EndCtx, type Input, type World } from './world.ts'

const measured = z.object({ file: z.string(), actualSize: z.number(), vmInstanceUuid: z.string().nullable() })
const measuredOf = (ctx: EndCtx) => ctx.outputs['measure'] as z.infer<typeof measured>

const next: NextFile = {
  volumeUuid: (ctx) => ctx.input.params['volumeUuid'] as string,
  file: (ctx) => fileNameOf(layerPath('', next.volumeUuid(ctx), ctx.input.uuid)),
  over: (ctx) => measuredOf(ctx).file,
}

/** The volume, if another snapshot of it can be taken. Throws why not. */
function needSnapshottable(graph: Graph, uuid: unknown): Row {
  const volume = needFiles(graph, uuid)
  needEnabledVolume(volume)
  const name = volume['name']
  if (volume['format'] !== 'qcow2')
    throw new SkerryError(
      'illegal-state',
      `volume ${name} is a ${volume['format']} volume: only qcow2 volumes can have snapshots`,
      {
        uuid,
        format: volume['format'],
      },
    )
  const latest = graph.get('volumeSnapshot', (volume['latestSnapshotUuid'] as string | null) ?? '')
  if (((latest?.['distance'] as number | undefined) ?? 0) >= MAX_SNAPSHOT_DEPTH)
    throw new SkerryError('too-many-snapshots', `${MAX_SNAPSHOT_DEPTH} snapshots of volume ${name} lie over each other`, {
      uuid,
      limit: MAX_SNAPSHOT_DEPTH,
    })
  if (graph.countBy('volumeSnapshot', 'volumeUuid', volume['uuid'] as string) >= MAX_SNAPSHOTS)
    throw new SkerryError('too-many-snapshots', `volume ${name} has ${MAX_SNAPSHOTS} snapshots`, { uuid, limit: MAX_SNAPSHOTS })
  return volume
}

const placeOf = (volume: Readonly<Row>) => ({
  hostUuid: volume['localHostUuid'] as string,
  primaryStorageUuid: volume['primaryStorageUuid'] as string,
})

function snapshotRow(ctx: Ctx, volume: Readonly<Row>): { row: Row; tree: Op[] } {
  const { graph, now } = ctx.world
  const parent = graph.get('volumeSnapshot', (volume['latestSnapshotUuid'] as string | null) ?? '')
  const treeUuid = (parent?.['treeUuid'] as string | undefined) ?? derivedId(ctx, 'tree')
  const volumeUuid = volume['uuid'] as string
  const row: Row = {
    ...baseRow(ctx),
    type: 'Hypervisor',
    volumeUuid,
    treeUuid,
    parentUuid: parent?.['uuid'] ?? null,
    primaryStorageUuid: volume['primaryStorageUuid'],
    primaryStorageInstallPath: volume['installPath'],
    volumeType: volume['type'],
    format: volume['format'],
    latest: false,
    size: measuredOf(ctx).actualSize,
    distance: ((parent?.['distance'] as number | undefined) ?? 0) + 1,
    state: 'Enabled',
    status: 'Creating',
    backupStorageRefs: [],
    groupUuid: null,
  }
  const made: Op = {
    o: 'put',
    t: 'volumeSnapshotTree',
    k: treeUuid,
    v: treeRow(treeUuid, { volumeUuid, current: false, now: now() }),
  }
  return { row, tree: parent ? [] : [made] }
}

const mark = markStep(next, {
  do: (ctx, volume) => {
    needSnapshottable(ctx.world.graph, volume['uuid'])
    const { uuid } = ctx.input
    const { row, tree } = snapshotRow(ctx, volume)
    const room = takeRoom(ctx.world.graph, placeOf(volume), row['size'] as number)
    return {
      guards: [{ g: 'absent', t: 'volumeSnapshot', k: uuid }, ...room.guards],
      ops: [...tree, { o: 'put', t: 'volumeSnapshot', k: uuid, v: row }, ...room.ops],
    }
  },
  undo: (ctx, volume) => {
    const { graph } = ctx.world
    const row = graph.get('volumeSnapshot', ctx.input.uuid)
    if (!row) return []
    const tree = row['treeUuid'] as string
    const last = graph.countBy('volumeSnapshot', 'treeUuid', tree) === 1
    return [
      { o: 'del', t: 'volumeSnapshot', k: ctx.input.uuid },
      ...(last && graph.get('volumeSnapshotTree', tree) ? [{ o: 'del' as const, t: 'volumeSnapshotTree', k: tree }] : []),
      ...roomOps(volume, -(row['size'] as number)),
    ]
  },
})

const paths = (ctx: Ctx) => {
  const volume = volumeOf(ctx, next.volumeUuid(ctx))
  return {
    volume,
    from: volume['installPath'] as string,
    to: layerPath(poolOf(ctx.world.graph, volume).poolPath, next.volumeUuid(ctx), ctx.input.uuid),
  }
}

const sizesOf = (ctx: Ctx, file: string) =>
  toStorage(ctx, volumeOf(ctx, next.volumeUuid(ctx)), { verb: 'sizes', input: { files: [file] } })

function taken(ctx: EndCtx) {
  const { graph, now } = ctx.world
  const { uuid } = ctx.input
  const volume = volumeOf(ctx, next.volumeUuid(ctx))
  const row = graph.get('volumeSnapshot', uuid)!
  const { size } = ctx.outputs['weigh'] as { size: number }
  const lineage = lineageOps(graph, {
    volumeUuid: volume['uuid'] as string,
    parents: parentsNow(graph, volume['uuid'] as string),
    latest: uuid,
    now: now(),
    treeOf: () => row['treeUuid'] as string,
  })
  return {
    change: {
      guards: [{ g: 'field' as const, t: 'volume', k: volume['uuid'] as string, field: 'filesJob', in: [ctx.job] }],
      ops: [
        { o: 'set' as const, t: 'volumeSnapshot', k: uuid, v: { status: 'Ready', size } },
        ...lineage,
        ...roomOps(volume, size - (row['size'] as number)),
        becomePresent(ctx, next, { latestSnapshotUuid: uuid }),
      ],
      facts: [{ noun: 'volumeSnapshot', uuid, event: 'created', data: { volumeUuid: volume['uuid'] } }],
    },
  }
}

export const volumeSnapshotCreate: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'volumeSnapshot.create',
    version: 1,
    input,
    steps: [
      {
        name: 'measure',
        output: measured,
        noUndo: 'it only looks',
        do: async (ctx: Ctx) => {
          const volume = needSnapshottable(ctx.world.graph, next.volumeUuid(ctx))
          const file = presentFile(volume)
          const actualSize = actualOf(await sizesOf(ctx, file), file)
          if (actualSize === undefined)
            throw new SkerryError('volume-lost', `the file of volume ${volume['name']} is gone`, {
              volumeUuid: volume['uuid'],
              path: volume['installPath'],
            })
          return { output: { file, actualSize, vmInstanceUuid: volume['vmInstanceUuid'] ?? null } }
        },
      },
      mark,
      ...nextFileSteps(next),
      {
        name: 'switch',
        when: (ctx: Ctx) => measuredOf(ctx).vmInstanceUuid !== null,
        do: async (ctx: Ctx) => {
          const { volume, from, to } = paths(ctx)
          await toGuest(ctx, volume, { verb: 'switch-disk', input: { from, to } })
        },
        undo: async (ctx: Ctx) => {
          const { volume, from, to } = paths(ctx)
          if (volume['filesJob'] !== ctx.job) return
          const { switched } = await toGuest(ctx, volume, { verb: 'switch-back', input: { from, to } })
          // What it wrote there before it was off is to be found where it will look.
          if (switched === 'off')
            await toStorage(ctx, volume, {
              id: derivedId(ctx, 'merge'),
              verb: 'merge',
              input: { file: next.file(ctx), into: next.over(ctx) },
            })
        },
      },
      {
        name: 'weigh',
        output: z.object({ size: z.number() }),
        noUndo: 'it only looks',
        do: async (ctx: Ctx) => {
          const { file, actualSize } = measuredOf(ctx)
          return { output: { size: actualOf(await sizesOf(ctx, file), file) ?? actualSize } }
        },
      },
    ],
    finish: taken,
  }),
  check({ graph, params, uuid }: CheckInput) {
    if (graph.get('volumeSnapshot', uuid))
      throw new SkerryError('duplicate-uuid', `a volume snapshot with uuid ${uuid} exists`, { uuid })
    const volume = needSnapshottable(graph, params['volumeUuid'])
    takeRoom(graph, placeOf(volume), (volume['actualSize'] as number | null) ?? 0)
    if (snapshotsOf(graph, volume['uuid'] as string).some((s) => s['status'] === 'Creating'))
      throw new SkerryError('in-use', `another snapshot of volume ${volume['name']} is being taken`, { uuid: volume['uuid'] })
  },
  queueKey: ({ params }, graph) => queueOfVolume(graph, params['volumeUuid'] as string),
}
