/** A step that only changes rows, and undone puts back what it changed and nothing else. */
import type { Guard, Op, Row } from '@skerry/contract'
import type { Step } from '@skerry/workflow'
import { z } from 'zod'
import type { Ctx, Input, World } from './world.ts'

/** By table and key: the fields as they were, the whole row, or null where there was none. */
const held = z.object({ t: z.string(), k: z.string(), v: z.record(z.string(), z.unknown()).nullable(), whole: z.boolean() })
const output = z.object({ before: z.array(held) })
type Before = z.infer<typeof output>

function heldOf(ctx: Ctx, op: Op): Before['before'][number] {
  const row = ctx.world.graph.get(op.t, op.k) as Row | undefined
  if (op.o !== 'set' || !row) return { t: op.t, k: op.k, v: row ?? null, whole: true }
  return { t: op.t, k: op.k, v: Object.fromEntries(Object.keys(op.v).map((f) => [f, row[f] ?? null])), whole: false }
}

/** `opsOf`: asked again when the step is repeated after a crash, it gives the same or what is left. */
export function rowsStep(name: string, opsOf: (ctx: Ctx) => { ops: Op[]; guards?: Guard[] }): Step<Input, World> {
  return {
    name,
    output,
    do: (ctx: Ctx) => {
      const { ops, guards } = opsOf(ctx)
      const before = (ctx.outputs[name] as Before | undefined)?.before ?? ops.map((op) => heldOf(ctx, op))
      const facts = ops.map(({ t, k, o }) => ({
        noun: t,
        uuid: k,
        event: o === 'del' ? 'deleted' : o === 'put' ? 'created' : 'updated',
      }))
      return { output: { before }, ...(ops.length > 0 ? { change: { ops, facts, ...(guards ? { guards } : {}) } } : {}) }
    },
    undo: (ctx: Ctx) => {
      const { graph } = ctx.world
      const ops = ((ctx.outputs[name] as Before | undefined)?.before ?? []).flatMap(({ t, k, v, whole }): Op[] => {
        if (v === null) return graph.get(t, k) ? [{ o: 'del', t, k }] : []
        if (whole) return [{ o: 'put', t, k, v }]
        return graph.get(t, k) ? [{ o: 'set', t, k, v }] : []
      })
      return ops.length > 0 ? { change: { ops } } : {}
    },
  }
}
