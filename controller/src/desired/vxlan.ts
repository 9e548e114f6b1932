/** What a host is told of a network over VXLAN: its own VTEP, and all others that it floods to. Pure. */
import { type kvmDesired, type Row, VXLAN_PORT } from '@skerry/contract'
import type { Graph } from '@skerry/graph'

/**
 * Peers are the VTEPs of all hosts that have the network, and the remote ones of the host's own cluster. Which peer has which guest is
 * learned from what they send: entries for each MAC would change the documents of all hosts with every guest that starts anywhere, and
 * behind remote VTEPs there are MACs that nobody here knows.
 */
export function vxlanOf(graph: Graph, network: Readonly<Row>, agentUuid: string): kvmDesired.BridgeSpec['vxlan'] {
  const { vni, poolUuid, attachedClusterUuids } = network as { vni: number; poolUuid: string; attachedClusterUuids: string[] }
  const host = graph.get('host', graph.get('agent', agentUuid)?.['hostUuid'] as string)
  const vteps = [...graph.by('vtep', 'poolUuid', poolUuid)].map((k) => graph.get('vtep', k)!)
  const own = vteps.find((row) => row['hostUuid'] === host?.['uuid'])
  const others = vteps.filter((row) => {
    const cluster = graph.get('host', row['hostUuid'] as string)?.['clusterUuid'] as string
    return row !== own && attachedClusterUuids.includes(cluster)
  })
  const remote = [...graph.by('remoteVtep', 'poolUuid', poolUuid)]
    .map((k) => graph.get('remoteVtep', k)!)
    .filter((row) => row['clusterUuid'] === host?.['clusterUuid'])
  const peers = new Set([...others, ...remote].map((row) => row['vtepIp'] as string))
  return { vni, vtepIp: (own?.['vtepIp'] as string | undefined) ?? null, port: VXLAN_PORT, peers: [...peers].sort() }
}
