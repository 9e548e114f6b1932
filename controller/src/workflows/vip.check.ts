/** Whether a VIP can be used so, and a card be reached by it. Pure: each throws what stands in the way, and says how it gets out. */
import { type Row, SkerryError, vrouterDesired } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { isFlat } from '../desired/flat.ts'
import { hasService } from '../desired/router.ts'
import { ipToLong, networkOf } from '../place/address.ts'
import { type AnyUse, serviceOf, usesOf } from './vip.uses.ts'
import { need, needEnabled } from './world.ts'

const { MAX_FORWARDINGS } = vrouterDesired

/** Each port of a range that is moved to other numbers is kept by itself on the host. */
const MAX_MOVED_PORTS = 1_000

/** The VIP, Enabled, that has no use, or only such ones. An EIP has its VIP for itself. */
export function needVipFor(graph: Graph, vipUuid: unknown, table: AnyUse, own?: unknown): Row {
  const vip = needEnabled(graph, 'vip', vipUuid)
  const others = usesOf(graph, vipUuid).filter(({ row }) => row['uuid'] !== own)
  const other = others.find((use) => use.table !== table || table === 'eip' || table === 'loadBalancer')
  if (other)
    throw new SkerryError('in-use', `VIP ${vip['name']} (${vip['ip']}) is in use for ${serviceOf[other.table]}`, {
      vipUuid,
      useFor: serviceOf[other.table],
    })
  return vip
}

const overlap = (a: Readonly<Row>, b: Readonly<Row>): boolean => {
  const length = Math.min(a['prefixLen'] as number, b['prefixLen'] as number)
  const network = (row: Readonly<Row>) => networkOf((row['ip'] ?? row['startIp']) as string, length)
  return network(a) === network(b)
}

/** Throws why the card can't be reached by that VIP. `own`: the use that is being attached. */
export function needReachable(graph: Graph, nicUuid: unknown, at: { vip: Readonly<Row>; table: AnyUse; own?: unknown }): Row {
  const { vip, table, own } = at
  const nic = need(graph, 'vmNic', nicUuid)
  const service = serviceOf[table]
  const l3 = need(graph, 'l3Network', nic['l3NetworkUuid'])
  const about = { vmNicUuid: nicUuid, vipUuid: vip['uuid'], l3NetworkUuid: l3['uuid'] }
  const stop = (message: string, more: Row = {}) => new SkerryError('illegal-state', message, { ...about, ...more })
  const vm = need(graph, 'vmInstance', nic['vmInstanceUuid'])
  if (nic['unplugged'] || vm['state'] === 'Destroyed')
    throw stop(`the network card of VM instance ${vm['name']} is being taken away`, { state: vm['state'] })
  if (l3['uuid'] === vip['l3NetworkUuid'])
    throw stop(`VIP ${vip['ip']} is of the guest's own network ${l3['name']}: take one of another network`)
  if (!hasService(l3, service)) throw stop(`network ${l3['name']} has no service ${service}: attach it first`, { service })
  const ranges = [...graph.by('ipRange', 'l3NetworkUuid', l3['uuid'])].map((k) => graph.get('ipRange', k)!)
  if (ranges.some((range) => range['startIp'] !== undefined && overlap(vip, range)))
    throw stop(`network ${l3['name']} and the network of VIP ${vip['ip']} have addresses in common`)
  const elsewhere = usesOf(graph, vip['uuid']).find(({ row }) => {
    const other = graph.get('vmNic', (row['vmNicUuid'] as string | null) ?? '')
    return row['uuid'] !== own && other !== undefined && other['l3NetworkUuid'] !== l3['uuid']
  })
  if (elsewhere)
    throw stop(`VIP ${vip['ip']} serves another network: one VIP leads to guests of one network`, {
      servedL3NetworkUuid: vip['servedL3Uuid'],
    })
  if (table === 'eip') needNoOther(graph, nic, vip, own)
  needNear(graph, vip, { vm, router: isFlat(l3, service) ? null : l3['routerAgentUuid'] })
  return nic
}

/** One EIP a card and public network. */
function needNoOther(graph: Graph, nic: Readonly<Row>, vip: Readonly<Row>, own: unknown): void {
  for (const key of graph.by('eip', 'vmNicUuid', nic['uuid'])) {
    const other = graph.get('eip', key)!
    if (key === own || graph.get('vip', other['vipUuid'] as string)?.['l3NetworkUuid'] !== vip['l3NetworkUuid']) continue
    throw new SkerryError('in-use', `the network card has EIP ${other['name']} (${other['vipIp']}) of the same network already`, {
      vmNicUuid: nic['uuid'],
      eipUuid: key,
    })
  }
}

