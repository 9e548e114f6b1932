/** The two tables of a router: one in its namespace, one shared by all routers in the host's own. Rules are fixed, sets move. */
import { type NftElement, type NftTable, nftables, type TableShape } from '@skerry/host'

const { accept, ct, ctState, drop, iifname, masquerade, match, meta, oifname, payload, prefix } = nftables

/** Names inside the namespace. */
export const LAN = 'lan0'
/** All of its networks: `lanName` of the contract begins so too. */
export const LANS = 'lan*'
export const UP = 'up0'
/** Legs in public networks: `legName` of the contract begins so. */
export const LEGS = 'pub*'
/** Host ends of uplinks: `routerUplink` of the contract begins so. */
const ANY_UPLINK = 'skup*'

/** Where charon hands over what it encrypts and decrypts. */
export const ESP_DEVICE = 'ipsec0'
/** Of packets of IPsec (ipsec/rules.ts), beyond those of legs: what a tunnel carries, and what tunnels are made of. */
export const MARK = { tunnel: 0x2000_0001, ike: 0x2000_0002 } as const
const inTunnel = match(meta('mark'), MARK.tunnel)

export const ROUTER_TABLE: NftTable = { family: 'inet', name: 'skerry' }
export const SNAT_SOURCES = 'snat_sources'
export const UPLINKS = 'uplinks'
/** Ports of its own addresses that are open to everybody: load balancers move them. */
export const SERVICES = 'services'

const fromLan = match(meta('iifname'), LANS)
const toLan = match(meta('oifname'), LANS)
const fromSources = match(payload('ip', 'saddr'), `@${SNAT_SOURCES}`)
const toService = match({ concat: [payload('ip', 'daddr'), meta('l4proto'), payload('th', 'dport')] }, `@${SERVICES}`)

/** In a router's namespace. What comes from outside reaches nothing new; guests reach DHCP, DNS and, with SNAT, the outside. */
export const routerShape: TableShape = {
  table: ROUTER_TABLE,
  sets: [
    { name: SNAT_SOURCES, type: 'ipv4_addr', flags: ['interval'] },
    { name: SERVICES, type: ['ipv4_addr', 'inet_proto', 'inet_service'] },
  ],
  chains: [
    { name: 'input', type: 'filter', hook: 'input', prio: 0, policy: 'drop' },
    { name: 'forward', type: 'filter', hook: 'forward', prio: 0, policy: 'drop' },
    { name: 'postrouting', type: 'nat', hook: 'postrouting', prio: 100, policy: 'accept' },
  ],
  rules: [
    { chain: 'input', expr: [iifname('lo'), accept] },
    { chain: 'input', expr: [ctState('established', 'related'), accept] },
    { chain: 'input', expr: [match(meta('l4proto'), 'icmp'), accept] },
    // neighbours and routers of IPv6 find each other by it
    { chain: 'input', expr: [match(meta('l4proto'), 'ipv6-icmp'), accept] },
    { chain: 'input', expr: [fromLan, match(payload('udp', 'dport'), 547), accept] },
    { chain: 'input', expr: [fromLan, match(payload('udp', 'dport'), 67), accept] },
    { chain: 'input', expr: [fromLan, match(payload('udp', 'dport'), 53), accept] },
    { chain: 'input', expr: [fromLan, match(payload('tcp', 'dport'), 53), accept] },
    { chain: 'input', expr: [toService, accept] },
    { chain: 'input', expr: [match(meta('mark'), MARK.ike), accept] },
    // between the networks of a tunnel: through it, or not at all
    { chain: 'forward', expr: [inTunnel, oifname(ESP_DEVICE), accept] },
    { chain: 'forward', expr: [inTunnel, iifname(ESP_DEVICE), toLan, accept] },
    { chain: 'forward', expr: [inTunnel, drop] },
    { chain: 'forward', expr: [ctState('established', 'related'), accept] },
    { chain: 'forward', expr: [ctState('invalid'), drop] },
    { chain: 'forward', expr: [fromLan, oifname(UP), fromSources, accept] },
    // by a VIP: what comes in was translated (vips/rules.ts), and only who has an EIP is sent out by a leg
    { chain: 'forward', expr: [match(meta('iifname'), LEGS), match(ct('status'), 'dnat', 'in'), accept] },
    { chain: 'forward', expr: [fromLan, match(meta('oifname'), LEGS), accept] },
    // between its networks, and the ranges of one, the router is also the way
    { chain: 'forward', expr: [fromLan, toLan, accept] },
    { chain: 'postrouting', expr: [inTunnel, accept] },
    { chain: 'postrouting', expr: [fromSources, oifname(UP), masquerade] },
    // without an EIP, which is looked at before: under the router's own address there
    { chain: 'postrouting', expr: [fromSources, match(meta('oifname'), LEGS), masquerade] },
  ],
}

const fromRouter = match({ concat: [meta('iifname'), payload('ip', 'saddr')] }, `@${UPLINKS}`)

/**
 * On the host. Only a router's own address, and only from its own interface, gets out; never from one router into another.
 * `accept` ends no chain of others: a FORWARD policy `drop` of theirs still drops, and is reported.
 */
export const hostShape = (name: string): TableShape => ({
  table: { family: 'inet', name },
  sets: [{ name: UPLINKS, type: ['ifname', 'ipv4_addr'] }],
  chains: [
    { name: 'forward', type: 'filter', hook: 'forward', prio: 0, policy: 'accept' },
    { name: 'postrouting', type: 'nat', hook: 'postrouting', prio: 100, policy: 'accept' },
  ],
  rules: [
    { chain: 'forward', expr: [match(meta('iifname'), ANY_UPLINK), match(meta('oifname'), ANY_UPLINK), drop] },
    { chain: 'forward', expr: [fromRouter, accept] },
    { chain: 'forward', expr: [match(meta('oifname'), ANY_UPLINK), ctState('established', 'related'), accept] },
    { chain: 'postrouting', expr: [fromRouter, match(meta('oifname'), ANY_UPLINK, '!='), masquerade] },
  ],
})

export interface UplinkElement {
  ifname: string
  ip: string
}

export const toSource = (cidr: string): NftElement => prefix(cidr)
export const toUplink = ({ ifname, ip }: UplinkElement): NftElement => ({ concat: [ifname, ip] })

/** `10.0.0.0/24` of an element of `snat_sources`; undefined: of a form that we never write. */
export function sourceOf(element: NftElement): string | undefined {
  if (typeof element === 'string') return `${element}/32`
  if (element && typeof element === 'object' && 'prefix' in element) return `${element.prefix.addr}/${element.prefix.len}`
  return undefined
}

export function uplinkOf(element: NftElement): UplinkElement | undefined {
  if (!element || typeof element !== 'object' || Array.isArray(element) || !('concat' in element)) return undefined
  const [ifname, ip] = element.concat
  return typeof ifname === 'string' && typeof ip === 'string' ? { ifname, ip } : undefined
}
