/** Documents as parts of the tables. Pure. */
import { hash } from 'node:crypto'
import type { kvmSecurity } from '@skerry/contract'
import { type NftElement, type NftStatement, nftables, type TableChain, type TablePart, type TableSet } from '@skerry/host'
import type { PlanContext, Wanted } from '@skerry/reconcile'
import {
  type Ability,
  ALWAYS_FROM,
  ALWAYS_TO,
  advertises,
  BRIDGES,
  CLEAN,
  chainFrom,
  chainIn,
  chainNd,
  chainOut,
  chainTo,
  FROM,
  FROM_MARK,
  fromMark,
  GUARDED,
  MACS,
  memberSet,
  ND_OF,
  OWN4,
  OWN6,
  TO,
  TO_MARK,
  toMark,
  ZONES,
} from './layout.ts'
import { statementsOf } from './rules.ts'

const { accept, ct, drop, jump, mangle, match, meta, returns } = nftables

export type WantedMembers = Wanted<kvmSecurity.SecurityMembersSpec>
export type WantedGroup = Wanted<kvmSecurity.SecurityGroupSpec>
export type WantedNic = Wanted<kvmSecurity.NicSecuritySpec>

export interface Docs {
  members: readonly WantedMembers[]
  groups: readonly WantedGroup[]
  nics: readonly WantedNic[]
}

export const docsOf = (context: Pick<PlanContext, 'wantedOf'>): Docs => ({
  members: context.wantedOf('securityMembers') as readonly WantedMembers[],
  groups: context.wantedOf('securityGroup') as readonly WantedGroup[],
  nics: context.wantedOf('nicSecurity') as readonly WantedNic[],
})

/** What belongs into the table of the bridge family, and into that of the rules. They may be one. */
export interface Parts {
  link: TablePart
  rules: TablePart
}

export const versionOf = (ip: string): 4 | 6 => (ip.includes(':') ? 6 : 4)
const typeOf = (version: 4 | 6) => `ipv${version}_addr`
const versions = [4, 6] as const

const setOfMembers = (groupUuid: string, version: 4 | 6, ips: readonly string[] = []): TableSet => ({
  name: memberSet(groupUuid, version),
  type: typeOf(version),
  elements: ips.filter((ip) => versionOf(ip) === version),
})

export const membersParts = ({ spec }: Pick<WantedMembers, 'spec'>): Parts => ({
  link: { sets: [], chains: [] },
  rules: { sets: versions.map((version) => setOfMembers(spec.securityGroupUuid, version, spec.ips)), chains: [] },
})

/** Of a group, and of those that its rules name: a set without members is there too. */
export const setsOfGroup = ({ uuid, spec }: Pick<WantedGroup, 'uuid' | 'spec'>): string[] => [
  ...new Set([uuid, ...spec.rules.flatMap(({ remoteGroupUuid }) => remoteGroupUuid ?? [])]),
]

export function groupParts(group: Pick<WantedGroup, 'uuid' | 'spec'>): Parts {
  const { uuid, spec } = group
  const of = (type: 'Ingress' | 'Egress') => spec.rules.filter((rule) => rule.type === type).map(statementsOf)
  return {
    link: { sets: [], chains: [] },
    rules: {
      sets: setsOfGroup(group).flatMap((named) => versions.map((version) => setOfMembers(named, version))),
      chains: [
        { name: chainIn(uuid), rules: of('Ingress') },
        { name: chainOut(uuid), rules: of('Egress') },
      ],
    },
  }
}

interface At {
  ability: Ability
  /** of a card, `inet` only */
  number: number
  /** groups that are known here */
  known: ReadonlySet<string>
}

const at = (name: string, type: string | string[], elements: NftElement[]): TableSet => ({ name, type, elements })
const to = (name: string, types: { type: string; map: string }, elements: NftElement[]): TableSet => ({
  name,
  ...types,
  elements,
})

