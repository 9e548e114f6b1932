/** A range of addresses for a network. The gateway's address is held by the router, so it is never given out. */
import { type Guard, type Op, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow } from '@skerry/workflow'
import { ipToLong, longToIp, maskToPrefix, networkOf, prefixToMask, rangesOf, usedIpKey } from '../place/address.ts'
import { dhcpAddress, flatDocuments, type Taken } from './flat.ts'
import { input } from './input.ts'
import { needGatewayKept } from './vpc.rows.ts'
import { type Action, baseRow, type CheckInput, type Ctx, derivedId, type Input, need, type World } from './world.ts'

export interface Range {
  startIp: string
  endIp: string
  netmask: string
  gateway: string
  networkCidr: string
  prefixLen: number
}

const bad = (message: string, details: Row = {}) => new SkerryError('invalid-argument', message, details)

/** The range that the parameters of AddIpRange or AddIpRangeByNetworkCidr describe, or `invalid-argument`. Pure. */
export function rangeOf(params: Row): Range {
  return typeof params['networkCidr'] === 'string'
    ? fromCidr(params['networkCidr'], params['gateway'] as string | undefined)
    : fromEnds(params)
}

function fromCidr(cidr: string, gatewayAsked: string | undefined): Range {
  const [ip, length] = cidr.split('/') as [string, string]
  const prefixLen = Number(length)
  if (prefixLen < 8 || prefixLen > 29) throw bad(`network ${cidr} must have between /8 and /29`, { networkCidr: cidr })
  const base = ipToLong(networkOf(ip, prefixLen))
  const last = base + 2 ** (32 - prefixLen) - 2
  const gateway = gatewayAsked ?? longToIp(base + 1)
  if (ipToLong(gateway) <= base || ipToLong(gateway) > last)
    throw bad(`gateway ${gateway} is outside ${cidr}`, { gateway, networkCidr: cidr })
  if (gateway !== longToIp(base + 1) && gateway !== longToIp(last))
    throw bad(`gateway ${gateway} must be the first or the last address of ${cidr}`, { gateway })
  const first = gateway === longToIp(base + 1)
  return {
    startIp: longToIp(first ? base + 2 : base + 1),
    endIp: longToIp(first ? last : last - 1),
    netmask: prefixToMask(prefixLen),
    gateway,
    networkCidr: `${longToIp(base)}/${prefixLen}`,
    prefixLen,
  }
}

function fromEnds(params: Row): Range {
  const { startIp, endIp, netmask } = params as Record<string, string>
  const prefixLen = maskToPrefix(netmask!)
  if (prefixLen === undefined || prefixLen < 8 || prefixLen > 30)
    throw bad(`netmask ${netmask} is not usable: it must be contiguous and between /8 and /30`, { netmask })
  if (ipToLong(startIp!) > ipToLong(endIp!))
    throw bad(`the range starts at ${startIp}, after its end ${endIp}`, { startIp, endIp })
  const network = networkOf(startIp!, prefixLen)
  const networkCidr = `${network}/${prefixLen}`
  if (networkOf(endIp!, prefixLen) !== network)
    throw bad(`${startIp} and ${endIp} are not in one network with netmask ${netmask}`, { startIp, endIp, netmask })
  const broadcast = ipToLong(network) + 2 ** (32 - prefixLen) - 1
  if (startIp === network || ipToLong(endIp!) === broadcast)
    throw bad(`the range must leave out the network address ${network} and the broadcast address ${longToIp(broadcast)}`, {
      networkCidr,
    })
  const gateway = (params['gateway'] as string | undefined) ?? longToIp(ipToLong(network) + 1)
  if (networkOf(gateway, prefixLen) !== network || gateway === network || ipToLong(gateway) === broadcast)
    throw bad(`gateway ${gateway} is outside ${networkCidr}`, { gateway, networkCidr })
  return { startIp: startIp!, endIp: endIp!, netmask: netmask!, gateway, networkCidr, prefixLen }
}

/** Ranges of one network must not overlap, and those of one CIDR must share the gateway. */
function fits(graph: Graph, l3NetworkUuid: string, range: Range): void {
  needGatewayKept(graph, l3NetworkUuid, range)
  for (const other of rangesOf(graph, l3NetworkUuid)) {
    const key = other['uuid']
    const [a, b] = [ipToLong(other['startIp'] as string), ipToLong(other['endIp'] as string)]
    if (ipToLong(range.startIp) <= b && ipToLong(range.endIp) >= a)
      throw bad(`the range overlaps ${other['name']} (${other['startIp']} to ${other['endIp']})`, { ipRangeUuid: key })
    if (other['networkCidr'] !== range.networkCidr)
      throw bad(`all ranges of a network must lie in one CIDR; this network has ${other['networkCidr']}`, { ipRangeUuid: key })
    if (other['gateway'] !== range.gateway)
      throw bad(`this network has gateway ${other['gateway']}, the range says ${range.gateway}`, { ipRangeUuid: key })
  }
}

