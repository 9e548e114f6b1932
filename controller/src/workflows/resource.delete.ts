/** Deletion with everything that hangs on it: check, then one commit; agents clean up afterwards. */
import { type Change, type Row, resourceOf, SkerryError } from '@skerry/contract'
import { defineWorkflow } from '@skerry/workflow'
import { touched } from '../desired/project.ts'
import { cascadeChange, cascadeOf } from './cascade.ts'
import { input } from './input.ts'
import { sumsWithout } from './storage-parts.ts'
import { type Action, afterwards, type CheckInput, type Ctx, type EndCtx, type Input, need, type World } from './world.ts'

function secretsOf(table: string, row: Row): string[] {
  const hidden = resourceOf(table)?.hidden ?? []
  return hidden.flatMap((field) => {
    const value = row[field] as { $secret?: unknown } | null | undefined
    return typeof value?.$secret === 'string' ? [value.$secret] : []
  })
}

/** The one commit that deletes, and what follows from it for agents and secrets. */
function removal(ctx: EndCtx): { change?: Change; result: Row } {
  const { graph } = ctx.world
  const { table, uuid } = ctx.input
  const plan = cascadeOf(graph, table, uuid)
  const { guards, ops } = cascadeChange(graph, plan)
  const gone = plan.order.filter((s) => s.action === 'delete')
  const facts = gone.map((s) => ({
    noun: s.table,
    uuid: (graph.get(s.table, s.key)?.['uuid'] as string | undefined) ?? s.key,
    event: 'deleted',
  }))
  const parts = gone.filter(
    (s) => s.table === 'localStorageHost' && !gone.some((g) => g.table === 'primaryStorage' && s.key.startsWith(g.key)),
  )
  const shred = gone.flatMap((s) => secretsOf(s.table, graph.get(s.table, s.key) as Row))
  return {
    change: {
      guards,
      ops: [
        ...ops,
        ...sumsWithout(
          graph,
          parts.map((s) => s.key),
        ),
      ],
      facts,
    },
    result: { ...afterwards([...touched(ops, graph)]), shred },
  }
}

export function deletion(name: string, check?: (input: CheckInput) => void): Action {
  return {
    workflow: defineWorkflow<Input, World>({
      name,
      version: 1,
      input,
      steps: [
        {
          name: 'check',
          noUndo: 'it only looks',
          do: (ctx: Ctx) => void cascadeOf(ctx.world.graph, ctx.input.table, ctx.input.uuid),
        },
      ],
      // The end of the job is the deletion: one commit, so there is never half of it to take back.
      finish: removal,
    }),
    check(i) {
      need(i.graph, i.table, i.uuid)
      check?.(i)
      cascadeOf(i.graph, i.table, i.uuid)
    },
  }
}

export const resourceDelete = deletion('resource.delete')
/** Named apart because they reach hosts; the mechanism is one. */
export const hostDelete = deletion('host.delete')
export const primaryStorageDelete = deletion('primaryStorage.delete')
export const backupStorageDelete = deletion('backupStorage.delete')
export const l3NetworkDelete = deletion('l3Network.delete')
export const ipRangeDelete = deletion('ipRange.delete', ({ graph, uuid }) => {
  for (const key of graph.by('usedIp', 'ipRangeUuid', uuid)) {
    const ip = graph.get('usedIp', key)!
    if (ip['vmNicUuid'] !== null)
      throw new SkerryError('in-use', `address ${ip['ip']} of this range is in use`, { ip: ip['ip'], vmNicUuid: ip['vmNicUuid'] })
  }
})
