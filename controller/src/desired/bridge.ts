/** L2 network → bridge on every host of the attached clusters. */
import { bridgeName, type kvmDesired, type Row, VXLAN, VXLAN_POOL } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { agentsOfClusters, clustersOfHost } from './agents-of.ts'
import { bridgeMtu } from './mtu.ts'
import type { Projection } from './projection.ts'
import { vxlanOf } from './vxlan.ts'

const ofCluster = (graph: Graph, clusterUuid: string) => [...graph.by('l2Network', 'attachedClusterUuids', clusterUuid)]

/** Of the networks that have a VNI of the pool. */
const ofPool = (row: Row, graph: Graph) => [...graph.by('l2Network', 'poolUuid', row['poolUuid'])]

export const bridges: Projection = {
  noun: 'bridge',
  kind: 'kvm',
  touchedBy: {
    l2Network: (row) => [row['uuid'] as string],
    vtep: ofPool,
    remoteVtep: ofPool,
    l3Network: (row) => [row['l2NetworkUuid'] as string],
    host: (row, graph) => ofCluster(graph, row['clusterUuid'] as string),
    agent: (row, graph) => clustersOfHost(graph, row['hostUuid']).flatMap((c) => ofCluster(graph, c)),
  },
  agents(graph, uuid) {
    const network = graph.get('l2Network', uuid)
    if (!network || network['type'] === VXLAN_POOL) return []
    return agentsOfClusters(graph, network['attachedClusterUuids'] as string[], 'kvm')
  },
  perAgent: (graph, uuid) => graph.get('l2Network', uuid)?.['type'] === VXLAN,
  spec(graph, uuid, agentUuid): Row {
    const network = graph.get('l2Network', uuid)!
    const { physicalInterface: physical, vlan } = network as { physicalInterface?: string | null; vlan?: number | null }
    const spec: kvmDesired.BridgeSpec = {
      name: bridgeName(uuid),
      physicalInterface: physical === 'none' ? null : (physical ?? null),
      mtu: bridgeMtu(graph, uuid),
      ...(typeof vlan === 'number' ? { vlan } : {}),
      ...(network['type'] === VXLAN ? { vxlan: vxlanOf(graph, network, agentUuid ?? '') } : {}),
    }
    return spec
  },
}
