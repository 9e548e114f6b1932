/** Deleting an image hides it; expunging removes its bytes. Volumes made from it keep their own copy of what lies below them. */
import { SkerryError } from '@skerry/contract'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { removeFromStores } from './image.add.ts'
import { input } from './input.ts'
import { type Action, type CheckInput, type Ctx, type EndCtx, type Input, need, touch, type World } from './world.ts'

function statusChange(name: string, from: string, to: string, deletedAt: (ctx: Ctx) => number | null): Action {
  return {
    workflow: defineWorkflow<Input, World>({
      name,
      version: 1,
      input,
      steps: [
        {
          name: 'mark',
          output: z.object({ deletedAt: z.number().nullable() }),
          do: (ctx: Ctx) => ({
            output: ctx.outputs['mark'] ?? { deletedAt: ctx.world.graph.get('image', ctx.input.uuid)?.['deletedAt'] ?? null },
            change: {
              guards: [{ g: 'field', t: 'image', k: ctx.input.uuid, field: 'status', in: [from, to] }],
              ops: [touch(ctx, 'image', ctx.input.uuid, { status: to, deletedAt: deletedAt(ctx) })],
              facts: [{ noun: 'image', uuid: ctx.input.uuid, event: to === 'Deleted' ? 'deleted' : 'recovered' }],
            },
          }),
          undo: (ctx: Ctx) =>
            ctx.world.graph.get('image', ctx.input.uuid)?.['status'] === to
              ? {
                  change: {
                    ops: [
                      {
                        o: 'set' as const,
                        t: 'image',
                        k: ctx.input.uuid,
                        v: { status: from, deletedAt: ctx.outputs['mark']?.deletedAt ?? null },
                      },
                    ],
                  },
                }
              : {},
        },
      ],
      ...(to === 'Deleted' ? { finish: () => ({ result: {} }) } : {}),
    }),
    check: (i: CheckInput) => statusIs(i, from),
  }
}

function statusIs(i: CheckInput, wanted: string): void {
  const image = need(i.graph, 'image', i.uuid)
  if (image['status'] !== wanted)
    throw new SkerryError('illegal-state', `image ${image['name']} is ${image['status']}, it must be ${wanted}`, {
      uuid: i.uuid,
      state: image['status'],
      allowed: [wanted],
    })
}

export const imageDelete = statusChange('image.delete', 'Ready', 'Deleted', (ctx) => ctx.world.now())
export const imageRecover = statusChange('image.recover', 'Deleted', 'Ready', () => null)

export const imageExpunge: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'image.expunge',
    version: 1,
    input,
    steps: [
      {
        name: 'remove-bytes',
        noUndo: 'the caller asked for the bytes to go; a repeat removes what is left',
        do: (ctx: Ctx) =>
          removeFromStores(ctx, (ctx.world.graph.get('image', ctx.input.uuid)?.['sha256'] as string | null | undefined) ?? null),
      },
    ],
    finish: (ctx: EndCtx) => ({
      change: {
        ops: [{ o: 'del' as const, t: 'image', k: ctx.input.uuid }],
        facts: [{ noun: 'image', uuid: ctx.input.uuid, event: 'expunged' }],
      },
      result: {},
    }),
  }),
  check: (i) => statusIs(i, 'Deleted'),
}
