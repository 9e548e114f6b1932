/** Changing and deleting a tag. One that is inherent says what its resource is: it goes with that, and by no call. */
import { type Row, SkerryError } from '@skerry/contract'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { checkNewTag, checkSystemTag, tableOfType } from '../engine/tags.ts'
import { input } from './input.ts'
import { type Action, type CheckInput, type Ctx, type EndCtx, type Input, need, touch, type World } from './world.ts'

function needFree(i: Pick<CheckInput, 'graph' | 'uuid'>, doing: string): Row {
  const row = need(i.graph, 'tag', i.uuid)
  if (row['inherent'])
    throw new SkerryError('illegal-state', `tag ${row['tag']} is inherent: it can't be ${doing}`, { uuid: i.uuid })
  return row
}

function checkUpdate(i: CheckInput): void {
  const row = needFree(i, 'changed') as { resourceUuid: string; resourceType: string; type: string }
  const tag = i.params['tag'] as string
  checkSystemTag(tableOfType(row.resourceType), tag, 'tag', i.graph)
  checkNewTag(i.graph, { resourceUuid: row.resourceUuid, kind: 'System', tag, except: i.uuid })
}

const before = z.object({ tag: z.string() })
const asCheck = ({ world, input }: Ctx): CheckInput => ({
  graph: world.graph,
  params: input.params,
  uuid: input.uuid,
  table: input.table,
})

export const tagUpdate: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'tag.update',
    version: 1,
    input,
    steps: [
      {
        name: 'update',
        output: before,
        do: (ctx: Ctx) => {
          checkUpdate(asCheck(ctx))
          const { uuid, params, table } = ctx.input
          const old = (ctx.outputs['update'] as z.infer<typeof before> | undefined)?.tag
          return {
            output: { tag: old ?? (need(ctx.world.graph, 'tag', uuid)['tag'] as string) },
            change: {
              ops: [touch(ctx, 'tag', uuid, { tag: params['tag'] })],
              facts: [{ noun: table, uuid, event: 'updated' }],
            },
          }
        },
        undo: (ctx: Ctx) => {
          const old = ctx.outputs['update'] as z.infer<typeof before> | undefined
          return old && ctx.world.graph.get('tag', ctx.input.uuid)
            ? { change: { ops: [{ o: 'set' as const, t: 'tag', k: ctx.input.uuid, v: { tag: old.tag } }] } }
            : {}
        },
      },
    ],
  }),
  check: checkUpdate,
  queueKey: ({ uuid }) => uuid,
}

/** ZStack deletes a pattern by the same call as a tag. */
const checkDelete = (i: Pick<CheckInput, 'graph' | 'uuid'>): void =>
  void (i.graph.get('tagPattern', i.uuid) ?? needFree(i, 'deleted'))

/** User tags that were made of it go in the same commit (engine/state.ts). */
const patternGone = (uuid: string) => ({
  change: {
    ops: [{ o: 'del' as const, t: 'tagPattern', k: uuid }],
    facts: [{ noun: 'tagPattern', uuid, event: 'deleted' }],
  },
})

export const tagDelete: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'tag.delete',
    version: 1,
    input,
    steps: [
      {
        name: 'check',
        noUndo: 'it only looks',
        do: (ctx: Ctx) => checkDelete({ graph: ctx.world.graph, uuid: ctx.input.uuid }),
      },
    ],
    finish: (ctx: EndCtx) => {
      const { uuid } = ctx.input
      if (ctx.world.graph.get('tagPattern', uuid)) return patternGone(uuid)
      const row = need(ctx.world.graph, 'tag', uuid)
      const noun = row['type'] === 'System' ? 'systemTag' : 'userTag'
      return {
        change: {
          ops: [{ o: 'del' as const, t: 'tag', k: uuid }],
          facts: [{ noun, uuid, event: 'deleted', data: { resourceUuid: row['resourceUuid'] } }],
        },
      }
    },
  }),
  check: checkDelete,
}
