/** Rows of a VPC router and of its cards, and where it can be. Pure. */
import { type Op, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { agentOn } from '../desired/agents-of.ts'
import { networkOf, rangesOf, usedIpKey } from '../place/address.ts'
import { need } from './world.ts'

export const VPC_NETWORK = 'L3VpcNetwork'

/** Cards of a router, in the order in which it got them. */
export const nicsOf = (graph: Graph, router: unknown): Readonly<Row>[] =>
  [...graph.by('vpcRouterNic', 'vmInstanceUuid', router)]
    .map((k) => graph.get('vpcRouterNic', k)!)
    .sort((a, b) => (a['deviceId'] as number) - (b['deviceId'] as number))

export const networksOf = (graph: Graph, router: unknown): string[] => [...graph.by('l3Network', 'vpcRouterUuid', router)].sort()

/** What an agent is sent of a router. */
export const documentsOf = (graph: Graph, router: string): string[] => [
  `router/${router}`,
  ...nicsOf(graph, router)
    .filter((nic) => nic['isPublic'])
    .map((nic) => `vip/${nic['uuid']}`),
  `routes/${router}`,
]

const clustersOf = (graph: Graph, l3: unknown): string[] => {
  const l2 = graph.get('l2Network', (graph.get('l3Network', l3 as string)?.['l2NetworkUuid'] as string | undefined) ?? '')
  return (l2?.['attachedClusterUuids'] as string[] | undefined) ?? []
}

/** Throws `illegal-state` where the network does not reach the router's host. */
export function needReach(graph: Graph, router: Readonly<Row>, l3: Readonly<Row>): void {
  const { clusterUuid } = router
  if (clusterUuid === null || clustersOf(graph, l3['uuid']).includes(clusterUuid as string)) return
  throw new SkerryError(
    'illegal-state',
    `network ${l3['name']} does not reach the cluster of VPC router ${router['name']}: attach its L2 network there first`,
    { l3NetworkUuid: l3['uuid'], l2NetworkUuid: l3['l2NetworkUuid'], clusterUuid },
  )
}

interface Wish {
  zoneUuid: unknown
  clusterUuid?: unknown
  hostUuid?: unknown
  /** all of which must reach the host */
  l3Uuids: readonly string[]
}

/** The host with the fewest VPC routers of those that it can be on. Throws `no-host`, and says what each lacks. */
export function hostFor(
  graph: Graph,
  { zoneUuid, clusterUuid, hostUuid, l3Uuids }: Wish,
): { host: Readonly<Row>; agentUuid: string } {
  const reasons: Record<string, string> = {}
  const fit = [...graph.by('host', 'zoneUuid', zoneUuid)].sort().flatMap((k) => {
    const host = graph.get('host', k)!
    if ((hostUuid !== undefined && k !== hostUuid) || (clusterUuid !== undefined && host['clusterUuid'] !== clusterUuid))
      return []
    const agentUuid = agentOn(graph, k, 'vrouter')
    const reason = lacks(graph, host, agentUuid, l3Uuids)
    if (reason === undefined) return [{ host, agentUuid: agentUuid!, load: graph.countBy('vpcRouter', 'hostUuid', k) }]
    reasons[host['name'] as string] = reason
    return []
  })
  const [best] = fit.sort((a, b) => a.load - b.load)
  if (best) return best
  const details = { zoneUuid, ...(clusterUuid ? { clusterUuid } : {}), ...(hostUuid ? { hostUuid } : {}), reasons }
  throw new SkerryError('no-host', 'no host can have this VPC router', details)
}

function lacks(graph: Graph, host: Readonly<Row>, agentUuid: string | undefined, l3Uuids: readonly string[]): string | undefined {
  if (host['state'] !== 'Enabled' || host['status'] !== 'Connected') return `is ${host['state']} and ${host['status']}`
  if (!agentUuid || graph.get('agent', agentUuid)?.['status'] !== 'Connected') return 'has no agent-vrouter that answers'
  const far = l3Uuids.find((k) => !clustersOf(graph, k).includes(host['clusterUuid'] as string))
  return far === undefined ? undefined : `network ${graph.get('l3Network', far)?.['name'] ?? far} does not reach its cluster`
}

const cidrsOf = (graph: Graph, l3: string) =>
  rangesOf(graph, l3).map((range) => ({ ip: range['startIp'] as string, length: range['prefixLen'] as number }))

/** Two networks of one router must have no address in common, or nobody could say where a packet goes. Throws `invalid-argument`. */
export function needApart(graph: Graph, router: Readonly<Row>, l3: Readonly<Row>): void {
  for (const nic of nicsOf(graph, router['uuid'])) {
    const other = need(graph, 'l3Network', nic['l3NetworkUuid'])
    const meets = cidrsOf(graph, l3['uuid'] as string).some((a) =>
      cidrsOf(graph, other['uuid'] as string).some((b) => {
        const length = Math.min(a.length, b.length)
        return networkOf(a.ip, length) === networkOf(b.ip, length)
      }),
    )
    if (meets)
      throw new SkerryError(
        'invalid-argument',
        `networks ${l3['name']} and ${other['name']} have addresses in common: one router can't be in both`,
        { l3NetworkUuid: l3['uuid'], otherL3NetworkUuid: other['uuid'], vmInstanceUuid: router['uuid'] },
      )
  }
}

/** A network whose ranges were all deleted gets none that its VPC router is not the gateway of. Throws `illegal-state`. */
export function needGatewayKept(graph: Graph, l3: string, range: { gateway: string; prefixLen: number }): void {
  const row = graph.get('l3Network', l3)
  const nic = nicsOf(graph, row?.['vpcRouterUuid'] ?? '').find((one) => one['l3NetworkUuid'] === l3)
  if (!nic || (nic['ip'] === range.gateway && nic['prefixLen'] === range.prefixLen)) return
  throw new SkerryError(
    'illegal-state',
    `the VPC router of network ${row!['name']} is ${nic['ip']}/${nic['prefixLen']} there: give the range this gateway, or detach the network`,
    { l3NetworkUuid: l3, gateway: nic['ip'], prefixLen: nic['prefixLen'] },
  )
}

/** Its networks are served where it runs; `agentUuid` null: nowhere. */
export const serveBy = (graph: Graph, router: unknown, agentUuid: string | null): Op[] =>
  networksOf(graph, router).map((k): Op => ({ o: 'set', t: 'l3Network', k, v: { routerAgentUuid: agentUuid } }))

/** Addresses that cards give back which go. */
export const dropAddresses = (graph: Graph, nics: readonly Readonly<Row>[]): Op[] =>
  nics
    .filter((nic) => nic['isPublic'])
    .map((nic) => usedIpKey(nic['l3NetworkUuid'] as string, nic['ip'] as string))
    .filter((k) => graph.get('usedIp', k))
    .map((k): Op => ({ o: 'del', t: 'usedIp', k }))

/** Keys of a table's rows that go in the same commit. */
type Gone = (table: string) => ReadonlySet<string>

/** What stays of VPCs when routers, cards or the hosts below go: networks without a router, routers that stand still, free addresses. */
export function endVpcs(graph: Graph, gone: Gone): Op[] {
  const nics = [...gone('vpcRouterNic')].map((k) => graph.get('vpcRouterNic', k)!)
  const agents = [...[...gone('host')].flatMap((k) => [...graph.by('agent', 'hostUuid', k)]), ...gone('agent')]
  const routers = new Set(agents.flatMap((k) => [...graph.by('vpcRouter', 'agentUuid', k)]))
  const left = new Set([...gone('vpcRouter')].flatMap((k) => networksOf(graph, k)))
  for (const nic of nics) if (!nic['isPublic']) left.add(nic['l3NetworkUuid'] as string)
  return [
    ...dropAddresses(graph, nics).filter(({ k }) => !gone('usedIp').has(k)),
    ...[...left]
      .filter((k) => !gone('l3Network').has(k))
      .map((k): Op => ({ o: 'set', t: 'l3Network', k, v: { routerAgentUuid: null, vpcRouterUuid: null } })),
    ...[...routers].filter((k) => !gone('vpcRouter').has(k)).flatMap((k) => standStill(graph, k)),
  ]
}

/** A router whose host is gone: it can be started elsewhere. */
export const standStill = (graph: Graph, k: string): Op[] => [
  {
    ...({ o: 'set', t: 'vpcRouter', k } as const),
    v: { state: 'Stopped', status: 'Disconnected', agentUuid: null, hostUuid: null, clusterUuid: null },
  },
  ...serveBy(graph, k, null),
]
