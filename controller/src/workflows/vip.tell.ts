/** A job about a VIP ends when its router has it so: what was taken away is out of reach by then. */
import type { Step } from '@skerry/workflow'
import { flatDocuments } from './flat.ts'
import type { Ctx, Input, World } from './world.ts'

/** How long a router that should give something up is waited for; its tombstone waits on. */
const GONE_MS = 30_000

/** The VIP that a call is about. */
export function vipOfCall({ world: { graph }, input }: Pick<Ctx, 'world' | 'input'>): string {
  if (input.table === 'vip') return input.uuid
  return (graph.get(input.table, input.uuid)?.['vipUuid'] ?? input.params['vipUuid']) as string
}

export const tellRouter: Step<Input, World> = {
  name: 'tell-router',
  noUndo: 'the router follows the rows',
  optional: 'the call answers before the router has it',
  do: async (ctx: Ctx) => {
    const { graph, agents } = ctx.world
    const uuid = vipOfCall(ctx)
    const served = graph.get('vip', uuid)?.['servedL3Uuid']
    await agents.converge([...(served ? [`router/${served}`, ...flatDocuments(ctx.world, served)] : []), `vip/${uuid}`], ctx)
    await agents.gone([`vip/${uuid}`], GONE_MS)
  },
}
