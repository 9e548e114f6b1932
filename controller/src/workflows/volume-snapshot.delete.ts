/**
 * One snapshot goes. What lies over its file is moved onto what it lies on, by copying up what is needed: nothing is ever written into a
 * file that something lies over, so until the end of the job the snapshot is whole, and the job can be given up at any moment.
 */
import { fileNameOf, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { choosePool } from '../place/pool.ts'
import { input } from './input.ts'
import {
  actualOf,
  asItIs,
  needFiles,
  pathOfFile,
  queueOfVolume,
  roomOps,
  setVolume,
  toGuest,
  toStorage,
  volumeOf,
} from './volume.files.ts'
import { snapshotsOf } from './volume.rows.ts'
import { needSnapshot } from './volume-snapshot.revert.ts'
import { lineageOps, parentsNow } from './volume-snapshot.trees.ts'
import { type Action, type Ctx, derivedId, type EndCtx, type Input, need, type World } from './world.ts'

const snapshotOf = (ctx: EndCtx) => ctx.world.graph.get('volumeSnapshot', ctx.input.uuid)
const fileOf = (snapshot: Readonly<Row>) => fileNameOf(snapshot['primaryStorageInstallPath'] as string)
const volumeUuidOf = (graph: Graph, uuid: string) => need(graph, 'volumeSnapshot', uuid)['volumeUuid'] as string

/** What comes of it, by snapshots and by the volume itself: it is copied there, so there must be room. */
function needRoom(graph: Graph, snapshot: Readonly<Row>, volume: Readonly<Row>): void {
  const { uuid } = snapshot
  const above = graph.countBy('volumeSnapshot', 'parentUuid', uuid as string) + (volume['latestSnapshotUuid'] === uuid ? 1 : 0)
  if (above === 0) return
  const host = need(graph, 'host', volume['localHostUuid'])
  const request = { host, primaryStorageUuid: volume['primaryStorageUuid'] as string, diskBytes: snapshot['size'] as number }
  const { storage, reasons } = choosePool(graph, request)
  if (!storage)
    throw new SkerryError(
      'no-primary-storage',
      `no room to copy what volume snapshot ${snapshot['name']} holds: ${reasons.join('; ')}`,
      {
        uuid,
        bytes: request.diskBytes,
      },
    )
}

const files = z.object({ files: z.array(z.object({ file: z.string(), sizeBytes: z.number(), actualBytes: z.number() })) })

function removal(ctx: EndCtx) {
  const { graph, now } = ctx.world
  const { uuid } = ctx.input
  const snapshot = needSnapshot(graph, uuid, ['Deleting'])
  const volume = volumeOf(ctx, snapshot['volumeUuid'] as string)
  const k = volume['uuid'] as string
  const parents = parentsNow(graph, k)
  const heir = parents.get(uuid) ?? null
  parents.delete(uuid)
  for (const [child, parent] of parents) if (parent === uuid) parents.set(child, heir)
  const latest = volume['latestSnapshotUuid'] === uuid ? heir : ((volume['latestSnapshotUuid'] as string | null) ?? null)
  const grown = growth(graph, { k, uuid, answer: ctx.outputs['rebase'] })
  const drop = [...((volume['drop'] as string[] | undefined) ?? []), fileOf(snapshot)]
  const treeOf = (root: string) => derivedId(ctx, `tree/${root}`)
  return {
    change: {
      guards: [{ g: 'field' as const, t: 'volume', k, field: 'filesJob', in: [ctx.job] }],
      ops: [
        { o: 'del' as const, t: 'volumeSnapshot', k: uuid },
        ...grown.ops,
        ...lineageOps(graph, { volumeUuid: k, parents, latest, now: now(), treeOf }),
        ...roomOps(volume, grown.bytes - (snapshot['size'] as number)),
        setVolume(volume, { latestSnapshotUuid: latest, filesJob: null, drop, lastOpDate: now() }),
      ],
      facts: [{ noun: 'volumeSnapshot', uuid, event: 'deleted', data: { volumeUuid: k } }],
    },
    result: {},
  }
}

/** Other snapshots are larger by what was copied into them. */
function growth(graph: Graph, { k, uuid, answer }: { k: string; uuid: string; answer: unknown }) {
  const moved = snapshotsOf(graph, k).flatMap((s) => {
    const size = actualOf(answer, fileOf(s))
    return s['uuid'] === uuid || size === undefined || size === s['size']
      ? []
      : [{ key: s['uuid'] as string, size, by: size - (s['size'] as number) }]
  })
  return {
    ops: moved.map(({ key, size }) => ({ o: 'set' as const, t: 'volumeSnapshot', k: key, v: { size } })),
    bytes: moved.reduce((sum, { by }) => sum + by, 0),
  }
}

export const volumeSnapshotDelete: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'volumeSnapshot.delete',
    version: 1,
    input,
    steps: [
      {
        name: 'mark',
        do: (ctx: Ctx) => {
          const { graph } = ctx.world
          const snapshot = needSnapshot(graph, ctx.input.uuid, ['Ready', 'Deleting'])
          const volume = needFiles(graph, snapshot['volumeUuid'], { job: ctx.job })
          if (volume['filesJob'] === ctx.job) return {}
          needRoom(graph, snapshot, volume)
          return {
            change: {
              guards: [asItIs(graph, volume['uuid'] as string)],
              ops: [
                setVolume(volume, { filesJob: ctx.job }),
                { o: 'set', t: 'volumeSnapshot', k: ctx.input.uuid, v: { status: 'Deleting' } },
              ],
            },
          }
        },
        undo: (ctx: Ctx) => {
          const snapshot = snapshotOf(ctx)
          const volume = snapshot && ctx.world.graph.get('volume', snapshot['volumeUuid'] as string)
          if (!snapshot || volume?.['filesJob'] !== ctx.job) return {}
          return {
            change: {
              ops: [
                setVolume(volume, { filesJob: null }),
                { o: 'set' as const, t: 'volumeSnapshot', k: ctx.input.uuid, v: { status: 'Ready' } },
              ],
            },
          }
        },
      },
      {
        name: 'pull',
        noUndo: 'what a file lies on is another, what it holds is the same',
        do: async (ctx: Ctx) => {
          const snapshot = snapshotOf(ctx)!
          const volume = volumeOf(ctx, snapshot['volumeUuid'] as string)
          if (volume['vmInstanceUuid'] === null) return
          const leaving = pathOfFile(volume, fileOf(snapshot))
          await toGuest(ctx, volume, { verb: 'pull-disk', input: { path: volume['installPath'], leaving } })
        },
      },
      {
        name: 'rebase',
        output: files,
        noUndo: 'what a file lies on is another, what it holds is the same',
        do: async (ctx: Ctx) => {
          const snapshot = snapshotOf(ctx)!
          const volume = volumeOf(ctx, snapshot['volumeUuid'] as string)
          return { output: await toStorage(ctx, volume, { verb: 'rebase', input: { from: fileOf(snapshot) } }) }
        },
      },
    ],
    finish: removal,
  }),
  check({ graph, uuid }) {
    const snapshot = needSnapshot(graph, uuid)
    needRoom(graph, snapshot, needFiles(graph, snapshot['volumeUuid']))
  },
  queueKey: ({ uuid }, graph) => queueOfVolume(graph, volumeUuidOf(graph, uuid)),
}
