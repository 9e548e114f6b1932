/** Tagging a resource: rows of the graph, guarded by the resource that they are on. */
import type { Change, Row } from '@skerry/contract'
import { resourceOf } from '@skerry/contract'
import { defineWorkflow, type Step } from '@skerry/workflow'
import { checkNewTag, checkSystemTag, type TagKind, tableOfType, tagRow } from '../engine/tags.ts'
import { render } from '../inventory/index.ts'
import { input } from './input.ts'
import { type Action, type CheckInput, type Ctx, derivedId, type EndCtx, type Input, need, type World } from './world.ts'

const kindOf = (table: string): TagKind => (table === 'systemTag' ? 'System' : 'User')
const tagsOf = (params: Row) => [...new Set((params['tags'] as string[] | undefined) ?? [params['tag'] as string])]

/** What is wrong with a call that tags. */
function check({ graph, params, table }: CheckInput): void {
  const on = tableOfType(params['resourceType'] as string)
  need(graph, on, params['resourceUuid'])
  for (const tag of tagsOf(params)) {
    if (kindOf(table) === 'System') checkSystemTag(on, tag, params['tags'] === undefined ? 'tag' : 'tags', graph)
    checkNewTag(graph, { resourceUuid: params['resourceUuid'] as string, kind: kindOf(table), tag })
  }
}

/** Ids of the new tags: the call's own uuid where it makes one. */
const idsOf = (ctx: EndCtx): string[] =>
  ctx.input.params['tags'] === undefined
    ? [ctx.input.uuid]
    : tagsOf(ctx.input.params).map((_, i) => derivedId(ctx as Ctx, `tag-${i}`))

function create(ctx: Ctx): { change?: Change } {
  const { graph, now } = ctx.world
  const ids = idsOf(ctx)
  // Repeated after a crash whose commit was recorded: the rows are ours already.
  if (ids.every((id) => graph.get('tag', id))) return {}
  const { params, table } = ctx.input
  check({ graph, params, table, uuid: ctx.input.uuid })
  const { resourceUuid, resourceType } = params as { resourceUuid: string; resourceType: string }
  const tags = tagsOf(params)
  return {
    change: {
      guards: [{ g: 'exists', t: tableOfType(resourceType), k: resourceUuid }],
      ops: ids.map((uuid, i) => tagRow({ uuid, resourceUuid, resourceType, tag: tags[i]!, kind: kindOf(table) }, now())),
      facts: ids.map((uuid) => ({ noun: table, uuid, event: 'created', data: { resourceUuid } })),
    },
  }
}

const step: Step<Input, World> = {
  name: 'create',
  do: create,
  undo: (ctx: Ctx) => ({
    change: {
      ops: idsOf(ctx).flatMap((k) => (ctx.world.graph.get('tag', k) ? [{ o: 'del' as const, t: 'tag', k }] : [])),
    },
  }),
}

/** One call after another on a resource, so that two of them can't both find a tag missing. */
const queueKey = ({ params }: Input) => params['resourceUuid'] as string

export const tagCreate: Action = {
  atOnce: true,
  workflow: defineWorkflow<Input, World>({ name: 'tag.create', version: 1, input, steps: [step] }),
  check,
  queueKey,
}

export const tagCreateMany: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'tag.createMany',
    version: 1,
    input,
    steps: [step],
    finish: (ctx) => {
      const rows = idsOf(ctx).map((id) => need(ctx.world.graph, 'tag', id))
      const of = resourceOf(ctx.input.table)!
      return { result: { inventories: rows.map((row) => render(ctx.world.graph, of, row)) } }
    },
  }),
  check,
  queueKey,
}
