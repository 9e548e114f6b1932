/** What networks tell their guests, and who has their addresses. Read from the graph; nothing changes. */
import { ADMIN_ACCOUNT, type Row, resources } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { dhcpAddressOf, isFlat, wantsRouter } from '../desired/flat.ts'
import { mtuOf } from '../desired/mtu.ts'
import { hasService } from '../desired/router.ts'
import type { Call } from '../engine/port.ts'
import { render } from '../inventory/index.ts'
import { canonicalIp, compareIps, familyOf } from '../place/ip.ts'
import { needOther } from '../workflows/vm-nic.network.ts'
import { need } from '../workflows/world.ts'

export interface L3ReadPorts {
  /** all of it: whether a card fits into a network depends on what the caller may not see */
  graph: Graph
  /** what the caller sees of it */
  seen: Graph
}

export function l3Calls({ graph, seen }: L3ReadPorts): Record<string, (call: Call) => Row> {
  const network = ({ params }: Call) => need(seen, 'l3Network', params['l3NetworkUuid'])
  return {
    GetL3NetworkMtu: (call) => ({ mtu: mtuOf(graph, network(call)) }),
    GetL3NetworkDhcpIpAddress: (call) => dhcpAddresses(graph, network(call)),
    GetL3NetworkRouterInterfaceIp: (call) => {
      const l3 = network(call)
      const ip = gatewayOf(graph, l3, 4) ?? gatewayOf(graph, l3, 6)
      return ip && wantsRouter(l3) ? { routerInterfaceIp: ip } : {}
    },
    GetL3NetworkIpStatistic: (call) => statistic(seen, network(call)['uuid'] as string, call.params),
    GetCandidateL3NetworksForChangeVmNicNetwork: ({ params }) => {
      const nic = need(seen, 'vmNic', params['vmNicUuid'])
      const fits = [...seen.rows('l3Network')].filter(([uuid]) => isOther(graph, nic, uuid))
      return { inventories: fits.map(([, row]) => render(seen, resources.l3Network, row)) }
    },
  }
}

function isOther(graph: Graph, nic: Readonly<Row>, l3: string): boolean {
  try {
    needOther(graph, nic, l3)
    return true
  } catch {
    // what stands in the way is told to who tries it
    return false
  }
}

/** The router answers DHCP, from the address that is the gateway of the guests. */
function gatewayOf(graph: Graph, l3: Readonly<Row>, family: 4 | 6): string | undefined {
  const ranges = [...graph.by('ipRange', 'l3NetworkUuid', l3['uuid'])].map((k) => graph.get('ipRange', k)!)
  return ranges.find((range) => range['ipVersion'] === family)?.['gateway'] as string | undefined
}

function dhcpAddresses(graph: Graph, l3: Readonly<Row>): Row {
  if (isFlat(l3, 'DHCP')) {
    const own = dhcpAddressOf(graph, l3['uuid'])
    return own ? { ip: own['ip'] } : {}
  }
  if (!hasService(l3 as Row, 'DHCP')) return {}
  const [ip, ip6] = [gatewayOf(graph, l3, 4), gatewayOf(graph, l3, 6)]
  return { ...(ip ? { ip } : {}), ...(ip6 ? { ip6 } : {}) }
}

const kindOf = (used: Readonly<Row>) => (used['vmNicUuid'] ? 'VM' : used['usedFor'] === 'Vip' ? 'VIP' : 'Other')
/** The four first, then the six; each in the order of their numbers. */
const byIp = (a: Readonly<Row>, b: Readonly<Row>): number =>
  familyOf(a['ip'] as string) - familyOf(b['ip'] as string) || compareIps(a['ip'] as string, b['ip'] as string)
const byDate = (a: Readonly<Row>, b: Readonly<Row>) => Number(a['createDate']) - Number(b['createDate']) || byIp(a, b)

function statistic(graph: Graph, l3: string, params: Row): Row {
  const { resourceType = 'All', ip, sortBy = 'Ip', sortDirection = 'asc', start = 0, limit = 20, replyWithCount } = params
  const wanted = typeof ip === 'string' ? canonicalIp(ip) : undefined
  const rows = [...graph.by('usedIp', 'l3NetworkUuid', l3)]
    .map((k) => graph.get('usedIp', k)!)
    .filter((used) => resourceType === 'All' || kindOf(used) === (resourceType === 'VM' ? 'VM' : 'VIP'))
    .filter((used) => wanted === undefined || used['ip'] === wanted)
    .sort(sortBy === 'CreateDate' ? byDate : byIp)
  if (sortDirection === 'desc') rows.reverse()
  const page = rows.slice(start as number, (start as number) + (limit as number))
  return {
    ipStatistics: page.map((used) => statisticOf(graph, used)),
    ...(replyWithCount === true ? { total: rows.length } : {}),
  }
}

function statisticOf(graph: Graph, used: Readonly<Row>): Row {
  const base = {
    ip: used['ip'],
    resourceTypes: [kindOf(used)],
    createDate: used['createDate'],
    ...(used['usedFor'] ? { useFor: used['usedFor'] } : {}),
  }
  const nic = graph.get('vmNic', (used['vmNicUuid'] as string | null) ?? '')
  const vm = nic && graph.get('vmInstance', nic['vmInstanceUuid'] as string)
  if (!nic || !vm) return base
  const main = [...graph.by('vmNic', 'vmInstanceUuid', vm['uuid'])]
    .map((k) => graph.get('vmNic', k)!)
    .find((card) => card['l3NetworkUuid'] === vm['defaultL3NetworkUuid'])
  const owner = graph.get('account', (vm['ownerUuid'] as string | null | undefined) ?? ADMIN_ACCOUNT)
  return {
    ...base,
    vmInstanceUuid: vm['uuid'],
    vmInstanceName: vm['name'],
    vmInstanceType: vm['type'],
    ...(main ? { vmDefaultIp: [main['ip']] } : {}),
    state: vm['state'],
    ...(owner ? { ownerName: owner['name'] } : {}),
  }
}
