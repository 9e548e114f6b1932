/** L2 network → bridge on every host of the attached clusters. */
import { bridgeName, type kvmDesired, type Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { agentsOfClusters, clustersOfHost } from './agents-of.ts'
import type { Projection } from './projection.ts'

const ofCluster = (graph: Graph, clusterUuid: string) => [...graph.by('l2Network', 'attachedClusterUuids', clusterUuid)]

export const bridges: Projection = {
  noun: 'bridge',
  kind: 'kvm',
  touchedBy: {
    l2Network: (row) => [row['uuid'] as string],
    host: (row, graph) => ofCluster(graph, row['clusterUuid'] as string),
    agent: (row, graph) => clustersOfHost(graph, row['hostUuid']).flatMap((c) => ofCluster(graph, c)),
  },
  agents: (graph, uuid) =>
    agentsOfClusters(graph, (graph.get('l2Network', uuid)?.['attachedClusterUuids'] as string[] | undefined) ?? [], 'kvm'),
  spec(graph, uuid): Row {
    const physical = graph.get('l2Network', uuid)!['physicalInterface'] as string
    const spec: kvmDesired.BridgeSpec = {
      name: bridgeName(uuid),
      physicalInterface: physical === 'none' ? null : physical,
      mtu: null,
    }
    return spec
  },
}
