/**
 * The tables that guard network cards of guests. Pure.
 *
 * `bridge`: a kernel that tracks connections of bridges (nf_conntrack_bridge) needs one table of that family. `inet`: without it, the
 * table of the bridge family looks at frames and writes the card into the packet's mark, and br_netfilter hands packets on to the inet
 * family, which knows connections. nft has no `physdev`, so marks are the only way to tell cards there.
 *
 * What a guest sends is judged at prerouting, what is sent to it at forward: an `accept` ends one and not the other. What other tables
 * of a host drop stays dropped.
 */
import {
  type NftStatement,
  type NftTable,
  type NftValue,
  nftables,
  type SetShape,
  type TableChain,
  type TablePart,
} from '@skerry/host'

const { accept, anyOf, ctState, drop, jump, mangle, match, meta, payload, returns, vmap } = nftables

export type Ability = 'bridge' | 'inet'

const NAME = 'skerry_sg'
export const LINK_TABLE: NftTable = { family: 'bridge', name: NAME }
export const INET_TABLE: NftTable = { family: 'inet', name: NAME }
/** The table that holds the rules of groups. */
export const rulesTable = (ability: Ability): NftTable => (ability === 'bridge' ? LINK_TABLE : INET_TABLE)

/** Sets and maps of the link table: taps that are guarded at all, those of guests that may only speak as themselves, who these are. */
export const GUARDED = 'guarded'
export const CLEAN = 'clean'
export const MACS = 'macs'
export const OWN4 = 'own4'
export const OWN6 = 'own6'
export const ND_OF = 'nd_of'
/** Of the rules table: where what a card sends, and what is sent to it, is judged. */
export const FROM = 'from'
export const TO = 'to'
/** `inet` only: marks by tap, in the link table; our bridges, in the rules table. */
export const FROM_MARK = 'from_mark'
export const TO_MARK = 'to_mark'
export const BRIDGES = 'bridges'
/** Which zone of conntrack a bridge has: two tenants may use the same addresses on one host. */
export const ZONES = 'zones'
export const ALWAYS_FROM = 'always_from'
export const ALWAYS_TO = 'always_to'

export const chainFrom = (nicUuid: string) => `from_${nicUuid}`
export const chainTo = (nicUuid: string) => `to_${nicUuid}`
export const chainNd = (nicUuid: string) => `nd_${nicUuid}`
export const chainIn = (groupUuid: string) => `in_${groupUuid}`
export const chainOut = (groupUuid: string) => `out_${groupUuid}`
export const memberSet = (groupUuid: string, ipVersion: 4 | 6) => `m${ipVersion}_${groupUuid}`

/** Marks are ours by their upper half; packets with others are let be. */
const MARK_SPACE = 0x5ec0_0000
export const MAX_NUMBER = 0xffff
export const fromMark = (number: number) => 0x5ec1_0000 + number
export const toMark = (number: number) => 0x5ec2_0000 + number
export const numberOf = (mark: number) => mark & MAX_NUMBER

const iif = meta('iifname')
const etherType = payload('ether', 'type')
const icmp6 = payload('icmpv6', 'type')
const inSet = (left: unknown, set: string, op: '==' | '!=' = '==') => match(left, `@${set}`, op)
const concat = (...parts: unknown[]) => ({ concat: parts })

/** br_netfilter and conntrack see no others, so no rule could: VLAN tags of guests would be a way round all. */
const otherFrames = match(etherType, anyOf('ip', 'ip6', 'arp'), '!=')
const NEIGHBOURS = ['nd-neighbor-solicit', 'nd-neighbor-advert', 'nd-router-solicit']
const LISTENERS = ['mld-listener-query', 'mld-listener-report', 'mld-listener-done', 'mld2-listener-report']
const udp = (sport: number, dport: number): NftStatement[] => [
  match(payload('udp', 'sport'), sport),
  match(payload('udp', 'dport'), dport),
]
const ipv4Only = match(meta('protocol'), 'ip')
const ipv6Only = match(meta('protocol'), 'ip6')

const verdicts = (name: string, rules: readonly (readonly NftStatement[])[]): TableChain => ({ name, rules })
const hooked = (
  name: string,
  at: { hook: 'prerouting' | 'forward' | 'postrouting'; prio: number },
  rules: NftStatement[][],
): TableChain => ({ name, type: 'filter', ...at, policy: 'accept', rules })

/** RFC 4861: a neighbour advertisement names its target 8 bytes behind the type. `target`: as one number, in hex. */
export const advertises = (target: string): NftStatement => match({ payload: { base: 'th', offset: 64, len: 128 } }, target)

