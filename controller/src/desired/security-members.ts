/** Members of a security group, in pages: the cards whose uuids begin with one digit are one document, so one that comes moves a part only. */
import { hash } from 'node:crypto'
import { kvmSecurity, type Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { canonicalIp } from '../place/ip.ts'
import { agentOn } from './agents-of.ts'
import type { Projection } from './projection.ts'

const pageOf = (groupUuid: unknown, nicUuid: unknown): string =>
  hash('sha256', `securityMembers/${String(groupUuid)}/${String(nicUuid).slice(0, 1)}`).slice(0, 32)

/** Cards by the page that they are on: an index of the graph. */
export const pageIndexes = {
  vmNicSecurityGroupRef: { page: (row: Readonly<Row>) => pageOf(row['securityGroupUuid'], row['vmNicUuid']) },
}

const REF = 'vmNicSecurityGroupRef'
export const refsOfNic = (graph: Graph, nicUuid: unknown): Readonly<Row>[] =>
  [...graph.by(REF, 'vmNicUuid', nicUuid)].map((k) => graph.get(REF, k)!)
const refsOfGroup = (graph: Graph, groupUuid: unknown): Readonly<Row>[] =>
  [...graph.by(REF, 'securityGroupUuid', groupUuid)].map((k) => graph.get(REF, k)!)

/** Both families, as documents write them. */
export function addressesOf(graph: Graph, nicUuid: unknown): string[] {
  const nic = graph.get('vmNic', nicUuid as string)
  const used = [...graph.by('usedIp', 'vmNicUuid', nicUuid)].map((k) => graph.get('usedIp', k)?.['ip'] as string)
  const own = typeof nic?.['ip'] === 'string' && nic['ip'] !== '' ? [nic['ip']] : []
  return [...new Set([...own, ...used].map(canonicalIp))].sort()
}

/** The kvm agent of the host where the card's guest is, or was last. */
export function agentOfNic(graph: Graph, nicUuid: unknown): string | undefined {
  const nic = graph.get('vmNic', nicUuid as string)
  const vm = graph.get('vmInstance', (nic?.['vmInstanceUuid'] as string | undefined) ?? '')
  if (!vm || ['Created', 'Destroyed', 'Expunging'].includes(vm['state'] as string)) return undefined
  return agentOn(graph, (vm['hostUuid'] ?? vm['lastHostUuid']) as string | null, 'kvm')
}

/** Groups whose rules name this one, and itself. */
export const namedBy = (graph: Graph, groupUuid: unknown): string[] => [
  ...new Set([
    groupUuid as string,
    ...[...graph.by('securityGroupRule', 'remoteSecurityGroupUuid', groupUuid)].map(
      (k) => graph.get('securityGroupRule', k)?.['securityGroupUuid'] as string,
    ),
  ]),
]

/** Agents of the hosts with a card in one of the groups. */
export const agentsOfGroups = (graph: Graph, groups: readonly string[]): string[] => [
  ...new Set(groups.flatMap((group) => refsOfGroup(graph, group).flatMap((ref) => agentOfNic(graph, ref['vmNicUuid']) ?? []))),
]

const pagesOfGroup = (graph: Graph, groupUuid: unknown): string[] => [
  ...new Set(refsOfGroup(graph, groupUuid).map((ref) => pageOf(groupUuid, ref['vmNicUuid']))),
]

/** Groups whose members, or whose rules, must be where this card is. */
export const groupsNear = (graph: Graph, nicUuid: unknown): string[] => {
  const own = refsOfNic(graph, nicUuid).map((ref) => ref['securityGroupUuid'] as string)
  return [...new Set([...own, ...own.flatMap((group) => remotesOf(graph, group))])]
}
const remotesOf = (graph: Graph, group: string): string[] =>
  [...graph.by('securityGroupRule', 'securityGroupUuid', group)].flatMap(
    (k) => (graph.get('securityGroupRule', k)?.['remoteSecurityGroupUuid'] as string | null) ?? [],
  )

export const nicsOfVm = (graph: Graph, vmUuid: unknown): string[] => [...graph.by('vmNic', 'vmInstanceUuid', vmUuid)]
const nearNic = (graph: Graph, nic: unknown): string[] => groupsNear(graph, nic).flatMap((group) => pagesOfGroup(graph, group))
export const nicsOfHost = (graph: Graph, hostUuid: unknown): string[] =>
  typeof hostUuid === 'string'
    ? [...graph.by('vmInstance', 'hostUuid', hostUuid), ...graph.by('vmInstance', 'lastHostUuid', hostUuid)].flatMap((vm) =>
        nicsOfVm(graph, vm),
      )
    : []

export const securityMembers: Projection = {
  noun: 'securityMembers',
  kind: 'kvm',
  touchedBy: {
    vmNicSecurityGroupRef: (row, graph) => [
      pageOf(row['securityGroupUuid'], row['vmNicUuid']),
      ...pagesOfGroup(graph, row['securityGroupUuid']),
      ...remotesOf(graph, row['securityGroupUuid'] as string).flatMap((group) => pagesOfGroup(graph, group)),
    ],
    securityGroupRule: (row, graph) =>
      row['remoteSecurityGroupUuid'] ? pagesOfGroup(graph, row['remoteSecurityGroupUuid']) : [],
    vmNic: (row, graph) => nearNic(graph, row['uuid']),
    usedIp: (row, graph) => (row['vmNicUuid'] ? nearNic(graph, row['vmNicUuid']) : []),
    vmInstance: (row, graph) => nicsOfVm(graph, row['uuid']).flatMap((nic) => nearNic(graph, nic)),
    agent: (row, graph) => nicsOfHost(graph, row['hostUuid']).flatMap((nic) => nearNic(graph, nic)),
  },
  agents(graph, uuid) {
    const [key] = graph.by(REF, 'page', uuid)
    const group = key === undefined ? undefined : graph.get(REF, key)?.['securityGroupUuid']
    return group === undefined ? [] : agentsOfGroups(graph, namedBy(graph, group))
  },
  spec(graph, uuid): Row {
    const refs = [...graph.by(REF, 'page', uuid)].map((k) => graph.get(REF, k)!)
    const ips = [...new Set(refs.flatMap((ref) => addressesOf(graph, ref['vmNicUuid'])))].sort()
    const spec: kvmSecurity.SecurityMembersSpec = {
      securityGroupUuid: refs[0]!['securityGroupUuid'] as string,
      // more would not fit into a document: who is beyond is no member there, so nothing is open that should not be
      ips: ips.slice(0, kvmSecurity.MAX_MEMBER_ADDRESSES),
    }
    return spec
  },
}
