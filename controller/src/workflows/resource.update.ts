/** Changes of plain fields: name, description and what the API's parameters name. Undone by writing back what was there. */
import type { Row } from '@skerry/contract'
import { resourceOf, SkerryError } from '@skerry/contract'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { input } from './input.ts'
import { type Action, type Ctx, type Input, need, touch, type World } from './world.ts'

/** Parameters that are fields of the resource; path variables and tags are not. */
function changes(ctx: Ctx): Row {
  const fields = { name: true, description: true, ...resourceOf(ctx.input.table)?.fields } as Row
  return Object.fromEntries(Object.entries(ctx.input.params).filter(([k, v]) => k in fields && v !== undefined && k !== 'uuid'))
}

const before = z.object({ before: z.record(z.string(), z.unknown()) })

/** A secret parameter is recorded only as a reference, so by now it is one; the old value is shredded when the job has ended. */
const step = {
  name: 'update',
  output: before,
  do: (ctx: Ctx) => {
    const row = need(ctx.world.graph, ctx.input.table, ctx.input.uuid)
    const set = changes(ctx)
    const old =
      (ctx.outputs['update'] as z.infer<typeof before> | undefined)?.before ??
      Object.fromEntries(Object.keys(set).map((k) => [k, row[k] ?? null]))
    const facts = [{ noun: ctx.input.table, uuid: ctx.input.uuid, event: 'updated' }]
    return { output: { before: old }, change: { ops: [touch(ctx, ctx.input.table, ctx.input.uuid, set)], facts } }
  },
  undo: (ctx: Ctx) => {
    const old = (ctx.outputs['update'] as z.infer<typeof before> | undefined)?.before
    return old && ctx.world.graph.get(ctx.input.table, ctx.input.uuid)
      ? { change: { ops: [{ o: 'set' as const, t: ctx.input.table, k: ctx.input.uuid, v: old }] } }
      : {}
  },
}

export const resourceUpdate: Action = {
  workflow: defineWorkflow<Input, World>({ name: 'resource.update', version: 1, input, steps: [step] }),
  check: ({ graph, table, uuid }) => void need(graph, table, uuid),
}

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
