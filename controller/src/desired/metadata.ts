/** NIC in a network whose provider of user data is Flat → what its guest reads at 169.254.169.254. */
import { flatRouter, type Row, type vrouterDesired } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { isFlat, served } from './flat.ts'
import type { Projection } from './projection.ts'
import { toldGuest } from './seed.ts'

const nicsOf = (graph: Graph, vmUuid: unknown) => [...graph.by('vmNic', 'vmInstanceUuid', vmUuid)]

export const metadata: Projection = {
  noun: 'metadata',
  kind: 'vrouter',
  touchedBy: {
    vmNic: (row) => [row['uuid'] as string],
    vmInstance: (row, graph) => nicsOf(graph, row['uuid']),
    tag: (row, graph) => (row['resourceType'] === 'VmInstanceVO' ? nicsOf(graph, row['resourceUuid']) : []),
    sshKeyPair: (row, graph) => (row['vmInstanceUuids'] as string[]).flatMap((vm) => nicsOf(graph, vm)),
    l3Network: (row, graph) => [...graph.by('vmNic', 'l3NetworkUuid', row['uuid'])],
  },
  agents(graph, uuid) {
    const nic = graph.get('vmNic', uuid)
    const l3 = graph.get('l3Network', (nic?.['l3NetworkUuid'] as string | undefined) ?? '')
    return l3 && isFlat(l3, 'Userdata') ? served(graph, nic, l3) : []
  },
  spec(graph, uuid): Row {
    const nic = graph.get('vmNic', uuid)! as Row
    const instanceId = nic['vmInstanceUuid'] as string
    const { hostname, sshKeys, userData } = toldGuest(graph, graph.get('vmInstance', instanceId)!)
    const spec: vrouterDesired.MetadataSpec = {
      ...{ routerUuid: flatRouter(nic['l3NetworkUuid'] as string), mac: nic['mac'] as string, ip: nic['ip'] as string },
      ...{ instanceId, hostname, sshKeys, userData },
    }
    return spec
  },
}
