/** Primary storage → folder on every host of the attached clusters; image store → folder on its own host. */
import type { Row, storageDesired } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { agentsOfClusters, clustersOfHost } from './agents-of.ts'
import type { Projection } from './projection.ts'

const ofCluster = (graph: Graph, clusterUuid: string) => [...graph.by('primaryStorage', 'attachedClusterUuids', clusterUuid)]

export const pools: Projection = {
  noun: 'pool',
  kind: 'storage',
  touchedBy: {
    primaryStorage: (row) => [row['uuid'] as string],
    backupStorage: (row) => [row['uuid'] as string],
    host: (row, graph) => ofCluster(graph, row['clusterUuid'] as string),
    agent: (row, graph) => [
      ...clustersOfHost(graph, row['hostUuid']).flatMap((c) => ofCluster(graph, c)),
      ...graph.by('backupStorage', 'agentUuid', row['uuid']),
    ],
  },
  agents(graph, uuid) {
    const primary = graph.get('primaryStorage', uuid)
    if (primary) return agentsOfClusters(graph, primary['attachedClusterUuids'] as string[], 'storage')
    const agent = graph.get('backupStorage', uuid)?.['agentUuid']
    return typeof agent === 'string' ? [agent] : []
  },
  spec(graph, uuid): Row {
    const primary = graph.get('primaryStorage', uuid)
    const spec: storageDesired.PoolSpec = primary
      ? { path: primary['url'] as string, kind: 'primary' }
      : { path: graph.get('backupStorage', uuid)!['url'] as string, kind: 'image-store' }
    return spec
  },
}
