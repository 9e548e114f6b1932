/** Patterns of tags: made, changed, put on resources and taken off. Each time one is put on a resource it is a user tag of its own. */
import { type Row, resources, SkerryError } from '@skerry/contract'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { checkOtherValue, checkPattern, needPattern, wornText } from '../engine/tag-patterns.ts'
import { tagRow, typeOfUuid } from '../engine/tags.ts'
import { render } from '../inventory/index.ts'
import { input } from './input.ts'
import { creation } from './resource.create.ts'
import { resourceUpdating } from './resource.update.ts'
import { type Action, type CheckInput, type Ctx, derivedId, type EndCtx, type Input, need, type World } from './world.ts'

const tagPatternCreate = creation({
  workflow: 'tagPattern.create',
  table: 'tagPattern',
  row: ({ input: { params } }) => ({
    value: params['value'],
    color: params['color'] || null,
    type: params['type'] ?? 'simple',
  }),
  check: ({ params }) => checkPattern((params['type'] as string | undefined) ?? 'simple', params['value'] as string),
})

const tagPatternUpdate = resourceUpdating('tagPattern.update', {
  also: () => ({}),
  check({ graph, uuid, params }) {
    const pattern = needPattern(graph, uuid)
    const value = params['value'] as string | undefined
    if (value !== undefined) checkOtherValue(pattern, value)
  },
})

interface Wearing {
  tagUuid: string
  resourceUuids: string[]
  tokens?: Record<string, string>
}

/** The user tag of these words on a resource: its key, if it is there. Throws where the same words are there as another tag. */
function worn(graph: CheckInput['graph'], tagUuid: string, resourceUuid: string, tag: string): string | undefined {
  for (const key of graph.by('tag', 'resourceUuid', resourceUuid)) {
    const row = graph.get('tag', key)!
    if (row['type'] !== 'User' || row['tag'] !== tag) continue
    if (row['tagPatternUuid'] === tagUuid) return key
    const message = `resource ${resourceUuid} has the user tag ${tag} already, and not from this pattern`
    throw new SkerryError('duplicate-name', message, { field: 'resourceUuids', tagUuid: key })
  }
  return undefined
}

function checkWearing({ graph, params }: Pick<CheckInput, 'graph' | 'params'>): string {
  const { tagUuid, resourceUuids, tokens } = params as unknown as Wearing
  const tag = wornText(needPattern(graph, tagUuid), tokens, 'tokens')
  for (const uuid of resourceUuids) {
    typeOfUuid(graph, uuid)
    worn(graph, tagUuid, uuid, tag)
  }
  return tag
}

const keys = z.object({ keys: z.array(z.string()) })

function attach(ctx: Ctx) {
  const { graph, now } = ctx.world
  const done = ctx.outputs['attach'] as z.infer<typeof keys> | undefined
  if (done) return { output: done }
  const tag = checkWearing({ graph, params: ctx.input.params })
  const { tagUuid, resourceUuids } = ctx.input.params as unknown as Wearing
  const made = [...new Set(resourceUuids)].map((resourceUuid, i) => {
    const uuid = derivedId(ctx, `tag-${i}`)
    const old = worn(graph, tagUuid, resourceUuid, tag)
    const of = { uuid, resourceUuid, resourceType: typeOfUuid(graph, resourceUuid), tag, kind: 'User' as const }
    return { key: old ?? uuid, op: tagRow({ ...of, tagPatternUuid: tagUuid }, now()), resourceUuid, isNew: old === undefined }
  })
  const fresh = made.filter(({ isNew }) => isNew)
  return {
    output: { keys: made.map(({ key }) => key) },
    change: {
      guards: [{ g: 'exists' as const, t: 'tagPattern', k: tagUuid }],
      ops: fresh.map(({ op }) => op),
      facts: fresh.map(({ key, resourceUuid }) => ({ noun: 'userTag', uuid: key, event: 'created', data: { resourceUuid } })),
    },
  }
}

/** Tags that this job has made, and only those: what was on a resource before stays. */
function unattach(ctx: Ctx) {
  const { resourceUuids } = ctx.input.params as unknown as Wearing
  const mine = resourceUuids.map((_, i) => derivedId(ctx, `tag-${i}`)).filter((k) => ctx.world.graph.get('tag', k))
  return { change: { ops: mine.map((k) => ({ o: 'del' as const, t: 'tag', k })) } }
}

function attached(ctx: EndCtx): { result: Row } {
  const { graph } = ctx.world
  const inventories = (ctx.outputs['attach'] as z.infer<typeof keys>).keys.map((key) => need(graph, 'tag', key))
  const results = inventories.map((row) => ({ inventory: render(graph, resources.userTag, row), success: true }))
  return { result: { success: true, results } }
}

/** One call after another on a pattern, so that none is put on a resource twice. */
const queueKey = ({ params }: Input) => params['tagUuid'] as string

const tagPatternAttach: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'tagPattern.attach',
    version: 1,
    input,
    steps: [{ name: 'attach', output: keys, do: attach, undo: unattach }],
    finish: attached,
  }),
  check: (i) => void checkWearing(i),
  queueKey,
}

function taken(ctx: EndCtx) {
  const { tagUuid, resourceUuids } = ctx.input.params as unknown as Wearing
  const { graph } = ctx.world
  const gone = [...graph.by('tag', 'tagPatternUuid', tagUuid)]
    .map((key) => graph.get('tag', key)!)
    .filter((row) => resourceUuids.includes(row['resourceUuid'] as string))
  return {
    change: {
      ops: gone.map((row) => ({ o: 'del' as const, t: 'tag', k: row['uuid'] as string })),
      facts: gone.map((row) => ({
        ...{ noun: 'userTag', uuid: row['uuid'] as string, event: 'deleted' },
        data: { resourceUuid: row['resourceUuid'] as string },
      })),
    },
  }
}

const tagPatternDetach: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'tagPattern.detach',
    version: 1,
    input,
    steps: [
      {
        name: 'check',
        noUndo: 'it only looks',
        do: (ctx: Ctx) => void needPattern(ctx.world.graph, ctx.input.params['tagUuid'] as string),
      },
    ],
    finish: taken,
  }),
  check: ({ graph, params }) => void needPattern(graph, params['tagUuid'] as string),
  queueKey,
}

export const tagPatterns: readonly Action[] = [tagPatternCreate, tagPatternUpdate, tagPatternAttach, tagPatternDetach]
