/** Creation of what lives only in the graph: one row, guarded. */
import type { Guard, Op, Row } from '@skerry/contract'
import { SkerryError } from '@skerry/contract'
import { defineWorkflow } from '@skerry/workflow'
import { input } from './input.ts'
import { type Action, baseRow, type CheckInput, type Ctx, type Input, need, type World } from './world.ts'

interface Creation {
  /** `zone.create` */
  workflow: string
  table: string
  /** Fields besides the common ones. */
  row(ctx: Ctx): Row
  /** parameter → table of the resource that must exist */
  parents?: Record<string, string>
  check?(input: CheckInput): void
  /** Rows that it is made with. */
  also?(ctx: Ctx): Op[]
}

/** What was made with it, to be taken back. */
const made = (ctx: Ctx, { also }: Creation): Op[] =>
  (also?.(ctx) ?? []).flatMap(({ t, k }): Op[] => (ctx.world.graph.get(t, k) ? [{ o: 'del', t, k }] : []))

export function creation(c: Creation): Action {
  const parents = Object.entries(c.parents ?? {})
  return {
    atOnce: true,
    workflow: defineWorkflow<Input, World>({
      name: c.workflow,
      version: 1,
      input,
      steps: [
        {
          name: 'create',
          do: (ctx: Ctx) => {
            // Repeated after a crash whose commit was recorded: the row is ours already.
            if (ctx.world.graph.get(c.table, ctx.input.uuid)) return {}
            const guards: Guard[] = [
              { g: 'absent', t: c.table, k: ctx.input.uuid },
              ...parents.map(([param, table]): Guard => ({ g: 'exists', t: table, k: ctx.input.params[param] as string })),
            ]
            return {
              change: {
                guards,
                ops: [
                  { o: 'put', t: c.table, k: ctx.input.uuid, v: { ...baseRow(ctx), ...c.row(ctx) } },
                  ...(c.also?.(ctx) ?? []),
                ],
                facts: [{ noun: c.table, uuid: ctx.input.uuid, event: 'created' }],
              },
            }
          },
          undo: (ctx: Ctx) =>
            ctx.world.graph.get(c.table, ctx.input.uuid)
              ? { change: { ops: [...made(ctx, c), { o: 'del' as const, t: c.table, k: ctx.input.uuid }] } }
              : {},
        },
      ],
    }),
    check(i) {
      if (i.graph.get(c.table, i.uuid))
        throw new SkerryError('duplicate-uuid', `a ${c.table} with uuid ${i.uuid} exists`, { uuid: i.uuid })
      for (const [param, table] of parents) need(i.graph, table, i.params[param])
      c.check?.(i)
    },
  }
}