const spoofChains: TableChain[] = [
  verdicts('clean_from', [
    [inSet(concat(iif, payload('ether', 'saddr')), MACS, '!='), drop],
    [match(etherType, 'arp'), jump('clean_arp')],
    [match(etherType, 'ip'), jump('clean_ip4')],
    [match(etherType, 'ip6'), jump('clean_ip6')],
  ]),
  verdicts('clean_arp', [
    [inSet(concat(iif, payload('arp', 'saddr ether')), MACS, '!='), drop],
    // RFC 5227: asks whether an address is free, before it has one
    [match(payload('arp', 'saddr ip'), '0.0.0.0'), returns],
    [inSet(concat(iif, payload('arp', 'saddr ether'), payload('arp', 'saddr ip')), OWN4), returns],
    [drop],
  ]),
  verdicts('clean_ip4', [
    [match(payload('ip', 'saddr'), '0.0.0.0'), ...udp(68, 67), returns],
    [match(payload('udp', 'sport'), 67), drop],
    [inSet(concat(iif, payload('ether', 'saddr'), payload('ip', 'saddr')), OWN4), returns],
    [drop],
  ]),
  verdicts('clean_ip6', [
    [match(icmp6, anyOf('nd-router-advert', 'nd-redirect')), drop],
    [match(payload('udp', 'sport'), 547), drop],
    [match(icmp6, 'nd-neighbor-advert'), vmap(iif, ND_OF)],
    // RFC 4862: asks whether an address is free, before it has one
    [
      match(payload('ip6', 'saddr'), '::'),
      match(icmp6, anyOf('nd-neighbor-solicit', 'nd-router-solicit', 'mld2-listener-report', 'mld-listener-report')),
      returns,
    ],
    [inSet(concat(iif, payload('ether', 'saddr'), payload('ip6', 'saddr')), OWN6), returns],
    [match(payload('ip6', 'saddr'), { prefix: { addr: 'fe80::', len: 10 } }), returns],
    [drop],
  ]),
]

const linkSets: SetShape[] = [
  { name: GUARDED, type: 'ifname' },
  { name: CLEAN, type: 'ifname' },
  { name: MACS, type: ['ifname', 'ether_addr'] },
  { name: OWN4, type: ['ifname', 'ether_addr', 'ipv4_addr'] },
  { name: OWN6, type: ['ifname', 'ether_addr', 'ipv6_addr'] },
  { name: ND_OF, type: 'ifname', map: 'verdict' },
]

/** What every card has: connections that were let through go on, and what a guest needs to have an address at all. */
function alwaysChains(ability: Ability): TableChain[] {
  const established: NftStatement[][] = [
    // no connection, and never tracked; in the inet family there is none
    ...(ability === 'bridge' ? [[match(etherType, 'arp'), accept]] : []),
    [ctState('established', 'related'), accept],
    [ctState('invalid'), drop],
  ]
  return [
    verdicts(ALWAYS_FROM, [
      ...established,
      [match(icmp6, anyOf(...NEIGHBOURS, ...LISTENERS)), accept],
      [ipv4Only, ...udp(68, 67), accept],
      [ipv6Only, ...udp(546, 547), accept],
    ]),
    verdicts(ALWAYS_TO, [
      ...established,
      [match(icmp6, anyOf(...NEIGHBOURS, 'nd-router-advert', ...LISTENERS)), accept],
      [ipv4Only, ...udp(67, 68), accept],
      [ipv6Only, ...udp(547, 546), accept],
    ]),
  ]
}

/** After conntrack (-200), before anything of others. */
const JUDGE = { hook: 'prerouting', prio: -150 } as const
const BEFORE_TRACKING = { hook: 'prerouting', prio: -300 } as const

/** What does not depend on any document, without what is in its sets. The chain of zones is filled by `zonesOf`. */
export function baseParts(ability: Ability): { link: TablePart; rules: TablePart } {
  const frames: NftStatement[][] = [
    [inSet(iif, GUARDED), otherFrames, drop],
    [inSet(iif, CLEAN), jump('clean_from')],
  ]
  const toGuarded: NftStatement[] = [inSet(meta('oifname'), GUARDED), otherFrames, drop]
  const dispatch: SetShape[] = ['from', 'to'].map((name) => ({
    name,
    type: ability === 'bridge' ? 'ifname' : 'mark',
    map: 'verdict',
  }))
  const empty = (sets: readonly SetShape[]) => sets.map((set) => ({ ...set, elements: [] }))
  if (ability === 'bridge') {
    const link: TablePart = {
      sets: empty([...linkSets, ...dispatch]),
      chains: [
        ...spoofChains,
        ...alwaysChains(ability),
        hooked('frames', BEFORE_TRACKING, [[jump(ZONES)], ...frames]),
        hooked('egress', JUDGE, [[vmap(iif, FROM)]]),
        hooked('ingress', { hook: 'forward', prio: 0 }, [toGuarded, [vmap(meta('oifname'), TO)]]),
      ],
    }
    return { link, rules: { sets: [], chains: [] } }
  }
  const marks: SetShape[] = [FROM_MARK, TO_MARK].map((name) => ({ name, type: 'ifname', map: 'mark' }))
  const marked = (name: string, map: string): NftStatement => mangle(meta('mark'), { map: { key: meta(name), data: `@${map}` } })
  const space: NftStatement = match({ '&': [meta('mark'), 0xffc0_0000] } as unknown, MARK_SPACE as NftValue)
  const fromOurs = inSet(iif, BRIDGES)
  return {
    link: {
      sets: empty([...linkSets, ...marks]),
      chains: [
        ...spoofChains,
        hooked('frames', BEFORE_TRACKING, [...frames, [marked('iifname', FROM_MARK)]]),
        hooked('forwarded', { hook: 'forward', prio: -300 }, [toGuarded, [marked('oifname', TO_MARK)]]),
        hooked('leaving', { hook: 'postrouting', prio: -300 }, [[space, mangle(meta('mark'), 0)]]),
      ],
    },
    rules: {
      sets: empty([...dispatch, { name: BRIDGES, type: 'ifname' }]),
      chains: [
        ...alwaysChains(ability),
        hooked('raw', BEFORE_TRACKING, [[jump(ZONES)]]),
        hooked('egress', JUDGE, [[fromOurs, vmap(meta('mark'), FROM)]]),
        hooked('ingress', { hook: 'forward', prio: 0 }, [[fromOurs, vmap(meta('mark'), TO)]]),
      ],
    },
  }
}
