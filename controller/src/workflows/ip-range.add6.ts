/** A range of IPv6 addresses for a network that has IPv4 ones. Cards that come into it from then on have one of each. */
import { type Guard, type Op, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow } from '@skerry/workflow'
import { mtuOf } from '../desired/mtu.ts'
import { rangesOf, usedIpKey } from '../place/address.ts'
import { ranges6Of, SELF_MADE_PREFIX } from '../place/address6.ts'
import {
  canonicalIp,
  compareIps,
  endsInOrder,
  ipToNumber,
  isInCidr,
  networkAddress,
  numberToIp,
  prefixMask,
  within,
} from '../place/ip.ts'
import { input } from './input.ts'
import { VPC_NETWORK } from './vpc.rows.ts'
import { type Action, baseRow, type CheckInput, type Ctx, type Input, need, type World } from './world.ts'

export interface Range6 {
  startIp: string
  endIp: string
  netmask: string
  gateway: string
  networkCidr: string
  prefixLen: number
  addressMode: string
}

const bad = (message: string, details: Row = {}) => new SkerryError('invalid-argument', message, details)
const MIN_PREFIX = 8
const MAX_PREFIX = 126
/** What a link must carry for IPv6 to be on it (RFC 8200). */
const MIN_MTU = 1280

/** The range that the parameters of AddIpv6Range or AddIpv6RangeByNetworkCidr describe, or `invalid-argument`. Pure. */
export function range6Of(params: Row): Range6 {
  const range = typeof params['networkCidr'] === 'string' ? fromCidr(params['networkCidr']) : fromEnds(params)
  const addressMode = params['addressMode'] as string
  if (addressMode !== 'Stateful-DHCP' && range.prefixLen !== SELF_MADE_PREFIX)
    throw bad(`with ${addressMode} guests make their own addresses, so the prefix must be /${SELF_MADE_PREFIX}`, {
      field: 'addressMode',
      networkCidr: range.networkCidr,
    })
  for (const not of ['ff00::/8', 'fe80::/10', '::/128', '::1/128'])
    if (isInCidr(range.startIp, not) || isInCidr(range.endIp, not) || isInCidr(range.gateway, not))
      throw bad(`${range.networkCidr} holds addresses of ${not}, which no guest can be given`, { networkCidr: range.networkCidr })
  return { ...range, netmask: numberToIp(prefixMask(range.prefixLen, 6), 6), addressMode }
}

type Ends = Omit<Range6, 'addressMode' | 'netmask'>

function fromCidr(cidr: string): Ends {
  const [ip, length] = cidr.split('/') as [string, string]
  const prefixLen = Number(length)
  if (prefixLen < MIN_PREFIX || prefixLen > MAX_PREFIX)
    throw bad(`network ${cidr} must have between /${MIN_PREFIX} and /${MAX_PREFIX}`, { networkCidr: cidr })
  const base = ipToNumber(networkAddress(ip, prefixLen))
  const last = base + 2n ** BigInt(128 - prefixLen) - 1n
  const at = (n: bigint) => numberToIp(n, 6)
  return { startIp: at(base + 2n), endIp: at(last), gateway: at(base + 1n), networkCidr: `${at(base)}/${prefixLen}`, prefixLen }
}

function fromEnds(params: Row): Ends {
  const { startIp, endIp } = endsInOrder(params['startIp'] as string, params['endIp'] as string)
  const gateway = canonicalIp(params['gateway'] as string)
  const prefixLen = params['prefixLen'] as number
  const base = networkAddress(startIp, prefixLen)
  const networkCidr = `${base}/${prefixLen}`
  if (!isInCidr(endIp, networkCidr))
    throw bad(`${startIp} and ${endIp} are not in one network of /${prefixLen}`, { startIp, endIp })
  if (startIp === base) throw bad(`the range must leave out ${base}, which is every router's (RFC 4291)`, { startIp })
  if (!isInCidr(gateway, networkCidr) || gateway === base) throw bad(`gateway ${gateway} is outside ${networkCidr}`, { gateway })
  if (within(gateway, { startIp, endIp })) throw bad(`gateway ${gateway} is in the range ${startIp} to ${endIp}`, { gateway })
  return { startIp, endIp, gateway, networkCidr, prefixLen }
}