const l3Of = (i: { params: Row }) => i.params['l3NetworkUuid'] as string

/** With its first range a flat network has an address for its DHCP server. */
function dhcpOf(ctx: Ctx, range: Range): Taken {
  const { graph, now } = ctx.world
  const l3 = need(graph, 'l3Network', l3Of(ctx.input))
  const added = { uuid: ctx.input.uuid, l3NetworkUuid: l3Of(ctx.input), ...range }
  return dhcpAddress({ graph, l3, uuid: derivedId(ctx, 'dhcp'), now: now() }, added)
}

function add(ctx: Ctx) {
  const { graph, now } = ctx.world
  const range = rangeOf(ctx.input.params)
  if (graph.get('ipRange', ctx.input.uuid)) return {}
  fits(graph, l3Of(ctx.input), range)
  const { systemTags: _s, userTags: _u, ...base } = baseRow(ctx)
  const guards: Guard[] = [
    { g: 'absent', t: 'ipRange', k: ctx.input.uuid },
    { g: 'version', t: 'l3Network', k: l3Of(ctx.input), seq: graph.version('l3Network', l3Of(ctx.input)) ?? -1 },
  ]
  const ops: Op[] = [
    {
      o: 'put',
      t: 'ipRange',
      k: ctx.input.uuid,
      v: { ...base, l3NetworkUuid: l3Of(ctx.input), ...range, ipVersion: 4, ipRangeType: 'Normal' },
    },
    // Writing the network makes a second range that was checked against the same state conflict with this one.
    { o: 'set', t: 'l3Network', k: l3Of(ctx.input), v: { lastOpDate: now() } },
  ]
  const inside = ipToLong(range.gateway) >= ipToLong(range.startIp) && ipToLong(range.gateway) <= ipToLong(range.endIp)
  const key = usedIpKey(l3Of(ctx.input), range.gateway)
  if (inside) {
    guards.push({ g: 'absent', t: 'usedIp', k: key })
    const at = now()
    ops.push({
      o: 'put',
      t: 'usedIp',
      k: key,
      v: {
        uuid: derivedId(ctx, 'gateway'),
        name: 'gateway',
        l3NetworkUuid: l3Of(ctx.input),
        ipRangeUuid: ctx.input.uuid,
        ip: range.gateway,
        ipInLong: ipToLong(range.gateway),
        netmask: range.netmask,
        gateway: range.gateway,
        ipVersion: 4,
        usedFor: 'Gateway',
        vmNicUuid: null,
        createDate: at,
        lastOpDate: at,
      },
    })
  }
  const address = dhcpOf(ctx, range)
  const facts = [{ noun: 'ipRange', uuid: ctx.input.uuid, event: 'created' }]
  return { change: { guards: [...guards, ...address.guards], ops: [...ops, ...address.ops], facts } }
}

function takeBack(ctx: Ctx) {
  const { graph } = ctx.world
  const ops: Op[] = [...graph.by('usedIp', 'ipRangeUuid', ctx.input.uuid)].map((k) => ({ o: 'del', t: 'usedIp', k }))
  if (graph.get('ipRange', ctx.input.uuid)) ops.push({ o: 'del', t: 'ipRange', k: ctx.input.uuid })
  return { change: { ops } }
}

export const ipRangeAdd: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'ipRange.add',
    version: 1,
    input,
    steps: [
      { name: 'add', do: add, undo: takeBack },
      {
        name: 'tell-router',
        do: async (ctx: Ctx) =>
          void (await ctx.world.agents.converge(
            [`router/${l3Of(ctx.input)}`, ...flatDocuments(ctx.world, l3Of(ctx.input))],
            ctx,
          )),
        noUndo: 'the router follows the ranges',
        optional: 'the call answers before the router has it',
      },
    ],
  }),
  check(i: CheckInput) {
    need(i.graph, 'l3Network', i.params['l3NetworkUuid'])
    if (i.graph.get('ipRange', i.uuid))
      throw new SkerryError('duplicate-uuid', `an IP range with uuid ${i.uuid} exists`, { uuid: i.uuid })
    fits(i.graph, i.params['l3NetworkUuid'] as string, rangeOf(i.params))
  },
  queueKey: (i) => i.params['l3NetworkUuid'] as string,
}
