/** NIC in a security group, or of a guest that may only speak as itself → what guards it on its host. */
import { bridgeName, type kvmSecurity, type Row, tapName } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Projection } from './projection.ts'
import { addressesOf, agentOfNic, nicsOfHost, nicsOfVm, refsOfNic } from './security-members.ts'

const CLEAN = 'cleanTraffic::true'

/** Whether the VM's guest may only speak as itself. */
export const isClean = (graph: Graph, vmUuid: unknown): boolean =>
  [...graph.by('tag', 'resourceUuid', vmUuid)].some((k) => {
    const tag = graph.get('tag', k)
    return tag?.['type'] === 'System' && tag['tag'] === CLEAN
  })

/** The lowest priority first. */
export const groupsInOrder = (graph: Graph, nicUuid: unknown): string[] =>
  refsOfNic(graph, nicUuid)
    .sort(
      (a, b) =>
        (a['priority'] as number) - (b['priority'] as number) ||
        ((a['securityGroupUuid'] as string) < (b['securityGroupUuid'] as string) ? -1 : 1),
    )
    .map((ref) => ref['securityGroupUuid'] as string)

/** Whether there is a document of this card: its guest gets it only once that is in force. */
export const isGuarded = (graph: Graph, nic: Readonly<Row>): boolean =>
  graph.countBy('vmNicSecurityGroupRef', 'vmNicUuid', nic['uuid']) > 0 || isClean(graph, nic['vmInstanceUuid'])

export const nicSecurities: Projection = {
  noun: 'nicSecurity',
  kind: 'kvm',
  touchedBy: {
    vmNic: (row) => [row['uuid'] as string],
    usedIp: (row) => (typeof row['vmNicUuid'] === 'string' ? [row['vmNicUuid']] : []),
    vmNicSecurityGroupRef: (row) => [row['vmNicUuid'] as string],
    vmNicSecurityPolicy: (row) => [row['vmNicUuid'] as string],
    vmInstance: (row, graph) => nicsOfVm(graph, row['uuid']),
    tag: (row, graph) => (row['resourceType'] === 'VmInstanceVO' ? nicsOfVm(graph, row['resourceUuid']) : []),
    agent: (row, graph) => nicsOfHost(graph, row['hostUuid']),
  },
  agents(graph, uuid) {
    const nic = graph.get('vmNic', uuid)
    const agent = nic && isGuarded(graph, nic) ? agentOfNic(graph, uuid) : undefined
    return agent === undefined ? [] : [agent]
  },
  spec(graph, uuid): Row {
    const nic = graph.get('vmNic', uuid)!
    const uuids = groupsInOrder(graph, uuid)
    const policy = graph.get('vmNicSecurityPolicy', uuid)
    const [ingressPolicy, egressPolicy] = [policy?.['ingressPolicy'], policy?.['egressPolicy']] as ('ALLOW' | 'DENY')[]
    const spec: kvmSecurity.NicSecuritySpec = {
      tap: tapName(uuid),
      bridge: bridgeName(graph.get('l3Network', nic['l3NetworkUuid'] as string)?.['l2NetworkUuid'] as string),
      mac: nic['mac'] as string,
      ips: addressesOf(graph, uuid),
      groups: uuids.length > 0 ? { uuids, ingressPolicy: ingressPolicy ?? 'DENY', egressPolicy: egressPolicy ?? 'ALLOW' } : null,
      cleanTraffic: isClean(graph, nic['vmInstanceUuid']),
    }
    return spec
  },
}
