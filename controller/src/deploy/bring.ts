/** Agents at an address, and how they get there when something is added at it. */
import type { AgentKind } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Ctx } from '../workflows/world.ts'

/** uuids of the agents of that kind that enrolled from there. */
export const agentsAt = (graph: Graph, address: string, kind: AgentKind): string[] =>
  [...graph.by('agent', 'managementIp', address)].filter((k) => graph.get('agent', k)?.['kind'] === kind)

/** Brings agents to where the deploy strategy can and none of that kind is; elsewhere they have to be enrolled before. May be repeated. */
export async function bringAgents({ world }: Ctx, address: string, kind: AgentKind): Promise<void> {
  if (world.deploy?.covers(address) && agentsAt(world.graph, address, kind).length === 0) await world.deploy.bring(address)
}
