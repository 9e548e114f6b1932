/** Attaching: a uuid goes into a list field of the resource, then agents make what follows from it. */
import type { Change, Row } from '@skerry/contract'
import { SkerryError } from '@skerry/contract'
import { defineWorkflow, type Step } from '@skerry/workflow'
import { z } from 'zod'
import { input } from './input.ts'
import { type Action, type CheckInput, type Ctx, type Input, need, touch, type World } from './world.ts'

interface Attachment {
  workflow: string
  /** the resource that holds the list */
  table: string
  field: string
  /** parameters that name the resource and the other end */
  self: string
  other: string
  otherTable: string
  check?(input: CheckInput): void
  /** steps after the list has changed */
  steps?: readonly Step<Input, World>[]
}

const list = (row: Row, field: string) => row[field] as string[]

/** The change of the list and how to take it back; `was` in the output says whether there is anything to take back. */
function listStep(a: Attachment, add: boolean): Step<Input, World> {
  const write = (ctx: Ctx, on: boolean): Change | undefined => {
    const self = ctx.world.graph.get(a.table, ctx.input.params[a.self] as string) as Row | undefined
    const other = ctx.input.params[a.other] as string
    if (!self || list(self, a.field).includes(other) === on) return undefined
    const next = on ? [...list(self, a.field), other] : list(self, a.field).filter((u) => u !== other)
    const key = self['uuid'] as string
    const exists = on ? [{ g: 'exists' as const, t: a.otherTable, k: other }] : []
    return {
      guards: [{ g: 'version', t: a.table, k: key, seq: ctx.world.graph.version(a.table, key)! }, ...exists],
      ops: [touch(ctx, a.table, key, { [a.field]: next })],
      facts: [{ noun: a.table, uuid: key, event: on ? 'attached' : 'detached', data: { [a.other]: other } }],
    }
  }
  return {
    name: add ? 'attach' : 'detach',
    output: z.object({ changed: z.boolean() }),
    do: (ctx: Ctx) => {
      const change = write(ctx, add)
      const before = (ctx.outputs[add ? 'attach' : 'detach'] as { changed: boolean } | undefined)?.changed ?? false
      return change ? { output: { changed: true }, change } : { output: { changed: before } }
    },
    undo: (ctx: Ctx) => {
      if (!(ctx.outputs[add ? 'attach' : 'detach'] as { changed: boolean } | undefined)?.changed) return {}
      const change = write(ctx, !add)
      return change ? { change } : {}
    },
  }
}

export function attachment(a: Attachment, add: boolean): Action {
  return {
    workflow: defineWorkflow<Input, World>({
      name: a.workflow,
      version: 1,
      input,
      steps: [listStep(a, add), ...((a.steps ?? []) as Step<Input, World>[])],
    }),
    check(i) {
      const self = need(i.graph, a.table, i.params[a.self])
      need(i.graph, a.otherTable, i.params[a.other])
      const attached = list(self, a.field).includes(i.params[a.other] as string)
      if (attached === add)
        throw new SkerryError('illegal-state', `${a.table} ${self['name']} is ${add ? 'already' : 'not'} attached there`, {
          uuid: self['uuid'],
        })
      a.check?.(i)
    },
    queueKey: (i) => i.params[a.self] as string,
  }
}
