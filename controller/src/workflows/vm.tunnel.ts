/**
 * Access to a TCP port of a guest: the agent of its network's router learns the hash of a one-time token, and where it leads. The
 * token itself follows from the job and the site's key, is told when the job has ended, and is in no log.
 */
import { hashOfSecret } from '@skerry/console/token'
import { type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { routerOf } from '../desired/router.ts'
import { input } from './input.ts'
import { CONSOLE_TOKEN_MS, toldAgent } from './vm.console.ts'
import { type Action, type Ctx, type EndCtx, type Input, need, type World } from './world.ts'

export const tunnelTargetSchema = toldAgent.extend({ l3NetworkUuid: z.string(), address: z.string() })
export type TunnelTarget = z.infer<typeof tunnelTargetSchema>

/** Which router leads to the guest, and to which address of it. Throws why there is no way. */
export function tunnelTarget(graph: Graph, params: Row): TunnelTarget {
  const vm = need(graph, 'vmInstance', params['vmInstanceUuid'])
  const uuid = vm['uuid'] as string
  if (vm['state'] !== 'Running')
    throw new SkerryError('vm-illegal-state', `VM instance ${vm['name']} is ${vm['state']}: only a running one can be reached`, {
      ...{ uuid, state: vm['state'], allowed: ['Running'], remedy: `skerry start vm ${vm['name']} --wait` },
    })
  const asked = params['vmNicUuid']
  const nics = [...graph.by('vmNic', 'vmInstanceUuid', uuid)].map((key) => graph.get('vmNic', key)!)
  const wanted = nics.filter((nic) => asked === undefined || nic['uuid'] === asked).sort((a, b) => deviceOf(a) - deviceOf(b))
  if (asked !== undefined && wanted.length === 0)
    throw new SkerryError('not-found', `VM instance ${vm['name']} has no card ${String(asked)}`, {
      resource: 'vmNic',
      uuid: asked,
    })
  for (const { ip, l3NetworkUuid } of wanted) {
    const agentUuid = graph.get('l3Network', l3NetworkUuid as string)?.['routerAgentUuid']
    if (typeof agentUuid === 'string' && typeof ip === 'string' && graph.get('agent', agentUuid))
      // of a VPC network: whose router serves it
      return { agentUuid, l3NetworkUuid: routerOf(graph, l3NetworkUuid as string), address: ip }
  }
  throw new SkerryError('illegal-state', `no network of VM instance ${vm['name']} has a router of ours to reach it through`, {
    ...{ uuid, remedy: 'attach a network service (DHCP, DNS or SNAT) to its network, or connect from where its network is' },
  })
}

const deviceOf = (nic: Readonly<Row>) => Number(nic['deviceId'] ?? 0)

export const vmTunnel: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'vm.tunnel',
    version: 1,
    input,
    steps: [
      {
        name: 'allow',
        noUndo: 'a token that nobody gets expires',
        output: tunnelTargetSchema.nullish(), // one that an earlier version began has none
        do: async (ctx: Ctx) => {
          const { graph, agents, consoleSecret } = ctx.world
          const { params } = ctx.input
          const target = tunnelTarget(graph, params)
          const { agentUuid, l3NetworkUuid, address } = target
          const allowed = {
            ...{ tokenHash: hashOfSecret(consoleSecret(ctx.job)), ttlMs: CONSOLE_TOKEN_MS },
            ...{ address, port: params['port'] as number },
          }
          const command = { noun: 'router', uuid: l3NetworkUuid, verb: 'allow-tunnel', input: allowed }
          await agents.command(agentUuid, { id: ctx.commandId, ...command }, ctx)
          return { output: target }
        },
      },
    ],
    finish: (ctx: EndCtx) => ({ result: { ...ctx.outputs['allow'] } }),
  }),
  check: ({ graph, params }) => void tunnelTarget(graph, params),
}
