/** Deletion with everything that hangs on it: check, one commit, then wait for the agents to clean up. */
import { resourceOf, type Row, SkerryError } from '@skerry/contract'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { touched } from '../desired/project.ts'
import { cascadeChange, cascadeOf } from './cascade.ts'
import { input } from './input.ts'
import { sumsWithout } from './storage-parts.ts'
import { type Action, type CheckInput, type Ctx, need } from './world.ts'

/** How long a deletion waits for agents. Their tombstones stay until they are carried out, so an absent agent delays nothing. */
const CLEAN_UP_MS = 30_000

const planned = z.object({ cleanUp: z.array(z.string()), secrets: z.array(z.string()) })

function secretsOf(table: string, row: Row): string[] {
  const hidden = resourceOf(table)?.hidden ?? []
  return hidden.flatMap((field) => {
    const value = row[field] as { $secret?: unknown } | null | undefined
    return typeof value?.$secret === 'string' ? [value.$secret] : []
  })
}

export function deletion(name: string, check?: (input: CheckInput) => void): Action {
  return {
    workflow: defineWorkflow<any, any>({
      name, version: 1, input,
      steps: [
        {
          name: 'delete',
          output: planned,
          noUndo: 'one commit removes the rows, or none: there is nothing half done to take back',
          do: (ctx: Ctx) => {
            const { graph } = ctx.world
            const { table, uuid } = ctx.input
            if (!graph.get(table, uuid)) return { output: ctx.outputs['delete'] ?? { cleanUp: [], secrets: [] } }
            const plan = cascadeOf(graph, table, uuid)
            const change = cascadeChange(graph, plan)
            const gone = plan.order.filter((s) => s.action === 'delete')
            const facts = gone.map((s) => ({ noun: s.table, uuid: (graph.get(s.table, s.key)?.['uuid'] as string | undefined) ?? s.key, event: 'deleted' }))
            const parts = gone.filter((s) => s.table === 'localStorageHost' && !gone.some((g) => g.table === 'primaryStorage' && s.key.startsWith(g.key)))
            const ops = [...change.ops, ...sumsWithout(graph, parts.map((s) => s.key))]
            const secrets = gone.flatMap((s) => secretsOf(s.table, graph.get(s.table, s.key) as Row))
            return { output: { cleanUp: [...touched(change.ops, graph)], secrets }, change: { guards: change.guards, ops, facts } }
          },
        },
        {
          name: 'clean-up',
          noUndo: 'the rows are gone; what agents could not remove yet stays a tombstone until they can',
          do: async (ctx: Ctx) => {
            const { cleanUp, secrets } = ctx.outputs['delete'] as z.infer<typeof planned>
            for (const id of secrets) await ctx.world.secrets.shred(id)
            await ctx.world.agents.gone(cleanUp, Math.min(CLEAN_UP_MS, Math.max(0, ctx.remainingMs())))
          },
        },
      ],
      finish: () => ({ result: {} }),
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
    if (ip['vmNicUuid'] !== null) throw new SkerryError('in-use', `address ${ip['ip']} of this range is in use`, { ip: ip['ip'], vmNicUuid: ip['vmNicUuid'] })
  }
})
