/** The table of a router's VIPs, in its namespace. Rules are fixed; what VIPs are used for stands in sets and maps. */
import { legName, type vrouterDesired } from '@skerry/contract'
import { type NftElement, type NftTable, type NftValue, nftables, type TableShape } from '@skerry/host'
import { networkOf } from '../routers/cidr.ts'
import { LANS, LEGS, MARK } from '../routers/rules.ts'

const { accept, anyOf, ct, ctState, dnat, drop, lookup, mangle, masquerade, match, meta, payload, prefix, snat } = nftables

export const VIP_TABLE: NftTable = { family: 'inet', name: 'skerry_vip' }

export type Spec = vrouterDesired.VipSpec
export interface Vip {
  uuid: string
  spec: Spec
}

/** Mark of what came in or goes out by a leg, and number of its routing table. Of the network's uuid, so that a router made anew has it again. */
export const legMark = (l3NetworkUuid: string) => 0x1000_0000 + Number.parseInt(l3NetworkUuid.slice(0, 7), 16)

const daddr = payload('ip', 'daddr')
const key = { concat: [daddr, meta('l4proto'), payload('th', 'dport')] }
const fromLan = match(meta('iifname'), LANS)
const toLan = match(meta('oifname'), LANS)
const fromLeg = match(meta('iifname'), LEGS)
const toLeg = match(meta('oifname'), LEGS)
const fresh = ctState('new')
const marked = match(ct('mark'), 0, '!=')
const unmarked = match(ct('mark'), 0)
/** Where answers to its sender go out; false: not by the interface that it came in by. */
const cameFrom = { fib: { result: 'oif', flags: ['saddr', 'mark', 'iif'] } }
const allowed = [
  match(meta('l4proto'), anyOf('tcp', 'udp')),
  match({ concat: [...key.concat, payload('ip', 'saddr')] }, '@pf_allowed'),
]

const target = ['ipv4_addr', 'inet_proto', 'inet_service']

/**
 * A connection keeps the leg that it began with, as its mark: answers go out where the question came in. Who has an EIP begins
 * connections by its leg; those that were there before stay where they are.
 */
export const vipShape: TableShape = {
  table: VIP_TABLE,
  sets: [
    { name: 'legs', type: 'ifname', map: 'mark' },
    { name: 'eip_guests', type: 'ipv4_addr', map: 'ipv4_addr' },
    { name: 'eip_legs', type: 'ipv4_addr', map: 'mark' },
    { name: 'eip_vips', type: 'ipv4_addr', map: 'ipv4_addr' },
    { name: 'pf_allowed', type: [...target, 'ipv4_addr'], flags: ['interval'] },
    { name: 'pf_guests', type: target, map: 'ipv4_addr', flags: ['interval'] },
    { name: 'pf_ports', type: target, map: 'inet_service' },
  ],
  chains: [
    { name: 'mark', type: 'filter', hook: 'prerouting', prio: -150, policy: 'accept' },
    { name: 'dnat', type: 'nat', hook: 'prerouting', prio: -100, policy: 'accept' },
    { name: 'own', type: 'route', hook: 'output', prio: -150, policy: 'accept' },
    { name: 'snat', type: 'nat', hook: 'postrouting', prio: 90, policy: 'accept' },
  ],
  rules: [
    { chain: 'mark', expr: [fromLeg, mangle(meta('mark'), lookup(meta('iifname'), 'legs'))] },
    { chain: 'mark', expr: [fromLeg, match(cameFrom, false), drop] },
    { chain: 'mark', expr: [fromLeg, fresh, mangle(ct('mark'), meta('mark'))] },
    { chain: 'mark', expr: [fromLan, marked, mangle(meta('mark'), ct('mark')), accept] },
    { chain: 'mark', expr: [fromLan, fresh, unmarked, mangle(meta('mark'), lookup(payload('ip', 'saddr'), 'eip_legs'))] },
    { chain: 'mark', expr: [fromLan, fresh, unmarked, mangle(ct('mark'), meta('mark'))] },
    { chain: 'dnat', expr: [dnat(lookup(daddr, 'eip_guests'))] },
    { chain: 'dnat', expr: [...allowed, dnat(lookup(key, 'pf_guests'), lookup(key, 'pf_ports'))] },
    { chain: 'dnat', expr: [...allowed, dnat(lookup(key, 'pf_guests'))] },
    // what the router itself answers under a VIP
    { chain: 'own', expr: [marked, mangle(meta('mark'), ct('mark'))] },
    // a guest that was told a shorter way to a neighbour's VIP would find nobody there
    { chain: 'own', expr: [match(payload('icmp', 'type'), 'redirect'), drop] },
    // the peer of a tunnel knows guests by their own addresses
    { chain: 'snat', expr: [match(meta('mark'), MARK.tunnel), accept] },
    { chain: 'snat', expr: [toLeg, snat(lookup(payload('ip', 'saddr'), 'eip_vips'))] },
    // between guests of one network by a VIP: answers have to come back here
    { chain: 'snat', expr: [fromLan, toLan, match(ct('status'), 'dnat', 'in'), masquerade] },
  ],
}

/** An address as its leg has it: one of the router's own brings the network along. */
export const cidrOf = ({ ip, prefixLen, own }: Spec): string => `${ip}/${own ? prefixLen : 32}`

export type Elements = Record<string, NftElement[]>

const span = (from: number, to: number): NftValue => (from === to ? from : { range: [from, to] })

/** What stands in the sets for these VIPs of one router. A guest with several EIPs begins connections under the first by uuid. */
export function elementsOf(vips: readonly Vip[]): Elements {
  const all: Elements = Object.fromEntries(vipShape.sets.map(({ name }) => [name, []]))
  const guests = new Set<string>()
  const legs = new Set(vips.map(({ spec }) => spec.l3NetworkUuid))
  all['legs']!.push(...[...legs].map((l3): NftElement => [legName(l3), legMark(l3)]))
  for (const { spec } of [...vips].sort((a, b) => (a.uuid < b.uuid ? -1 : 1))) {
    addForwarding(all, spec)
    if (!spec.eip) continue
    const { guestIp } = spec.eip
    all['eip_guests']!.push([spec.ip, guestIp])
    if (guests.has(guestIp)) continue
    guests.add(guestIp)
    all['eip_legs']!.push([guestIp, legMark(spec.l3NetworkUuid)])
    all['eip_vips']!.push([guestIp, spec.ip])
  }
  return all
}

/** A range that keeps its numbers is one element; else each port has one, because nft moves no range. */
function addForwarding(all: Elements, { ip, portForwarding }: Spec): void {
  for (const { protocol, vipPortStart, vipPortEnd, privatePortStart, guestIp, allowedCidr } of portForwarding) {
    const proto = protocol.toLowerCase()
    const ports = [ip, proto, span(vipPortStart, vipPortEnd)]
    all['pf_allowed']!.push({ concat: [...ports, prefix(networkOf(allowedCidr ?? '0.0.0.0/0'))] })
    all['pf_guests']!.push([{ concat: ports }, guestIp])
    if (privatePortStart === vipPortStart) continue
    for (let n = 0; n <= vipPortEnd - vipPortStart; n++)
      all['pf_ports']!.push([{ concat: [ip, proto, vipPortStart + n] }, privatePortStart + n])
  }
}

/** The address that an element is about; of those that are about guests, the guest's. */
export function addressOf(element: NftElement): string {
  const [first] = Array.isArray(element) ? element : [element]
  if (first && typeof first === 'object' && 'concat' in first) return String(first.concat[0])
  return String(first)
}
