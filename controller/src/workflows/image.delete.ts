/** Deleting an image hides it; expunging removes its bytes. Volumes made from it keep their own copy of what lies below them. */
import { type Row, SkerryError } from '@skerry/contract'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { configText } from '../configs/value.ts'
import { removeFromStores } from './image.stores.ts'
import { isUploading } from './image.upload.ts'
import { input } from './input.ts'
import { type Action, type CheckInput, type Ctx, type EndCtx, type Input, need, touch, type World } from './world.ts'

const marked = z.object({ deletedAt: z.number().nullable(), was: z.string().optional() })

function statusChange(name: string, from: readonly string[], to: string, deletedAt: (ctx: Ctx) => number | null): Action {
  return {
    workflow: defineWorkflow<Input, World>({
      name,
      version: 1,
      input,
      steps: [
        {
          name: 'mark',
          output: marked,
          do: (ctx: Ctx) => ({
            output: ctx.outputs['mark'] ?? before(ctx.world.graph.get('image', ctx.input.uuid)),
            change: {
              guards: [{ g: 'field', t: 'image', k: ctx.input.uuid, field: 'status', in: [...from, to] }],
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
                        v: { status: ctx.outputs['mark']?.was ?? from[0], deletedAt: ctx.outputs['mark']?.deletedAt ?? null },
                      },
                    ],
                  },
                }
              : {},
        },
      ],
      ...(to === 'Deleted' ? { finish: deleted } : {}),
    }),
    check: (i: CheckInput) => statusIs(i, from),
  }
}

const before = (image: Readonly<Row> | undefined) => ({
  deletedAt: (image?.['deletedAt'] as number | null | undefined) ?? null,
  ...(image ? { was: image['status'] as string } : {}),
})

/**
 * The policy of now is kept with what is deleted; what is recovered keeps it too, and nobody asks for it. Of an upload that came to
 * nothing there is nothing to recover: it goes at once.
 */
function deleted(ctx: EndCtx) {
  const { uuid } = ctx.input
  const { graph } = ctx.world
  if (!graph.get('image', uuid)?.['uploadError']) {
    const deletionPolicy = configText(graph, 'image.deletionPolicy')
    return { result: {}, change: { ops: [{ o: 'set' as const, t: 'image', k: uuid, v: { deletionPolicy } }] } }
  }
  const facts = [{ noun: 'image', uuid, event: 'expunged' }]
  return { result: {}, change: { ops: [{ o: 'del' as const, t: 'image', k: uuid }], facts } }
}

function statusIs(i: CheckInput, allowed: readonly string[]): void {
  const image = need(i.graph, 'image', i.uuid)
  if (allowed.includes(image['status'] as string)) return
  const message = `image ${image['name']} is ${image['status']}, it must be ${allowed.join(' or ')}`
  throw new SkerryError('illegal-state', message, {
    ...{ uuid: i.uuid, state: image['status'], allowed },
    ...(isUploading(image) ? { remedy: `skerry cancel-upload image ${image['name']}` } : {}),
  })
}

export const imageDelete = statusChange('image.delete', ['Ready', 'Error'], 'Deleted', (ctx) => ctx.world.now())
export const imageRecover = statusChange('image.recover', ['Deleted'], 'Ready', () => null)

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
  check: (i) => statusIs(i, ['Deleted']),
}
