/**
 * What flat routers have besides: on the host a table of the bridge family, which keeps each of them to the guests of its own host, and
 * in the namespace a set of who may read metadata. Rules are fixed, sets move. Pure.
 */
import type { vrouterDesired } from '@skerry/contract'
import { type NftElement, type NftTable, nftables, type TableShape } from '@skerry/host'
import { networkOf, prefixLength } from './cidr.ts'
import { LANS, routerShape } from './rules.ts'

const { accept, drop, match, meta, payload } = nftables
type Spec = vrouterDesired.RouterSpec

/** Where guests of every cloud ask for their metadata. */
export const METADATA_IP = '169.254.169.254'
export const METADATA_READERS = 'metadata_readers'

const toMetadata = [match(payload('ip', 'daddr'), METADATA_IP), match(payload('tcp', 'dport'), 80)]

/** In the namespace of a flat router: as any router's, and a guest reads metadata from its own MAC and address only. */
export const flatShape: TableShape = {
  ...routerShape,
  sets: [...routerShape.sets, { name: METADATA_READERS, type: ['ether_addr', 'ipv4_addr'] }],
  rules: [
    ...routerShape.rules,
    {
      chain: 'input',
      expr: [
        match(meta('iifname'), LANS),
        ...toMetadata,
        match({ concat: [payload('ether', 'saddr'), payload('ip', 'saddr')] }, `@${METADATA_READERS}`),
        accept,
      ],
    },
  ],
}

export const toReader = ({ mac, ip }: { mac: string; ip: string }): NftElement => ({ concat: [mac, ip] })
export function readerOf(element: NftElement): { mac: string; ip: string } | undefined {
  const at = pairOf(element)
  return at && { mac: at.ifname, ip: at.ip }
}

/** An interface on the host, and an address that is asked for or told by ARP there. */
export interface ArpPair {
  ifname: string
  ip: string
}
/** Sets of the table: bridge ports of flat routers; gateways for which they stand in; guests (taps) for whom they do. */
export interface FlatSets {
  ports: string[]
  gates: ArpPair[]
  asks: ArpPair[]
}
export const NO_SETS: FlatSets = { ports: [], gates: [], asks: [] }

/** Taps of guests; those of guests that were adopted keep libvirt's name until they are off. */
const TAPS = ['sktp*', 'vnet*']
const isNoTap = (end: 'iifname' | 'oifname') => TAPS.map((name) => match(meta(end), name, '!='))
const arp = match(payload('ether', 'type'), 'arp')
const pair = (end: 'iifname' | 'oifname', field: 'saddr ip' | 'daddr ip') => ({ concat: [meta(end), payload('arp', field)] })
const isPort = (end: 'iifname' | 'oifname', op: '==' | '!=' = '==') => match(meta(end), '@ports', op)

/**
 * Every host has a flat router at the same address, with the same MAC: nothing of it leaves the host, and nothing from outside reaches it.
 * Who has an EIP is told by it, and by nobody else, where the gateway is; all others are told so by everybody but it.
 */
export const bridgeShape = (name: string): TableShape => ({
  table: bridgeTable(name),
  sets: [
    { name: 'ports', type: 'ifname' },
    { name: 'gates', type: ['ifname', 'ipv4_addr'] },
    { name: 'asks', type: ['ifname', 'ipv4_addr'] },
  ],
  chains: [{ name: 'forward', type: 'filter', hook: 'forward', prio: -250, policy: 'accept' }],
  rules: [
    { chain: 'forward', expr: [isPort('iifname'), ...isNoTap('oifname'), drop] },
    { chain: 'forward', expr: [isPort('oifname'), ...isNoTap('iifname'), drop] },
    { chain: 'forward', expr: [arp, match(pair('iifname', 'daddr ip'), '@asks'), isPort('oifname', '!='), drop] },
    { chain: 'forward', expr: [arp, match(pair('oifname', 'saddr ip'), '@asks'), isPort('iifname', '!='), drop] },
    {
      chain: 'forward',
      expr: [arp, match(pair('oifname', 'daddr ip'), '@gates'), match(pair('iifname', 'daddr ip'), '@asks', '!='), drop],
    },
    {
      chain: 'forward',
      expr: [arp, match(pair('iifname', 'saddr ip'), '@gates'), match(pair('oifname', 'saddr ip'), '@asks', '!='), drop],
    },
  ],
})
export const bridgeTable = (name: string): NftTable => ({ family: 'bridge', name })

export const toPair = ({ ifname, ip }: ArpPair): NftElement => ({ concat: [ifname, ip] })
export function pairOf(element: NftElement): ArpPair | undefined {
  if (!element || typeof element !== 'object' || Array.isArray(element) || !('concat' in element)) return undefined
  const [ifname, ip] = element.concat
  return typeof ifname === 'string' && typeof ip === 'string' ? { ifname, ip } : undefined
}

/** Elements by set, as the table has them. */
export const toElements = ({ ports, gates, asks }: FlatSets): Record<keyof FlatSets, NftElement[]> => ({
  ports,
  gates: gates.map(toPair),
  asks: asks.map(toPair),
})

/** Addresses of a flat router in its network, in CIDR form. What it has of other ranges leads it to their guests. */
export function flatAddresses({ cidrs, flat }: Pick<Spec, 'cidrs'> & { flat: NonNullable<Spec['flat']> }): string[] {
  const [first] = cidrs
  if (!first) return []
  const isFirst = (cidr: string) => networkOf(cidr) === networkOf(first.cidr)
  return [
    `${flat.dhcpIp}/${prefixLength(first.cidr)}`,
    ...(flat.metadata ? [`${METADATA_IP}/32`] : []),
    ...(flat.eip ? [...new Set(cidrs.map(({ cidr, gateway }) => `${gateway}/${isFirst(cidr) ? 32 : prefixLength(cidr)}`))] : []),
  ]
}