/** The VIP's network must reach the host of the router. Where that isn't chosen yet, and in flat networks, it is the guest's host. */
function needNear(graph: Graph, vip: Readonly<Row>, { vm, router }: { vm: Readonly<Row>; router: unknown }): void {
  const agent = graph.get('agent', (router as string | null) ?? '')
  const host = graph.get('host', ((agent ? agent['hostUuid'] : vm['hostUuid']) as string | null) ?? '')
  if (!host) return
  const outer = need(graph, 'l3Network', vip['l3NetworkUuid'])
  const l2 = need(graph, 'l2Network', outer['l2NetworkUuid'])
  if ((l2['attachedClusterUuids'] as string[]).includes(host['clusterUuid'] as string)) return
  throw new SkerryError(
    'illegal-state',
    `network ${outer['name']} of VIP ${vip['ip']} does not reach the cluster of host ${host['name']}, where the router is: attach its L2 network there first`,
    { vipUuid: vip['uuid'], l2NetworkUuid: l2['uuid'], clusterUuid: host['clusterUuid'] },
  )
}

export interface Ports {
  vipPortStart: number
  vipPortEnd: number
  privatePortStart: number
  privatePortEnd: number
}

/** The ranges that a call describes: what it leaves out follows from what it says. Throws `invalid-argument`. */
export function portsOf(params: Row): Ports {
  const { vipPortStart, vipPortEnd = vipPortStart } = params as Record<string, number>
  const length = vipPortEnd! - vipPortStart!
  const privatePortStart = (params['privatePortStart'] as number | undefined) ?? vipPortStart!
  const asked = params['privatePortEnd'] as number | undefined
  const privatePortEnd = asked ?? (params['privatePortStart'] === undefined ? vipPortEnd! : privatePortStart + length)
  const ports = { vipPortStart: vipPortStart!, vipPortEnd: vipPortEnd!, privatePortStart, privatePortEnd }
  const bad = (message: string) => new SkerryError('invalid-argument', message, { ...ports })
  if (length < 0) throw bad(`the ports of the VIP end at ${vipPortEnd}, before they begin at ${vipPortStart}`)
  if (privatePortEnd < privatePortStart)
    throw bad(`the ports of the guest end at ${privatePortEnd}, before they begin at ${privatePortStart}`)
  if (privatePortEnd > 65_535) throw bad(`the ports of the guest would end at ${privatePortEnd}, after 65535`)
  if (privatePortEnd - privatePortStart !== length)
    throw bad(
      `the VIP has ${length + 1} ports in this rule and the guest ${privatePortEnd - privatePortStart + 1}: give both as many`,
    )
  if (privatePortStart !== vipPortStart && length >= MAX_MOVED_PORTS)
    throw bad(`a range that is led to other numbers has at most ${MAX_MOVED_PORTS} ports`)
  return ports
}

/** Rules of a VIP and protocol that have a port in this range. */
export const rulesAt = (graph: Graph, vipUuid: unknown, protocol: unknown): Readonly<Row>[] =>
  [...graph.by('portForwardingRule', 'vipUuid', vipUuid)]
    .map((k) => graph.get('portForwardingRule', k)!)
    .filter((rule) => rule['protocolType'] === protocol)
    .sort((a, b) => (a['vipPortStart'] as number) - (b['vipPortStart'] as number))

/** Throws `in-use` where a rule has one of these ports, or the VIP as many rules as there can be. */
export function needFreePorts(graph: Graph, vip: Readonly<Row>, params: Row): void {
  const { vipPortStart, vipPortEnd } = portsOf(params)
  const protocol = params['protocolType']
  const taken = rulesAt(graph, vip['uuid'], protocol).find(
    (rule) => (rule['vipPortStart'] as number) <= vipPortEnd && (rule['vipPortEnd'] as number) >= vipPortStart,
  )
  if (taken)
    throw new SkerryError(
      'in-use',
      `${protocol} ports ${taken['vipPortStart']} to ${taken['vipPortEnd']} of VIP ${vip['ip']} are forwarded by ${taken['name']} already`,
      { vipUuid: vip['uuid'], portForwardingRuleUuid: taken['uuid'] },
    )
  if (graph.countBy('portForwardingRule', 'vipUuid', vip['uuid']) >= MAX_FORWARDINGS)
    throw new SkerryError('illegal-state', `VIP ${vip['ip']} has ${MAX_FORWARDINGS} rules, the most there can be`, {
      vipUuid: vip['uuid'],
    })
}

/** The network of a CIDR, as the router keeps it. */
export const cidrOf = (cidr: string): string => {
  const [ip, length] = cidr.split('/') as [string, string]
  return `${networkOf(ip, Number(length))}/${length}`
}
export const isUsable = (ip: string, range: Readonly<Row>) =>
  ipToLong(ip) >= ipToLong(range['startIp'] as string) && ipToLong(ip) <= ipToLong(range['endIp'] as string)
