/** Changes of plain fields: name, description and what the API's parameters name. Undone by writing back what was there. */
import type { Guard, Row } from '@skerry/contract'
import { resourceOf, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { secretIds } from '../engine/secret-params.ts'
import { input } from './input.ts'
import { type Action, type Ctx, type EndCtx, type Input, need, touch, type World } from './world.ts'

/** What follows from these parameters besides. */
type Also = (params: Row, graph: Graph) => Row
/** What must still be so when the row is changed. `set`: its new fields. */
type Guards = (row: Readonly<Row>, set: Readonly<Row>) => Guard[]

/** Parameters that are fields of the resource; path variables and tags are not. */
function changes(ctx: Ctx, also: Also): Row {
  const fields = { name: true, description: true, ...resourceOf(ctx.input.table)?.fields } as Row
  const own = Object.entries(ctx.input.params).filter(([k, v]) => k in fields && v !== undefined && k !== 'uuid')
  return { ...Object.fromEntries(own), ...also(ctx.input.params, ctx.world.graph) }
}

const before = z.object({ before: z.record(z.string(), z.unknown()) })

/** A secret parameter is recorded only as a reference, so by now it is one; the old value is shredded when the job has ended. */
const updating = (also: Also, guards: Guards) => ({
  name: 'update',
  output: before,
  do: (ctx: Ctx) => {
    const row = need(ctx.world.graph, ctx.input.table, ctx.input.uuid)
    const set = changes(ctx, also)
    const old =
      (ctx.outputs['update'] as z.infer<typeof before> | undefined)?.before ??
      Object.fromEntries(Object.keys(set).map((k) => [k, row[k] ?? null]))
    const facts = [{ noun: ctx.input.table, uuid: ctx.input.uuid, event: 'updated' }]
    return {
      output: { before: old },
      change: { guards: guards(row, set), ops: [touch(ctx, ctx.input.table, ctx.input.uuid, set)], facts },
    }
  },
  undo: (ctx: Ctx) => {
    const old = (ctx.outputs['update'] as z.infer<typeof before> | undefined)?.before
    return old && ctx.world.graph.get(ctx.input.table, ctx.input.uuid)
      ? { change: { ops: [{ o: 'set' as const, t: ctx.input.table, k: ctx.input.uuid, v: old }] } }
      : {}
  },
})

/** What the update replaced can't be asked for any more, so its values go. */
function finish(ctx: EndCtx): { result: Row } {
  const { before: old } = ctx.outputs['update'] as z.infer<typeof before>
  return { result: { shred: secretIds(old) } }
}

export const resourceUpdating = (
  name: string,
  { also, check, guards = () => [] }: { also: Also; check: NonNullable<Action['check']>; guards?: Guards },
): Action => ({
  workflow: defineWorkflow<Input, World>({ name, version: 1, input, steps: [updating(also, guards)], finish }),
  check,
})

export const resourceUpdate = resourceUpdating('resource.update', {
  also: () => ({}),
  check: ({ graph, table, uuid }) => void need(graph, table, uuid),
})

export const resourceChangeState: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'resource.changeState',
    version: 1,
    input,
    steps: [
      {
        name: 'change-state',
        output: z.object({ from: z.string(), to: z.string() }),
        do: (ctx: Ctx) => {
          const { table, uuid } = ctx.input
          const { from, to } =
            ctx.outputs['change-state'] ??
            nextState(need(ctx.world.graph, table, uuid), table, ctx.input.params['stateEvent'] as string)
          return {
            output: { from, to },
            change: {
              guards: [{ g: 'field', t: table, k: uuid, field: 'state', in: [from, to] }],
              ops: [touch(ctx, table, uuid, { state: to })],
              facts: [{ noun: table, uuid, event: 'state-changed', data: { from, to } }],
            },
          }
        },
        undo: (ctx: Ctx) => {
          const done = ctx.outputs['change-state'] as { from: string } | undefined
          return done && ctx.world.graph.get(ctx.input.table, ctx.input.uuid)
            ? { change: { ops: [{ o: 'set' as const, t: ctx.input.table, k: ctx.input.uuid, v: { state: done.from } }] } }
            : {}
        },
      },
    ],
  }),
  check: ({ graph, table, uuid, params }) => void nextState(need(graph, table, uuid), table, params['stateEvent'] as string),
}

/** From the resource's own state table; an event with no row is refused, naming the states that have one. */
export function nextState(row: Row, table: string, event: string): { from: string; to: string } {
  const states = resourceOf(table)?.states
  const from = row[states?.field ?? 'state'] as string
  const to = states?.table[from]?.[event]
  if (!states || !to) {
    const allowed = Object.entries(states?.table ?? {})
      .filter(([, events]) => event in events)
      .map(([state]) => state)
    throw new SkerryError(
      table === 'vmInstance' ? 'vm-illegal-state' : 'illegal-state',
      `${table} ${row['name']} is ${from}: '${event}' is not possible`,
      { uuid: row['uuid'], state: from, allowed },
    )
  }
  return { from, to }
}
