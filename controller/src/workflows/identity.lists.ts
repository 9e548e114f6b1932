/** Which policies hold for whom, who is in a group, which roles bind an account: lists of uuids in a row that already exists. */
import type { Row } from '@skerry/contract'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { input } from './input.ts'
import { type Action, type CheckInput, type Ctx, type Input, need, touch, type World } from './world.ts'

interface List {
  workflow: string
  table: string
  field: string
  /** parameter with one uuid, or with several */
  given: string
  adds: boolean
  /** table of what is named */
  of: string
  /** parameter that names the row, where it isn't the resource of the call */
  row?: string
}

const givenIn = ({ given }: List, params: Row): string[] => {
  const value = params[given] ?? params[`${given}s`]
  return Array.isArray(value) ? value : [value as string]
}

const before = z.object({ before: z.array(z.string()) })

function listChange(list: List): Action {
  const { table, field } = list
  const keyOf = ({ uuid, params }: Pick<CheckInput, 'uuid' | 'params'>) => (list.row ? (params[list.row] as string) : uuid)
  const listNow = (ctx: Ctx) => (need(ctx.world.graph, table, keyOf(ctx.input))[field] as string[] | undefined) ?? []
  const change = {
    name: 'change',
    output: before,
    do: (ctx: Ctx) => {
      const given = givenIn(list, ctx.input.params)
      const now = listNow(ctx)
      const without = now.filter((uuid) => !given.includes(uuid))
      const key = keyOf(ctx.input)
      const guards = list.adds ? given.map((k) => ({ g: 'exists' as const, t: list.of, k })) : []
      const version = ctx.world.graph.version(table, key)!
      return {
        output: { before: ctx.outputs['change']?.before ?? now },
        change: {
          guards: [{ g: 'version' as const, t: table, k: key, seq: version }, ...guards],
          ops: [touch(ctx, table, key, { [field]: list.adds ? [...without, ...given] : without })],
          facts: [{ noun: table, uuid: key, event: 'updated' }],
        },
      }
    },
    undo: (ctx: Ctx) => {
      const old = (ctx.outputs['change'] as z.infer<typeof before> | undefined)?.before
      const k = keyOf(ctx.input)
      return old && ctx.world.graph.get(table, k)
        ? { change: { ops: [{ o: 'set' as const, t: table, k, v: { [field]: old } }] } }
        : {}
    },
  }
  return {
    workflow: defineWorkflow<Input, World>({ name: list.workflow, version: 1, input, steps: [change] }),
    queueKey: (given) => keyOf(given),
    check(i) {
      need(i.graph, table, keyOf(i))
      if (list.adds) for (const uuid of givenIn(list, i.params)) need(i.graph, list.of, uuid)
    },
  }
}

const both = (name: (adds: boolean) => string, rest: Omit<List, 'workflow' | 'adds'>): Action[] =>
  [true, false].map((adds) => listChange({ ...rest, workflow: name(adds), adds }))

const policiesOf = (table: string) =>
  both((adds) => `${table}.${adds ? 'attach' : 'detach'}Policies`, {
    table,
    field: 'policyUuids',
    given: 'policyUuid',
    of: 'policy',
  })

export const identityLists: readonly Action[] = [
  ...policiesOf('user'),
  ...policiesOf('userGroup'),
  ...policiesOf('role'),
  ...both((adds) => `userGroup.${adds ? 'add' : 'remove'}User`, {
    table: 'userGroup',
    field: 'userUuids',
    given: 'userUuid',
    of: 'user',
  }),
  ...both((adds) => `account.${adds ? 'attach' : 'detach'}Role`, {
    ...{ table: 'account', field: 'roleUuids', given: 'roleUuid', of: 'role', row: 'accountUuid' },
  }),
]
