/**
 * Access to a console: the agent of the VM's host learns the hash of a one-time token. The token itself follows from the job and
 * the site's key, is told when the job has ended, and is in no log.
 */
import { hashOfSecret } from '@skerry/console/token'
import { SkerryError } from '@skerry/contract'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { agentOn } from '../desired/agents-of.ts'
import { input } from './input.ts'
import { type Action, type Ctx, type EndCtx, type Input, need, type World } from './world.ts'

/** Whom a job has told of its token: recorded as its result, for by the time it is asked for, the VM may be elsewhere or gone. */
export const toldAgent = z.object({ agentUuid: z.string() })

/** ZStack's console.vnc.token.timeout is 30 min; ours is for one use, at once. */
export const CONSOLE_TOKEN_MS = 60_000

export const vmConsole: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'vm.console',
    version: 2,
    input,
    steps: [
      {
        name: 'allow',
        noUndo: 'a token that nobody gets expires',
        output: toldAgent.nullish(), // one that an earlier version began has none
        do: async (ctx: Ctx) => {
          const { graph, agents, consoleSecret } = ctx.world
          const vm = need(graph, 'vmInstance', ctx.input.params['vmInstanceUuid'])
          const uuid = vm['uuid'] as string
          const agent = vm['state'] === 'Running' ? agentOn(graph, vm['hostUuid'] as string, 'kvm') : undefined
          if (!agent)
            throw new SkerryError(
              'vm-illegal-state',
              `VM instance ${vm['name']} is ${vm['state']}: only a running one has a console`,
              { uuid, state: vm['state'], allowed: ['Running'] },
            )
          const allowed = { tokenHash: hashOfSecret(consoleSecret(ctx.job)), ttlMs: CONSOLE_TOKEN_MS }
          await agents.command(agent, { id: ctx.commandId, noun: 'vm', uuid, verb: 'allow-console', input: allowed }, ctx)
          return { output: { agentUuid: agent } }
        },
      },
    ],
    finish: (ctx: EndCtx) => ({ result: { ...ctx.outputs['allow'] } }),
  }),
  check: ({ graph, params }) => void need(graph, 'vmInstance', params['vmInstanceUuid']),
}
