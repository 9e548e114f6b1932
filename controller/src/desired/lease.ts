/** NIC in a network with DHCP → the address that its MAC gets. */
import type { Row, vrouterDesired } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Projection } from './projection.ts'
import { hasService } from './router.ts'

/** A VM's name as a DNS label (RFC 1123), or null when nothing of it is left. Names may repeat, so the uuid's head keeps them apart when asked. */
export function dnsLabel(name: string): string | null {
  const label = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 63)
    .replace(/-+$/, '')
  return label === '' ? null : label
}

/** The label, unless an older VM in the same network has it: then with the head of the VM's uuid behind it. */
function hostnameOf(graph: Graph, nic: Row): string | null {
  const vm = graph.get('vmInstance', nic['vmInstanceUuid'] as string)
  const label = vm ? dnsLabel(vm['name'] as string) : null
  if (!vm || !label) return null
  for (const key of graph.by('vmInstance', 'name', vm['name'])) {
    const other = graph.get('vmInstance', key)!
    if (key === vm['uuid'] || (other['createDate'] as number) > (vm['createDate'] as number)) continue
    const sameNetwork = [...graph.by('vmNic', 'vmInstanceUuid', key)].some(
      (n) => graph.get('vmNic', n)?.['l3NetworkUuid'] === nic['l3NetworkUuid'],
    )
    const older = (other['createDate'] as number) < (vm['createDate'] as number) || key < (vm['uuid'] as string)
    if (sameNetwork && older) return `${label.slice(0, 54)}-${(vm['uuid'] as string).slice(0, 8)}`
  }
  return label
}

export const leases: Projection = {
  noun: 'lease',
  kind: 'vrouter',
  touchedBy: {
    vmNic: (row) => [row['uuid'] as string],
    vmInstance: (row, graph) => [...graph.by('vmNic', 'vmInstanceUuid', row['uuid'])],
    l3Network: (row, graph) => [...graph.by('vmNic', 'l3NetworkUuid', row['uuid'])],
  },
  agents(graph, uuid) {
    const nic = graph.get('vmNic', uuid)
    const l3 = nic ? graph.get('l3Network', nic['l3NetworkUuid'] as string) : undefined
    const agent = l3?.['routerAgentUuid']
    return l3 && typeof agent === 'string' && graph.get('agent', agent) && hasService(l3 as Row, 'DHCP') ? [agent] : []
  },
  spec(graph, uuid): Row {
    const nic = graph.get('vmNic', uuid)! as Row
    const spec: vrouterDesired.LeaseSpec = {
      routerUuid: nic['l3NetworkUuid'] as string,
      mac: nic['mac'] as string,
      ip: nic['ip'] as string,
      hostname: hostnameOf(graph, nic),
    }
    return spec
  },
}
