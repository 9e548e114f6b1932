/** Which agents serve which hosts. Pure look-ups. */
import type { AgentKind } from '@skerry/contract'
import type { Graph } from '@skerry/graph'

/** The agent of a kind on a host. */
export function agentOn(graph: Graph, hostUuid: string | null | undefined, kind: AgentKind): string | undefined {
  if (!hostUuid) return undefined
  for (const key of graph.by('agent', 'hostUuid', hostUuid)) if (graph.get('agent', key)?.['kind'] === kind) return key
  return undefined
}

/** Agents of a kind on every host of the clusters. */
export function agentsOfClusters(graph: Graph, clusterUuids: readonly string[], kind: AgentKind): string[] {
  const found: string[] = []
  for (const clusterUuid of clusterUuids) {
    for (const hostUuid of graph.by('host', 'clusterUuid', clusterUuid)) {
      const agent = agentOn(graph, hostUuid, kind)
      if (agent) found.push(agent)
    }
  }
  return found.sort()
}

/** Documents that depend on which agents a host has, and which hosts a cluster has. */
export function clustersOfHost(graph: Graph, hostUuid: unknown): string[] {
  const cluster = typeof hostUuid === 'string' ? graph.get('host', hostUuid)?.['clusterUuid'] : undefined
  return typeof cluster === 'string' ? [cluster] : []
}