/** A card in a group that is not known here gets nothing but what everybody gets. */
export function nicParts(nic: WantedNic, { ability, number, known }: At): Parts {
  const { uuid, spec } = nic
  const { tap, groups } = spec
  const clean = spec.cleanTraffic ? cleanPart(nic) : { sets: [], chains: [] }
  const guarded = at(GUARDED, 'ifname', [tap])
  if (!groups) return { link: { sets: [guarded, ...clean.sets], chains: clean.chains }, rules: { sets: [], chains: [] } }
  const complete = groups.uuids.every((group) => known.has(group))
  const judge = (name: string, always: string, chainOf: (group: string) => string, policy: string): TableChain => {
    const asked: NftStatement[][] = complete ? groups.uuids.map((group) => [jump(chainOf(group))]) : []
    return { name, rules: [[jump(always)], ...asked, [complete && policy === 'ALLOW' ? accept : drop]] }
  }
  const byKey = { type: ability === 'bridge' ? 'ifname' : 'mark', map: 'verdict' }
  const marks = { type: 'ifname', map: 'mark' }
  const [from, sent] = ability === 'bridge' ? [tap, tap] : [fromMark(number), toMark(number)]
  const rules: TablePart = {
    sets: [
      to(FROM, byKey, [[from, jump(chainFrom(uuid))]]),
      to(TO, byKey, [[sent, jump(chainTo(uuid))]]),
      ...(ability === 'inet' ? [at(BRIDGES, 'ifname', [spec.bridge])] : []),
    ],
    chains: [
      judge(chainFrom(uuid), ALWAYS_FROM, chainOut, groups.egressPolicy),
      judge(chainTo(uuid), ALWAYS_TO, chainIn, groups.ingressPolicy),
    ],
  }
  const marked =
    ability === 'inet' ? [to(FROM_MARK, marks, [[tap, fromMark(number)]]), to(TO_MARK, marks, [[tap, toMark(number)]])] : []
  return { link: { sets: [guarded, ...clean.sets, ...marked], chains: clean.chains }, rules }
}

/** An IPv6 address as one number. */
function hexOf(ip: string): string {
  const [head = '', tail] = ip.split('::') as [string, string | undefined]
  const words = (part: string | undefined) => (part ? part.split(':') : [])
  const zeros = 8 - words(head).length - words(tail).length
  const all = [...words(head), ...Array<string>(tail === undefined ? 0 : zeros).fill('0'), ...words(tail)]
  return `0x${all.map((word) => word.padStart(4, '0')).join('')}`
}

function cleanPart({ uuid, spec }: WantedNic): TablePart {
  const { tap, mac, ips } = spec
  const own = (version: 4 | 6): NftElement[] =>
    ips.filter((ip) => versionOf(ip) === version).map((ip) => ({ concat: [tap, mac, ip] }))
  const targets = ips.filter((ip) => versionOf(ip) === 6).map(hexOf)
  const linkLocal = match({ payload: { base: 'th', offset: 64, len: 10 } }, 0x3fa)
  return {
    sets: [
      at(CLEAN, 'ifname', [tap]),
      at(MACS, ['ifname', 'ether_addr'], [{ concat: [tap, mac] }]),
      at(OWN4, ['ifname', 'ether_addr', 'ipv4_addr'], own(4)),
      at(OWN6, ['ifname', 'ether_addr', 'ipv6_addr'], own(6)),
      to(ND_OF, { type: 'ifname', map: 'verdict' }, [[tap, jump(chainNd(uuid))]]),
    ],
    chains: [
      {
        name: chainNd(uuid),
        rules: [...targets.map((target) => [advertises(target), returns]), [linkLocal, returns], [drop]],
      },
    ],
  }
}

/** 1 to 65535: a zone of its own for nearly every bridge; two that share one only matter where their guests share addresses too. */
const zoneOf = (bridge: string): number => 1 + (Number.parseInt(hash('sha256', `zone/${bridge}`).slice(0, 8), 16) % 65_535)

/** `ibrname` is known to the bridge family only, and in the inet family a bridged packet comes in by its bridge. */
export function zonesChain(nics: readonly WantedNic[], ability: Ability): TableChain {
  const bridges = [...new Set(nics.filter(({ spec }) => spec.groups).map(({ spec }) => spec.bridge))].sort()
  const key = meta(ability === 'bridge' ? 'ibrname' : 'iifname')
  return { name: ZONES, rules: bridges.map((bridge) => [match(key, bridge), mangle(ct('zone'), zoneOf(bridge))]) }
}
