/** Limits of a volume are set and taken away: of a guest that runs at once, of any other from its next start. */
import { type kvmDesired, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { input } from './input.ts'
import { convergeVm, needVm } from './volume.attach.ts'
import { queueOfVolume } from './volume.files.ts'
import { limited, orNull, qosOf, unlimited } from './volume.limits.ts'
import { type Action, type Ctx, type Input, need, touch, type World } from './world.ts'

type Qos = kvmDesired.VolumeQos
const was = z.object({ qos: z.record(z.string(), z.number()).nullable() })

/** The volume, if its guest can be told. */
function needTellable(graph: Graph, uuid: string): Row {
  const volume = need(graph, 'volume', uuid)
  if (volume['status'] === 'Deleted')
    throw new SkerryError('illegal-state', `volume ${volume['name']} is deleted: recover it first`, {
      uuid,
      state: 'Deleted',
      allowed: ['NotInstantiated', 'Ready'],
    })
  if (volume['vmInstanceUuid'] !== null) needVm(graph, volume['vmInstanceUuid'], 'limited')
  return volume
}

const change = (name: string, next: (volume: Readonly<Row>, params: Row) => Qos): Action => ({
  workflow: defineWorkflow<Input, World>({
    name,
    version: 1,
    input,
    steps: [
      {
        name: 'limit',
        output: was,
        do: (ctx: Ctx) => {
          const volume = needTellable(ctx.world.graph, ctx.input.uuid)
          const qos = orNull(next(volume, ctx.input.params))
          return {
            output: ctx.outputs['limit'] ?? { qos: orNull(qosOf(volume)) },
            change: {
              guards: [{ g: 'exists', t: 'volume', k: ctx.input.uuid }],
              ops: [touch(ctx, 'volume', ctx.input.uuid, { qos })],
              facts: [{ noun: 'volume', uuid: ctx.input.uuid, event: 'updated' }],
            },
          }
        },
        undo: (ctx: Ctx) => {
          const before = ctx.outputs['limit'] as z.infer<typeof was> | undefined
          return before && ctx.world.graph.get('volume', ctx.input.uuid)
            ? { change: { ops: [{ o: 'set' as const, t: 'volume', k: ctx.input.uuid, v: { qos: before.qos } }] } }
            : {}
        },
      },
      {
        name: 'tell-guest',
        noUndo: 'the limits of before are its document again',
        do: async (ctx: Ctx) => {
          const vm = need(ctx.world.graph, 'volume', ctx.input.uuid)['vmInstanceUuid'] as string | null
          if (vm !== null) await convergeVm(ctx, vm)
        },
      },
    ],
  }),
  check: ({ graph, uuid, params }) => void next(needTellable(graph, uuid), params),
  queueKey: ({ uuid }, graph) => queueOfVolume(graph, uuid),
})

export const volumeLimits: readonly Action[] = [
  change('volume.setQos', limited),
  change('volume.deleteQos', (volume, { mode }) => unlimited(volume, mode)),
]
