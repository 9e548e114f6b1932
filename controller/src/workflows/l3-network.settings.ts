/** Routes and packet size of a network: fields of its row. Its router tells the guests; the bridges follow the packet size. */
import { type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { ranges6Of } from '../place/address6.ts'
import { isInCidr, networkAddress } from '../place/ip.ts'
import { l3Change } from './l3-network.services.ts'
import type { CheckInput } from './world.ts'

interface HostRoute {
  prefix: string
  nexthop: string
}
/** As many as one DHCP answer holds for sure. */
const MAX_ROUTES = 32
export const hostRoutesOf = (l3: Readonly<Row>): readonly HostRoute[] => (l3['hostRoute'] as HostRoute[] | null | undefined) ?? []

const bad = (message: string, details: Row) => new SkerryError('invalid-argument', message, details)

function needNetwork(prefix: string): void {
  const [base, length] = prefix.split('/') as [string, string]
  const network = `${networkAddress(base, Number(length))}/${length}`
  if (network !== prefix) throw bad(`${prefix} is no network: ${network} is the one that holds it`, { field: 'prefix', prefix })
}

function checkRoute(l3: Row, { graph, params }: CheckInput): void {
  const { prefix, nexthop } = params as unknown as HostRoute
  needNetwork(prefix)
  const routes = hostRoutesOf(l3)
  const same = routes.find((route) => route.prefix === prefix)
  if (same) throw bad(`network ${l3['name']} has a route to ${prefix} already, by ${same.nexthop}`, { field: 'prefix', prefix })
  if (routes.length >= MAX_ROUTES)
    throw bad(`network ${l3['name']} has ${MAX_ROUTES} routes, the most there can be`, { limit: MAX_ROUTES })
  const cidrs = cidrsOf(graph, l3['uuid'])
  if (cidrs.length > 0 && !cidrs.some((cidr) => isInCidr(nexthop, cidr)))
    throw bad(`${nexthop} is not in network ${l3['name']} (${cidrs.join(', ')}): its guests could not reach it`, {
      field: 'nexthop',
      nexthop,
    })
}

const cidrsOf = (graph: Graph, l3: unknown): string[] => [
  ...new Set(
    [...graph.by('ipRange', 'l3NetworkUuid', l3)]
      .map((k) => graph.get('ipRange', k)!)
      .filter((range) => range['ipVersion'] === 4)
      .map((range) => range['networkCidr'] as string),
  ),
]

export const l3AddHostRoute = l3Change(
  'l3Network.addHostRoute',
  'hostRoute',
  (l3, { prefix, nexthop }) => [
    ...hostRoutesOf(l3).filter((route) => route.prefix !== prefix),
    { l3NetworkUuid: l3['uuid'], prefix, nexthop },
  ],
  checkRoute,
)
export const l3RemoveHostRoute = l3Change(
  'l3Network.removeHostRoute',
  'hostRoute',
  (l3, { prefix }) => hostRoutesOf(l3).filter((route) => route.prefix !== prefix),
  (l3, { params }) => {
    if (!hostRoutesOf(l3).some((route) => route.prefix === params['prefix']))
      throw new SkerryError('not-found', `network ${l3['name']} has no route to ${params['prefix']}`)
  },
)
/** What a link must carry for IPv6 to be on it (RFC 8200). */
const MIN_MTU6 = 1280
export const l3SetMtu = l3Change(
  'l3Network.setMtu',
  'mtu',
  (_l3, { mtu }) => mtu,
  (l3, { graph, params }) => {
    if ((params['mtu'] as number) < MIN_MTU6 && ranges6Of(graph, l3['uuid']).length > 0)
      throw bad(`network ${l3['name']} has IPv6 addresses, so its packets need ${MIN_MTU6} bytes`, { field: 'mtu' })
  },
)
