/** NIC in a network with DHCP → the address that its MAC gets. */
import { flatRouter, type Row, type vrouterDesired } from '@skerry/contract'
import { address6Of } from '../place/address6.ts'
import { isFlat, served } from './flat.ts'
import { hostnameOf, namesakes } from './host-names.ts'
import type { Projection } from './projection.ts'
import { hasService, routerOf } from './router.ts'

export const leases: Projection = {
  noun: 'lease',
  kind: 'vrouter',
  touchedBy: {
    vmNic: (row, graph) => [row['uuid'] as string, ...namesakes(graph, graph.get('vmInstance', row['vmInstanceUuid'] as string))],
    vmInstance: (row, graph) => [...graph.by('vmNic', 'vmInstanceUuid', row['uuid']), ...namesakes(graph, row)],
    tag(row, graph) {
      const vm = row['resourceType'] === 'VmInstanceVO' ? graph.get('vmInstance', row['resourceUuid'] as string) : undefined
      return vm ? [...graph.by('vmNic', 'vmInstanceUuid', vm['uuid']), ...namesakes(graph, vm)] : []
    },
    usedIp: (row) => (row['ipVersion'] === 6 && typeof row['vmNicUuid'] === 'string' ? [row['vmNicUuid']] : []),
    l3Network: (row, graph) => [...graph.by('vmNic', 'l3NetworkUuid', row['uuid'])],
  },
  agents(graph, uuid) {
    const nic = graph.get('vmNic', uuid)
    const l3 = nic ? graph.get('l3Network', nic['l3NetworkUuid'] as string) : undefined
    if (l3 && isFlat(l3, 'DHCP')) return served(graph, nic, l3)
    const agent = l3?.['routerAgentUuid']
    return l3 && typeof agent === 'string' && graph.get('agent', agent) && hasService(l3 as Row, 'DHCP') ? [agent] : []
  },
  spec(graph, uuid): Row {
    const nic = graph.get('vmNic', uuid)! as Row
    const l3 = nic['l3NetworkUuid'] as string
    const flat = isFlat(graph.get('l3Network', l3)!, 'DHCP')
    const six = flat ? undefined : address6Of(graph, uuid)
    const spec: vrouterDesired.LeaseSpec = {
      routerUuid: flat ? flatRouter(l3) : routerOf(graph, l3),
      mac: nic['mac'] as string,
      ip: nic['ip'] as string,
      hostname: hostnameOf(graph, nic),
      ...(six ? { ip6: six.row['ip'] as string } : {}),
    }
    return spec
  },
}
