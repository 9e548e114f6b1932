/**
 * Services of provider Flat: each host serves its own guests, by a router of its own that stands beside whatever the network's gateway is.
 * Its document is called after the network by `flatRouter`, and is on every host with a guest of the network.
 */
import { bridgeName, FLAT_PROVIDER, flatRouter, type Row, tapName, type vrouterDesired } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { ipToLong, isIpv4, networkOf, rangesOf } from '../place/address.ts'
import { agentOn } from './agents-of.ts'
import { LEASE_SECONDS, METADATA_ROUTE } from './told.ts'

interface Ref {
  networkServiceProviderUuid: string
  networkServiceType: string
}
const refsOf = (l3: Readonly<Row>) => l3['networkServices'] as Ref[]

/** Whether it is provider Flat that gives the network this service. */
export const isFlat = (l3: Readonly<Row>, service: string): boolean =>
  refsOf(l3).some((ref) => ref.networkServiceType === service && ref.networkServiceProviderUuid === FLAT_PROVIDER)
/** Whether a router of the network gives it this service. */
export const hasRouted = (l3: Readonly<Row>, service: string): boolean =>
  refsOf(l3).some((ref) => ref.networkServiceType === service && ref.networkServiceProviderUuid !== FLAT_PROVIDER)
/** Whether it wants a router; with services of provider Flat alone it wants none. */
export const wantsRouter = (l3: Readonly<Row>): boolean =>
  refsOf(l3).some((ref) => ref.networkServiceProviderUuid !== FLAT_PROVIDER)
export const hasFlat = (l3: Readonly<Row>): boolean => refsOf(l3).some((ref) => ref.networkServiceProviderUuid === FLAT_PROVIDER)

/** What is recorded of the address of a network's DHCP server: that it is in use. */
export const FOR_DHCP = 'DHCP'

/** The address of a network's DHCP server is found by its network: an index of the graph. */
export const dhcpIndexes = {
  usedIp: {
    dhcpServerOf: (row: Readonly<Row>) => (row['usedFor'] === FOR_DHCP ? (row['l3NetworkUuid'] as string) : undefined),
  },
}

/** The row of the address at which each host's router answers; undefined: there is none yet. */
export function dhcpAddressOf(graph: Graph, l3Uuid: unknown): Readonly<Row> | undefined {
  const [key] = graph.by('usedIp', 'dhcpServerOf', l3Uuid)
  return key === undefined ? undefined : graph.get('usedIp', key)
}

/** The agent of the host where the guest of a card is. */
export function agentOfNic(graph: Graph, nic: Readonly<Row> | undefined): string | undefined {
  const vm = nic && !nic['unplugged'] ? graph.get('vmInstance', nic['vmInstanceUuid'] as string) : undefined
  return agentOn(graph, vm?.['hostUuid'] as string | null | undefined, 'vrouter')
}

/** Where a card of a flat network is served: with its guest, once there is an address for the router. */
export function served(graph: Graph, nic: Readonly<Row> | undefined, l3: Readonly<Row>): string[] {
  const agent = dhcpAddressOf(graph, l3['uuid']) ? agentOfNic(graph, nic) : undefined
  return agent ? [agent] : []
}

/** The network that a document is about; undefined: it is no flat router's. */
export function flatNetwork(graph: Graph, uuid: string): Row | undefined {
  const l3 = graph.get('l3Network', uuid) ? undefined : graph.get('l3Network', flatRouter(uuid))
  return l3 as Row | undefined
}

export function flatAgents(graph: Graph, l3: Readonly<Row>): string[] {
  if (!hasFlat(l3) || !dhcpAddressOf(graph, l3['uuid'])) return []
  const agents = [...graph.by('vmNic', 'l3NetworkUuid', l3['uuid'])].map((key) => agentOfNic(graph, graph.get('vmNic', key)))
  return [...new Set(agents.filter((agent) => agent !== undefined))].sort()
}

/** Flat routers of the networks of a VM. */
export const flatsOfVm = (graph: Graph, vmUuid: unknown): string[] =>
  [...graph.by('vmNic', 'vmInstanceUuid', vmUuid)].flatMap((key) => flatsOf(graph, graph.get('vmNic', key)?.['l3NetworkUuid']))
