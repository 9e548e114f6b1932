/** A volume goes back to a snapshot: an empty file over the snapshot's becomes the present one, and what was written since goes. */
import { fileNameOf, layerPath, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow } from '@skerry/workflow'
import { input } from './input.ts'
import { needEnabledVolume, needFiles, presentFile, queueOfVolume, volumeOf } from './volume.files.ts'
import { becomePresent, markStep, type NextFile, nextFileSteps } from './volume-snapshot.next.ts'
import { lineageOps, parentsNow } from './volume-snapshot.trees.ts'
import { type Action, derivedId, type EndCtx, type Input, need, type World } from './world.ts'

/** What a guest that runs has open can't be put behind its back. */
const OFF = ['Stopped']
const volumeUuidOf = (graph: Graph, snapshotUuid: string) => need(graph, 'volumeSnapshot', snapshotUuid)['volumeUuid'] as string

/** The snapshot in one of these states. */
export function needSnapshot(graph: Graph, uuid: unknown, allowed: readonly string[] = ['Ready']): Row {
  const row = need(graph, 'volumeSnapshot', uuid)
  if (!allowed.includes(row['status'] as string))
    throw new SkerryError(
      'illegal-state',
      `volume snapshot ${row['name']} is ${row['status']}, it must be ${allowed.join(' or ')}`,
      {
        uuid,
        state: row['status'],
        allowed: [...allowed],
      },
    )
  return row
}

const next: NextFile = {
  volumeUuid: (ctx) => volumeUuidOf(ctx.world.graph, ctx.input.uuid),
  file: (ctx) => fileNameOf(layerPath('', next.volumeUuid(ctx), derivedId(ctx, 'file'))),
  over: (ctx) => fileNameOf(need(ctx.world.graph, 'volumeSnapshot', ctx.input.uuid)['primaryStorageInstallPath'] as string),
  vmStates: OFF,
}

function reverted(ctx: EndCtx) {
  const { graph, now } = ctx.world
  const { uuid } = ctx.input
  needSnapshot(graph, uuid)
  const volume = volumeOf(ctx, next.volumeUuid(ctx))
  const k = volume['uuid'] as string
  const vm = volume['vmInstanceUuid'] as string | null
  const treeOf = (root: string) => derivedId(ctx, `tree/${root}`)
  return {
    change: {
      guards: [
        { g: 'field' as const, t: 'volume', k, field: 'filesJob', in: [ctx.job] },
        ...(vm === null ? [] : [{ g: 'field' as const, t: 'vmInstance', k: vm, field: 'state', in: OFF }]),
      ],
      ops: [
        ...lineageOps(graph, { volumeUuid: k, parents: parentsNow(graph, k), latest: uuid, now: now(), treeOf }),
        becomePresent(ctx, next, { latestSnapshotUuid: uuid }, [presentFile(volume)]),
      ],
      facts: [{ noun: 'volume', uuid: k, event: 'reverted', data: { volumeSnapshotUuid: uuid } }],
    },
  }
}

export const volumeSnapshotRevert: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'volumeSnapshot.revert',
    version: 1,
    input,
    steps: [
      markStep(next, {
        do: (ctx) => {
          needSnapshot(ctx.world.graph, ctx.input.uuid)
          return { ops: [], guards: [] }
        },
        undo: () => [],
      }),
      ...nextFileSteps(next),
    ],
    finish: reverted,
  }),
  check({ graph, uuid }) {
    const { volumeUuid } = needSnapshot(graph, uuid)
    needEnabledVolume(needFiles(graph, volumeUuid, { vmStates: OFF }))
  },
  queueKey: ({ uuid }, graph) => queueOfVolume(graph, volumeUuidOf(graph, uuid)),
}
