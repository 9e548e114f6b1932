/** Security group → its rules, on every host with a card in it. */
import type { kvmSecurity, Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { addressSpans, portSpans } from '../workflows/security.ranges.ts'
import type { Projection } from './projection.ts'
import { agentsOfGroups, groupsNear, nicsOfHost, nicsOfVm } from './security-members.ts'

export const rulesOf = (graph: Graph, groupUuid: unknown): Readonly<Row>[] =>
  [...graph.by('securityGroupRule', 'securityGroupUuid', groupUuid)].map((k) => graph.get('securityGroupRule', k)!)

/** The order in which rules of one direction are asked. */
export const inOrder = (a: Readonly<Row>, b: Readonly<Row>): number =>
  (a['priority'] as number) - (b['priority'] as number) ||
  (a['createDate'] as number) - (b['createDate'] as number) ||
  ((a['uuid'] as string) < (b['uuid'] as string) ? -1 : 1)

function ruleSpec(row: Readonly<Row>): kvmSecurity.SecurityRuleSpec {
  const version = row['ipVersion'] as 4 | 6
  const type = row['type'] as 'Ingress' | 'Egress'
  const range = (type === 'Ingress' ? row['srcIpRange'] : row['dstIpRange']) as string | null
  const remote = row['remoteSecurityGroupUuid'] as string | null
  const ports = row['dstPortRange'] as string | null
  return {
    type,
    ipVersion: version,
    protocol: row['protocol'] as kvmSecurity.SecurityRuleSpec['protocol'],
    action: row['action'] as 'ACCEPT' | 'DROP',
    ...(range === null ? {} : { ips: addressSpans(range, version) }),
    ...(remote === null ? {} : { remoteGroupUuid: remote }),
    ...(ports === null ? {} : { ports: portSpans(ports) }),
  }
}

export const securityGroups: Projection = {
  noun: 'securityGroup',
  kind: 'kvm',
  touchedBy: {
    securityGroup: (row) => [row['uuid'] as string],
    securityGroupRule: (row) => [row['securityGroupUuid'] as string],
    vmNicSecurityGroupRef: (row) => [row['securityGroupUuid'] as string],
    vmNic: (row, graph) => groupsNear(graph, row['uuid']),
    vmInstance: (row, graph) => nicsOfVm(graph, row['uuid']).flatMap((nic) => groupsNear(graph, nic)),
    agent: (row, graph) => nicsOfHost(graph, row['hostUuid']).flatMap((nic) => groupsNear(graph, nic)),
  },
  agents: (graph, uuid) => (graph.get('securityGroup', uuid) ? agentsOfGroups(graph, [uuid]) : []),
  spec(graph, uuid): Row {
    const enabled = graph.get('securityGroup', uuid)!['state'] === 'Enabled'
    const rules = enabled ? rulesOf(graph, uuid).filter((rule) => rule['state'] === 'Enabled') : []
    const spec: kvmSecurity.SecurityGroupSpec = { rules: rules.sort(inOrder).map(ruleSpec) }
    return spec
  },
}
