/** How large a snapshot is: asked of its agent. */
import { fileNameOf, SkerryError } from '@skerry/contract'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { input } from './input.ts'
import { toStorage } from './volume.files.ts'
import { needSnapshot } from './volume-snapshot.revert.ts'
import { type Action, type Ctx, type EndCtx, type Input, need, type World } from './world.ts'

const sizes = z.object({ size: z.number(), actualSize: z.number() })

export const volumeSnapshotSize: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'volumeSnapshot.size',
    version: 1,
    input,
    steps: [
      {
        name: 'measure',
        output: sizes,
        noUndo: 'it only looks',
        do: async (ctx: Ctx) => {
          const snapshot = needSnapshot(ctx.world.graph, ctx.input.uuid)
          const volume = need(ctx.world.graph, 'volume', snapshot['volumeUuid'])
          const file = fileNameOf(snapshot['primaryStorageInstallPath'] as string)
          const answer = await toStorage(ctx, volume, { verb: 'sizes', input: { files: [file] } })
          const [found] = answer['files'] as { sizeBytes: number; actualBytes: number }[]
          if (!found)
            throw new SkerryError('volume-lost', `the file of volume snapshot ${snapshot['name']} is gone`, {
              volumeUuid: volume['uuid'],
              path: snapshot['primaryStorageInstallPath'],
            })
          return { output: { size: found.sizeBytes, actualSize: found.actualBytes } }
        },
      },
    ],
    finish: (ctx: EndCtx) => ({ result: ctx.outputs['measure'] as z.infer<typeof sizes> }),
  }),
  check: ({ graph, uuid }) => void needSnapshot(graph, uuid),
}