export function flatsOf(graph: Graph, l3Uuid: unknown): string[] {
  const l3 = graph.get('l3Network', (l3Uuid as string | undefined) ?? '')
  return l3 && hasFlat(l3) ? [flatRouter(l3['uuid'] as string)] : []
}

/** Networks of the ranges, each with its gateway; the one of the router's address first. */
function cidrsOf(graph: Graph, l3: Readonly<Row>, dhcpIp: string): vrouterDesired.RouterSpec['cidrs'] {
  const cidrs = new Map<string, string>()
  for (const range of rangesOf(graph, l3['uuid'])) cidrs.set(range['networkCidr'] as string, range['gateway'] as string)
  const isOwn = (cidr: string) => {
    const [ip, length] = cidr.split('/') as [string, string]
    return networkOf(dhcpIp, Number(length)) === networkOf(ip, Number(length))
  }
  const sorted = [...cidrs].map(([cidr, gateway]) => ({ cidr, gateway })).sort((a, b) => (a.cidr < b.cidr ? -1 : 1))
  return [...sorted.filter(({ cidr }) => isOwn(cidr)), ...sorted.filter(({ cidr }) => !isOwn(cidr))]
}

export function flatSpec(graph: Graph, l3: Readonly<Row>): Row {
  const dhcpIp = dhcpAddressOf(graph, l3['uuid'])!['ip'] as string
  const metadata = isFlat(l3, 'Userdata')
  const routes = (l3['hostRoute'] as Row[] | null | undefined) ?? []
  const hostRoutes = [
    ...routes.map(({ prefix, nexthop }) => ({ destination: prefix as string, gateway: nexthop as string })),
    ...(metadata ? [{ destination: METADATA_ROUTE, gateway: dhcpIp }] : []),
  ]
  const spec: vrouterDesired.RouterSpec = {
    bridge: bridgeName(l3['l2NetworkUuid'] as string),
    cidrs: cidrsOf(graph, l3, dhcpIp),
    mtu: (l3['mtu'] as number | null | undefined) ?? null,
    services: { dhcp: isFlat(l3, 'DHCP'), dns: false, snat: false },
    domain: (l3['dnsDomain'] as string | null | undefined) ?? null,
    dns: dnsOf(graph, l3),
    uplink: null,
    leaseSeconds: LEASE_SECONDS,
    ...(hostRoutes.length > 0 ? { hostRoutes } : {}),
    flat: { dhcpIp, metadata, eip: isFlat(l3, 'Eip') },
  }
  return spec
}

/** Name servers that guests are told: those of the network; a router of the network that serves names goes before. */
export function dnsOf(graph: Graph, l3: Readonly<Row>): string[] {
  const [range] = rangesOf(graph, l3['uuid'])
  return hasRouted(l3, 'DNS') && range ? [range['gateway'] as string] : (l3['dns'] as string[]).filter(isIpv4)
}

/** What makes a VIP that of a guest in a flat network; undefined: its network has a router for that. */
export function flatVip(graph: Graph, eip: Readonly<Row> | undefined, agentUuid: string): vrouterDesired.VipSpec['flat'] {
  const nic = graph.get('vmNic', (eip?.['vmNicUuid'] as string | null | undefined) ?? '')
  const l3 = nic && graph.get('l3Network', nic['l3NetworkUuid'] as string)
  if (!nic || !l3 || !isFlat(l3, 'Eip')) return undefined
  return { tap: tapName(nic['uuid'] as string), gateway: nic['gateway'] as string, agentUuid }
}

/** A row of the address of a DHCP server. `uuid`: of the row. */
export function dhcpRow({ uuid, ip, range, now }: { uuid: string; ip: string; range: Row; now: number }): Row {
  const { l3NetworkUuid, uuid: ipRangeUuid, netmask, gateway } = range
  return {
    ...{ uuid, name: ip, l3NetworkUuid, ipRangeUuid, ip, ipInLong: ipToLong(ip), netmask, gateway, ipVersion: 4 },
    ...{ usedFor: FOR_DHCP, vmNicUuid: null, createDate: now, lastOpDate: now },
  }
}
