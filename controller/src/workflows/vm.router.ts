/** Which router serves a VM's networks: one a network, on the host of the first VM that needs it. */
import type { Guard, Op, Row } from '@skerry/contract'
import { SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Step } from '@skerry/workflow'
import { z } from 'zod'
import { agentOn } from '../desired/agents-of.ts'
import { wantsRouter } from '../desired/flat.ts'
import { UPLINKS } from '../desired/uplink.ts'
import { VPC_NETWORK } from './vpc.rows.ts'
import type { Ctx, Input, World } from './world.ts'

const l3sOf = (graph: Graph, vmUuid: string) => [
  ...new Set([...graph.by('vmNic', 'vmInstanceUuid', vmUuid)].map((k) => graph.get('vmNic', k)?.['l3NetworkUuid'] as string)),
]

/**
 * An uplink number that no router of this agent has, looked for from where the network's uuid points: were it the lowest, networks that
 * get their routers on one host at one time would all want the same one, and all but one would have to choose again.
 */
function freeUplink(graph: Graph, agentUuid: string, l3Uuid: string, taken: Set<number>): number {
  const first = Number.parseInt(l3Uuid.slice(0, 8), 16) % UPLINKS
  for (let i = 0; i < UPLINKS; i++) {
    const n = (first + i) % UPLINKS
    if (!taken.has(n) && !graph.get('routerUplink', `${agentUuid}:${n}`)) return n
  }
  throw new SkerryError('no-address', `this host has ${UPLINKS} routers already: no uplink subnet is left`, { agentUuid })
}

type Book = Pick<World, 'graph' | 'now'>

function assign({ graph, now }: Book, l3: Row, agentUuid: string, number: number): { guards: Guard[]; ops: Op[] } {
  const key = l3['uuid'] as string
  const uplink = `${agentUuid}:${number}`
  return {
    // By version, so that a router chosen by somebody else in between is a conflict: the step looks again and takes that one.
    guards: [
      { g: 'version', t: 'l3Network', k: key, seq: graph.version('l3Network', key)! },
      { g: 'absent', t: 'routerUplink', k: uplink },
    ],
    ops: [
      {
        o: 'put',
        t: 'routerUplink',
        k: uplink,
        v: { uuid: uplink, name: uplink, agentUuid, l3NetworkUuid: key, number, createDate: now(), lastOpDate: now() },
      },
      { o: 'set', t: 'l3Network', k: key, v: { routerAgentUuid: agentUuid, routerUplink: number } },
    ],
  }
}

/** Takes the router from a network that got it in this job and that nobody else uses yet. */
function unassign(graph: Graph, l3Uuid: string, vmUuid: string): Op[] {
  const others = [...graph.by('vmNic', 'l3NetworkUuid', l3Uuid)].some((k) => graph.get('vmNic', k)?.['vmInstanceUuid'] !== vmUuid)
  const l3 = graph.get('l3Network', l3Uuid)
  if (!l3 || others || l3['routerAgentUuid'] === null) return []
  return [
    ...[...graph.by('routerUplink', 'l3NetworkUuid', l3Uuid)].map((k): Op => ({ o: 'del', t: 'routerUplink', k })),
    { o: 'set', t: 'l3Network', k: l3Uuid, v: { routerAgentUuid: null, routerUplink: null } },
  ]
}

/** A VPC network has the router that it was given, and gets no other one. Throws `illegal-state` where that is nowhere. */
function choosesRouter(l3: Row): boolean {
  if (l3['type'] !== VPC_NETWORK || !wantsRouter(l3)) return true
  if (l3['routerAgentUuid'] !== null) return false
  throw new SkerryError(
    'illegal-state',
    `network ${l3['name']} is of a VPC and has no router that runs: attach it to a VPC router, and start that`,
    { l3NetworkUuid: l3['uuid'], vpcRouterUuid: l3['vpcRouterUuid'] ?? null },
  )
}

/**
 * Of these networks those that want a router and have none get one on that host: how it is written, and which they are. Throws
 * `agent-absent` where none can be there.
 */
export function routersFor(
  world: Book,
  l3Uuids: readonly string[],
  hostUuid: string,
): { guards: Guard[]; ops: Op[]; assigned: string[] } {
  const { graph } = world
  const open = l3Uuids
    .map((k) => graph.get('l3Network', k)! as Row)
    .filter(choosesRouter)
    .filter((l3) => l3['routerAgentUuid'] === null && wantsRouter(l3))
  if (open.length === 0) return { guards: [], ops: [], assigned: [] }
  const agent = agentOn(graph, hostUuid, 'vrouter')
  if (!agent)
    throw new SkerryError(
      'agent-absent',
      `network ${open[0]!['name']} has services, but host ${graph.get('host', hostUuid)?.['name']} has no agent-vrouter`,
      { hostUuid, l3NetworkUuid: open[0]!['uuid'] },
    )
  const taken = new Set<number>()
  const parts = open.map((l3) => {
    const number = freeUplink(graph, agent, l3['uuid'] as string, taken)
    taken.add(number)
    return assign(world, l3, agent, number)
  })
  const assigned = open.map((l3) => l3['uuid'] as string)
  return { guards: parts.flatMap((p) => p.guards), ops: parts.flatMap((p) => p.ops), assigned }
}

export const chooseRouters: Step<Input, World> = {
  name: 'choose-routers',
  output: z.object({ assigned: z.array(z.string()) }),
  do: (ctx: Ctx) => {
    const { graph } = ctx.world
    const before = (ctx.outputs['choose-routers'] as { assigned: string[] } | undefined)?.assigned ?? []
    const hostUuid = graph.get('vmInstance', ctx.input.uuid)?.['hostUuid'] as string
    const { assigned, guards, ops } = routersFor(ctx.world, l3sOf(graph, ctx.input.uuid), hostUuid)
    if (assigned.length === 0) return { output: { assigned: before } }
    return { output: { assigned: [...before, ...assigned] }, change: { guards, ops } }
  },
  undo: (ctx: Ctx) => {
    const assigned = (ctx.outputs['choose-routers'] as { assigned: string[] } | undefined)?.assigned ?? []
    return { change: { ops: assigned.flatMap((l3) => unassign(ctx.world.graph, l3, ctx.input.uuid)) } }
  },
}
