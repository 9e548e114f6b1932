/** What a rule of a security group comes to, and what is wrong with one. Pure. */
import { type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { configValue } from '../configs/value.ts'
import { rulesOf } from '../desired/security-group.ts'
import { addressSpans, portSpans } from './security.ranges.ts'
import { need } from './world.ts'

/** Rules that a group is made with: its members reach each other. Nothing else has this number, and they are asked first. */
export const DEFAULT_PRIORITY = 0
export const LAST = -1
const ANY = new Set(['0.0.0.0/0', '::/0'])

const refuse = (field: string, message: string) => new SkerryError('invalid-argument', message, { field })

export interface RuleFields extends Row {
  type: 'Ingress' | 'Egress'
  ipVersion: 4 | 6
  protocol: string
  srcIpRange: string | null
  dstIpRange: string | null
  dstPortRange: string | null
  action: string
  remoteSecurityGroupUuid: string | null
}

/** `allowedCidr` is what older clients call the addresses of either direction. */
function rangesOf(given: Row): Pick<RuleFields, 'srcIpRange' | 'dstIpRange'> {
  const [own, other] =
    given['type'] === 'Ingress' ? (['srcIpRange', 'dstIpRange'] as const) : (['dstIpRange', 'srcIpRange'] as const)
  const said = (field: string) => (given[field] ? (given[field] as string) : undefined)
  if (said(other)) throw refuse(other, `a rule of type ${given['type']} has no ${other}: its own end is the network card`)
  if (said(own) && said('allowedCidr')) throw refuse('allowedCidr', `allowedCidr and ${own} say the same: give one of them`)
  const range = said(own) ?? said('allowedCidr')
  const value = range === undefined || ANY.has(range) ? null : range
  return own === 'srcIpRange' ? { srcIpRange: value, dstIpRange: null } : { srcIpRange: null, dstIpRange: value }
}

/** `startPort` and `endPort` are what older clients call one range; −1: any. */
function portsOf(given: Row): string | null {
  const [start, end] = [given['startPort'], given['endPort']] as (number | undefined)[]
  const ports = given['dstPortRange'] ? (given['dstPortRange'] as string) : undefined
  if (ports !== undefined && (start ?? end) !== undefined)
    throw refuse('startPort', 'startPort, endPort and dstPortRange say the same: give dstPortRange or both of the others')
  if ((start === undefined) !== (end === undefined)) throw refuse('endPort', 'startPort and endPort go together')
  const range = start === undefined || (start === -1 && end === -1) ? (ports ?? null) : `${start}-${end}`
  if (range === null) return null
  if (!['TCP', 'UDP'].includes(given['protocol'] as string))
    throw refuse(ports === undefined ? 'startPort' : 'dstPortRange', `protocol ${given['protocol']} has no ports`)
  portSpans(range, ports === undefined ? 'startPort' : 'dstPortRange')
  return range
}

/** A rule as it is recorded, from what a caller says. Throws `invalid-argument` naming the field. */
export function ruleFields(graph: Graph, group: Readonly<Row>, given: Row): RuleFields {
  const ipVersion = (given['ipVersion'] ?? group['ipVersion']) as 4 | 6
  const ranges = rangesOf(given)
  const remote = (given['remoteSecurityGroupUuid'] as string | null | undefined) || null
  for (const field of ['srcIpRange', 'dstIpRange'] as const)
    if (ranges[field] !== null) addressSpans(ranges[field], ipVersion, field)
  const range = ranges.srcIpRange ?? ranges.dstIpRange
  if (remote !== null) {
    need(graph, 'securityGroup', remote)
    if (range !== null) throw refuse('remoteSecurityGroupUuid', 'a rule names addresses or a security group, not both')
  }
  return {
    type: given['type'] as 'Ingress' | 'Egress',
    ipVersion,
    protocol: given['protocol'] as string,
    ...ranges,
    dstPortRange: portsOf(given),
    action: (given['action'] as string | undefined) ?? 'ACCEPT',
    remoteSecurityGroupUuid: remote,
  }
}

const SAME = ['type', 'ipVersion', 'protocol', 'srcIpRange', 'dstIpRange', 'dstPortRange', 'action', 'remoteSecurityGroupUuid']
const isSame = (a: Readonly<Row>, b: Readonly<Row>) => SAME.every((field) => (a[field] ?? null) === (b[field] ?? null))

export function needNew(graph: Graph, groupUuid: string, fields: Readonly<Row>, but?: unknown): void {
  const twin = rulesOf(graph, groupUuid).find((rule) => rule['uuid'] !== but && isSame(rule, fields))
  if (twin) throw new SkerryError('illegal-state', 'the security group has this rule already', { uuid: twin['uuid'] })
}

/** Throws where a group would have more rules of a direction than it may. */
export function needRoom(graph: Graph, groupUuid: string, rules: readonly Readonly<Row>[]): void {
  const limit = configValue(graph, 'securityGroup.rules.num.limit')
  for (const type of ['Ingress', 'Egress']) {
    const more = rules.filter((rule) => rule['type'] === type).length
    const there = rulesOf(graph, groupUuid).filter(
      (rule) => rule['type'] === type && rule['priority'] !== DEFAULT_PRIORITY,
    ).length
    if (more > 0 && there + more > limit)
      throw new SkerryError('illegal-state', `the security group may have ${limit} rules of type ${type}, and has ${there}`, {
        limit,
        type,
      })
  }
}
