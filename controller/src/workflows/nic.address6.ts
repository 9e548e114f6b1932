/** The IPv6 address of a card, beside its IPv4 one: a row of its own that names the card. */
import { type Guard, type Op, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { usedIpKey } from '../place/address.ts'
import { chooseAddress6, isReserved6, isSelfMade, range6With, ranges6Of } from '../place/address6.ts'
import { canonicalIp } from '../place/ip.ts'
import { type Ctx, need } from './world.ts'

interface Card {
  nicUuid: string
  l3NetworkUuid: string
  mac: string
  /** of the row, stable over repeats */
  usedIpUuid: string
  /** asked for; without one any that is free */
  ip?: string | undefined
}

/** The address that a call asks for, with its range. Throws `invalid-argument` outside of all ranges and where guests make their own, `in-use` where somebody has it. */
export function fixedAddress6(graph: Graph, l3: Readonly<Row>, asked: string): { ip: string; range: Row } {
  const ip = canonicalIp(asked)
  const range = range6With(ranges6Of(graph, l3['uuid']), ip)
  const about = { field: 'ip6', ip, l3NetworkUuid: l3['uuid'] }
  if (!range) throw new SkerryError('invalid-argument', `${ip} is in no range of network ${l3['name']}`, about)
  if (isSelfMade(range))
    throw new SkerryError(
      'invalid-argument',
      `guests of network ${l3['name']} make their own IPv6 addresses (${range['addressMode']}): ip6 can't be said`,
      about,
    )
  // Not by whom: the network may be shared with other accounts.
  if (isReserved6(graph, l3['uuid'], ip) || graph.get('usedIp', usedIpKey(l3['uuid'] as string, ip)))
    throw new SkerryError('in-use', `${ip} in network ${l3['name']} is in use`, about)
  return { ip, range }
}

/** The row of a card's IPv6 address, with what must stand for it; nothing where the network has no such addresses. Throws `no-address`. */
export function rows6(ctx: Ctx, card: Card): { guards: Guard[]; ops: Op[] } {
  const { graph, random, now } = ctx.world
  const ranges = ranges6Of(graph, card.l3NetworkUuid)
  if (ranges.length === 0) return { guards: [], ops: [] }
  const l3 = need(graph, 'l3Network', card.l3NetworkUuid)
  const chosen = card.ip ? fixedAddress6(graph, l3, card.ip) : chooseAddress6(graph, ranges, { mac: card.mac, random })
  if (!chosen)
    throw new SkerryError('no-address', `network ${l3['name']} has no free IPv6 address for ${card.mac}`, {
      l3NetworkUuid: card.l3NetworkUuid,
      mac: card.mac,
    })
  const { ip, range } = chosen
  const { netmask, gateway, uuid: ipRangeUuid } = range
  const at = { l3NetworkUuid: card.l3NetworkUuid, ipRangeUuid, ip, ipInLong: 0, netmask, gateway, ipVersion: 6 }
  const dates = { createDate: now(), lastOpDate: now() }
  const v = { uuid: card.usedIpUuid, name: ip, ...at, usedFor: null, vmNicUuid: card.nicUuid, ...dates }
  const k = usedIpKey(card.l3NetworkUuid, ip)
  const seq = graph.version('ipRange', ipRangeUuid as string)!
  return {
    guards: [
      { g: 'absent', t: 'usedIp', k },
      { g: 'version', t: 'ipRange', k: ipRangeUuid as string, seq },
    ],
    ops: [{ o: 'put', t: 'usedIp', k, v }],
  }
}
