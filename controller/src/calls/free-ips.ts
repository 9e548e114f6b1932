/** Addresses that nobody holds, of both families. */
import { type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { freeAddresses, isReserved, usedIpKey } from '../place/address.ts'
import { freeAddresses6, isReserved6 } from '../place/address6.ts'
import { canonicalIp, compareIps, familyOf, ipToNumber, within } from '../place/ip.ts'
import { need } from '../workflows/world.ts'

function rangesAsked(graph: Graph, params: Row): Row[] {
  if (!params['ipRangeUuid'] && !params['l3NetworkUuid'])
    throw new SkerryError('invalid-argument', 'give ipRangeUuid or l3NetworkUuid')
  if (params['ipRangeUuid']) return [need(graph, 'ipRange', params['ipRangeUuid'])]
  const l3 = need(graph, 'l3Network', params['l3NetworkUuid'])['uuid']
  return [...graph.by('ipRange', 'l3NetworkUuid', l3)].map((k) => need(graph, 'ipRange', k))
}

/** Free ones from an address on; a range of the other family has none behind it. */
function* freeIn(graph: Graph, range: Row, start: string | undefined): Generator<string> {
  if (start !== undefined && familyOf(start) !== range['ipVersion']) return
  if (range['ipVersion'] === 6) return yield* freeAddresses6(graph, range, start === undefined ? undefined : ipToNumber(start))
  for (const ip of freeAddresses(graph, range)) if (start === undefined || compareIps(ip, start) >= 0) yield ip
}

export function freeIps(graph: Graph, params: Row): Row {
  const { limit = 100, start, ipVersion } = params as { limit?: number; start?: string; ipVersion?: number }
  if (ipVersion === 5)
    throw new SkerryError('invalid-argument', 'invalid field[ipVersion]: must be 4 or 6', { field: 'ipVersion' })
  const inventories: Row[] = []
  for (const range of rangesAsked(graph, params)) {
    if (ipVersion !== undefined && range['ipVersion'] !== ipVersion) continue
    for (const ip of freeIn(graph, range, start)) {
      if (inventories.length >= limit) return { inventories }
      inventories.push({ ipRangeUuid: range['uuid'], ip, netmask: range['netmask'], gateway: range['gateway'] })
    }
  }
  return { inventories }
}

export function availability(graph: Graph, params: Row): Row {
  const l3 = need(graph, 'l3Network', params['l3NetworkUuid'])
  const ip = canonicalIp(params['ip'] as string)
  const inside = [...graph.by('ipRange', 'l3NetworkUuid', l3['uuid'])].some((k) => {
    const { startIp, endIp } = graph.get('ipRange', k) as { startIp: string; endIp: string }
    return within(ip, { startIp, endIp })
  })
  if (!inside && params['ipRangeCheck'] !== false)
    return { available: false, reason: `${ip} is in no range of network ${l3['name']}` }
  const kept = familyOf(ip) === 4 ? isReserved(graph, l3['uuid'], ip) : isReserved6(graph, l3['uuid'], ip)
  if (kept) return { available: false, reason: `${ip} is reserved` }
  const used = graph.get('usedIp', usedIpKey(l3['uuid'] as string, ip))
  return used
    ? { available: false, reason: `${ip} is in use${used['usedFor'] ? ` for ${used['usedFor']}` : ''}` }
    : { available: true }
}
