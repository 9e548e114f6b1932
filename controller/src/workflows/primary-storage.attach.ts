/** A local primary storage on the hosts of a cluster: a folder each, and what they give is its capacity. */
import { row, SkerryError } from '@skerry/contract'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { attachment } from './attachment.ts'
import { input } from './input.ts'
import { connectParts, dropParts, restoreParts } from './storage-parts.ts'
import { type Action, type CheckInput, type Ctx, type Input, need, type World } from './world.ts'

const ends = {
  table: 'primaryStorage',
  field: 'attachedClusterUuids',
  self: 'primaryStorageUuid',
  other: 'clusterUuid',
  otherTable: 'cluster',
} as const
const psOf = (ctx: Ctx) => ctx.input.params['primaryStorageUuid'] as string
const hostsOf = (ctx: Ctx, clusterUuid: unknown) => [...ctx.world.graph.by('host', 'clusterUuid', clusterUuid)].sort()

/** Parts of this storage on the hosts of this cluster. */
const partsOf = (ctx: Ctx) => hostsOf(ctx, ctx.input.params['clusterUuid']).map((host) => `${psOf(ctx)}:${host}`)

export const primaryStorageAttach = attachment(
  {
    ...ends,
    workflow: 'primaryStorage.attach',
    check: ({ graph, params }: CheckInput) => {
      const zones = [
        graph.get('primaryStorage', params['primaryStorageUuid'] as string)?.['zoneUuid'],
        graph.get('cluster', params['clusterUuid'] as string)?.['zoneUuid'],
      ]
      if (zones[0] !== zones[1])
        throw new SkerryError('invalid-argument', 'the storage and the cluster are in different zones', { zones })
    },
    steps: [
      {
        name: 'make-folders',
        do: async (ctx: Ctx) => void (await ctx.world.agents.converge([`pool/${psOf(ctx)}`], ctx)),
        noUndo: 'taking the cluster out of the list removes the folders, which are still empty',
      },
      {
        name: 'connect',
        do: (ctx: Ctx) => ({ change: { ops: connectParts(ctx, psOf(ctx), hostsOf(ctx, ctx.input.params['clusterUuid'])) } }),
        undo: (ctx: Ctx) => ({ change: { ops: disconnect(ctx) } }),
      },
    ],
  },
  true,
)

/** Drops this cluster's parts; without any part left the storage is Connecting again. */
function disconnect(ctx: Ctx) {
  const { graph } = ctx.world
  const mine = partsOf(ctx).filter((key) => graph.get('localStorageHost', key))
  const others = graph.countBy('localStorageHost', 'primaryStorageUuid', psOf(ctx)) - mine.length
  const ops = dropParts(graph, mine)
  return others === 0 && graph.get('primaryStorage', psOf(ctx))
    ? [...ops, { o: 'set' as const, t: 'primaryStorage', k: psOf(ctx), v: { status: 'Connecting' } }]
    : ops
}

export const primaryStorageDetach = attachment(
  {
    ...ends,
    workflow: 'primaryStorage.detach',
    check: ({ graph, params }: CheckInput) => {
      for (const key of graph.by('volume', 'primaryStorageUuid', params['primaryStorageUuid'])) {
        const volume = graph.get('volume', key)!
        if (graph.get('host', (volume['localHostUuid'] as string | null) ?? '')?.['clusterUuid'] === params['clusterUuid'])
          throw new SkerryError('in-use', `volume ${volume['name']} lies on this storage in this cluster`, { volumeUuid: key })
      }
    },
    steps: [
      {
        name: 'disconnect',
        output: z.object({ dropped: z.array(row) }),
        do: (ctx: Ctx) => {
          const now = partsOf(ctx).flatMap((key) => ctx.world.graph.get('localStorageHost', key) ?? [])
          const dropped = now.length > 0 ? now : (ctx.outputs['disconnect']?.dropped ?? [])
          return { output: { dropped }, change: { ops: disconnect(ctx) } }
        },
        undo: (ctx: Ctx) => ({ change: { ops: restoreParts(ctx.world.graph, ctx.outputs['disconnect']?.dropped ?? []) } }),
      },
      {
        name: 'remove-folders',
        do: async (ctx: Ctx) => void (await ctx.world.agents.gone([`pool/${psOf(ctx)}`], Math.min(30_000, ctx.remainingMs()))),
        noUndo: 'putting the cluster back into the list makes the folders again',
      },
    ],
  },
  false,
)

export const primaryStorageReconnect: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'primaryStorage.reconnect',
    version: 1,
    input,
    steps: [
      {
        name: 'look',
        do: async (ctx: Ctx) => void (await ctx.world.agents.converge([`pool/${ctx.input.uuid}`], ctx)),
        noUndo: 'it only looks',
      },
      {
        name: 'connect',
        do: (ctx: Ctx) => {
          const clusters = need(ctx.world.graph, 'primaryStorage', ctx.input.uuid)['attachedClusterUuids'] as string[]
          return {
            change: {
              ops: connectParts(
                ctx,
                ctx.input.uuid,
                clusters.flatMap((c) => hostsOf(ctx, c)),
              ),
            },
          }
        },
        noUndo: 'it records what the agents report',
      },
    ],
  }),
  check: ({ graph, uuid }) => void need(graph, 'primaryStorage', uuid),
}
