/** A VPC router → its namespace with all its networks, and its own address in each public one. */
import { bridgeName, type Row, type vrouterDesired } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { rangesOf } from '../place/address.ts'
import { hasService } from './l3-services.ts'
import { LEASE_SECONDS } from './told.ts'

type Network = NonNullable<vrouterDesired.RouterSpec['networks']>[number]

export function vpcAgents(graph: Graph, router: Readonly<Row>): string[] {
  const { agentUuid } = router
  return router['state'] === 'Running' && typeof agentUuid === 'string' && graph.get('agent', agentUuid) ? [agentUuid] : []
}

function networkOf(graph: Graph, l3: Readonly<Row>, snatDisabled: readonly string[]): Network[] {
  const uuid = l3['uuid'] as string
  const cidrs = new Map<string, string>()
  for (const range of rangesOf(graph, uuid)) cidrs.set(range['networkCidr'] as string, range['gateway'] as string)
  if (cidrs.size === 0) return []
  const routes = ((l3['hostRoute'] as { prefix: string; nexthop: string }[] | null | undefined) ?? []).map(
    ({ prefix, nexthop }) => ({ destination: prefix, gateway: nexthop }),
  )
  const row = l3 as Row
  const snat = hasService(row, 'SNAT') && !snatDisabled.includes(uuid)
  return [
    {
      l3NetworkUuid: uuid,
      bridge: bridgeName(l3['l2NetworkUuid'] as string),
      cidrs: [...cidrs].sort(([a], [b]) => (a < b ? -1 : 1)).map(([cidr, gateway]) => ({ cidr, gateway })),
      mtu: (l3['mtu'] as number | null | undefined) ?? null,
      services: { dhcp: hasService(row, 'DHCP'), dns: hasService(row, 'DNS'), snat },
      domain: (l3['dnsDomain'] as string | null | undefined) ?? null,
      dns: (l3['dns'] as string[]).filter((ip) => !ip.includes(':')),
      ...(routes.length > 0 ? { hostRoutes: routes } : {}),
    },
  ]
}

export function vpcSpec(graph: Graph, router: Readonly<Row>): Row {
  const l3s = [...graph.by('l3Network', 'vpcRouterUuid', router['uuid'])].sort().map((k) => graph.get('l3Network', k)!)
  const spec: vrouterDesired.RouterSpec = {
    ...{ bridge: null, cidrs: [], mtu: null, domain: null, uplink: null, leaseSeconds: LEASE_SECONDS },
    services: { dhcp: false, dns: false, snat: false },
    dns: router['dns'] as string[],
    networks: l3s.flatMap((l3) => networkOf(graph, l3, router['snatDisabled'] as string[])),
  }
  return spec
}

const routerOfCard = (graph: Graph, nic: Readonly<Row>) => graph.get('vpcRouter', nic['vmInstanceUuid'] as string)

export function cardAgents(graph: Graph, nic: Readonly<Row>): string[] {
  const router = routerOfCard(graph, nic)
  return router && nic['isPublic'] && graph.get('l3Network', nic['l3NetworkUuid'] as string) ? vpcAgents(graph, router) : []
}

/** Without its default network, which may be deleted, the first one that it has leads out. */
function isDefault(graph: Graph, router: Readonly<Row>, nic: Readonly<Row>): boolean {
  const nics = [...graph.by('vpcRouterNic', 'vmInstanceUuid', router['uuid'])].map((k) => graph.get('vpcRouterNic', k)!)
  const open = nics.filter((one) => one['isPublic']).sort((a, b) => (a['deviceId'] as number) - (b['deviceId'] as number))
  const chosen = open.find((one) => one['l3NetworkUuid'] === router['defaultRouteL3NetworkUuid']) ?? open[0]
  return chosen?.['uuid'] === nic['uuid']
}

export function cardSpec(graph: Graph, nic: Readonly<Row>): Row {
  const router = routerOfCard(graph, nic)!
  const l3 = graph.get('l3Network', nic['l3NetworkUuid'] as string)!
  const spec: vrouterDesired.VipSpec = {
    routerUuid: router['uuid'] as string,
    l3NetworkUuid: l3['uuid'] as string,
    bridge: bridgeName(l3['l2NetworkUuid'] as string),
    ip: nic['ip'] as string,
    prefixLen: nic['prefixLen'] as number,
    gateway: nic['gateway'] as string,
    ...{ eip: null, portForwarding: [] },
    own: { default: isDefault(graph, router, nic) },
  }
  return spec
}
