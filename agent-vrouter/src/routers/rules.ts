/** The two tables of a router: one in its namespace, one shared by all routers in the host's own. Rules are fixed, sets move. */
import { type NftElement, type NftTable, nftables, type TableShape } from '@skerry/host'

const { accept, ct, ctState, drop, iifname, masquerade, match, meta, oifname, payload, prefix } = nftables

/** Names inside the namespace. */
export const LAN = 'lan0'
export const UP = 'up0'
/** Legs in public networks: `legName` of the contract begins so. */
export const LEGS = 'pub*'
/** Host ends of uplinks: `routerUplink` of the contract begins so. */
const ANY_UPLINK = 'skup*'

export const ROUTER_TABLE: NftTable = { family: 'inet', name: 'skerry' }
export const SNAT_SOURCES = 'snat_sources'
export const UPLINKS = 'uplinks'

const fromSources = match(payload('ip', 'saddr'), `@${SNAT_SOURCES}`)

/** In a router's namespace. What comes from outside reaches nothing new; guests reach DHCP, DNS and, with SNAT, the outside. */
export const routerShape: TableShape = {
  table: ROUTER_TABLE,
  sets: [{ name: SNAT_SOURCES, type: 'ipv4_addr', flags: ['interval'] }],
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
    { chain: 'input', expr: [iifname(LAN), match(payload('udp', 'dport'), 547), accept] },
    { chain: 'input', expr: [iifname(LAN), match(payload('udp', 'dport'), 67), accept] },
    { chain: 'input', expr: [iifname(LAN), match(payload('udp', 'dport'), 53), accept] },
    { chain: 'input', expr: [iifname(LAN), match(payload('tcp', 'dport'), 53), accept] },
    { chain: 'forward', expr: [ctState('established', 'related'), accept] },
    { chain: 'forward', expr: [ctState('invalid'), drop] },
    { chain: 'forward', expr: [iifname(LAN), oifname(UP), fromSources, accept] },
    // by a VIP: what comes in was translated (vips/rules.ts), and only who has an EIP is sent out by a leg
    { chain: 'forward', expr: [match(meta('iifname'), LEGS), match(ct('status'), 'dnat', 'in'), accept] },
    { chain: 'forward', expr: [iifname(LAN), match(meta('oifname'), LEGS), accept] },
    // a network with several ranges: the router is also the way between them
    { chain: 'forward', expr: [iifname(LAN), oifname(LAN), accept] },
    { chain: 'postrouting', expr: [fromSources, oifname(UP), masquerade] },
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