function fits(graph: Graph, l3NetworkUuid: string, range: Range6): void {
  const l3 = need(graph, 'l3Network', l3NetworkUuid)
  if (l3['type'] === VPC_NETWORK) throw bad(`network ${l3['name']} is of a VPC, whose routers serve no IPv6`, { l3NetworkUuid })
  if (rangesOf(graph, l3NetworkUuid).length === 0)
    throw bad(`network ${l3['name']} has no IPv4 range: guests here have an IPv4 address, and an IPv6 address beside it`, {
      l3NetworkUuid,
    })
  if (mtuOf(graph, l3) < MIN_MTU)
    throw bad(`the packets of network ${l3['name']} may have ${mtuOf(graph, l3)} bytes; IPv6 needs ${MIN_MTU}`, { l3NetworkUuid })
  for (const other of ranges6Of(graph, l3NetworkUuid)) {
    const ipRangeUuid = other['uuid']
    const [start, end] = [other['startIp'] as string, other['endIp'] as string]
    if (compareIps(range.startIp, end) <= 0 && compareIps(range.endIp, start) >= 0)
      throw bad(`the range overlaps ${other['name']} (${start} to ${end})`, { ipRangeUuid })
    for (const field of ['networkCidr', 'gateway', 'addressMode'] as const)
      if (other[field] !== range[field])
        throw bad(
          `all IPv6 ranges of a network have one ${field}: this network has ${other[field]}, the range says ${range[field]}`,
          {
            ipRangeUuid,
            field,
          },
        )
  }
  for (const row of [range.startIp, range.endIp])
    if (graph.get('usedIp', usedIpKey(l3NetworkUuid, row))) throw bad(`${row} is in use`, { ip: row })
}

const l3Of = (i: { params: Row }) => i.params['l3NetworkUuid'] as string

function add(ctx: Ctx) {
  const { graph, now } = ctx.world
  if (graph.get('ipRange', ctx.input.uuid)) return {}
  const range = range6Of(ctx.input.params)
  const l3 = l3Of(ctx.input)
  fits(graph, l3, range)
  const guards: Guard[] = [
    { g: 'absent', t: 'ipRange', k: ctx.input.uuid },
    { g: 'version', t: 'l3Network', k: l3, seq: graph.version('l3Network', l3) ?? -1 },
  ]
  const v = { ...baseRow(ctx), l3NetworkUuid: l3, ...range, ipVersion: 6, ipRangeType: 'Normal' }
  const ops: Op[] = [
    { o: 'put', t: 'ipRange', k: ctx.input.uuid, v },
    // Writing the network makes a second range that was checked against the same state conflict with this one.
    { o: 'set', t: 'l3Network', k: l3, v: { lastOpDate: now() } },
  ]
  return { change: { guards, ops, facts: [{ noun: 'ipRange', uuid: ctx.input.uuid, event: 'created' }] } }
}

export const ipRangeAdd6: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'ipRange.add6',
    version: 1,
    input,
    steps: [
      {
        name: 'add',
        do: add,
        undo: (ctx: Ctx) =>
          ctx.world.graph.get('ipRange', ctx.input.uuid)
            ? { change: { ops: [{ o: 'del' as const, t: 'ipRange', k: ctx.input.uuid }] } }
            : {},
      },
      {
        name: 'tell-router',
        do: async (ctx: Ctx) => void (await ctx.world.agents.converge([`router/${l3Of(ctx.input)}`], ctx)),
        noUndo: 'the router follows the ranges',
        optional: 'the call answers before the router has it',
      },
    ],
  }),
  check(i: CheckInput) {
    if (i.graph.get('ipRange', i.uuid))
      throw new SkerryError('duplicate-uuid', `an IP range with uuid ${i.uuid} exists`, { uuid: i.uuid })
    fits(i.graph, l3Of(i), range6Of(i.params))
  },
  queueKey: (i) => l3Of(i),
}
