/** How many addresses ranges, networks or zones have. */
import type { Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { ipToLong } from '../place/address.ts'
import { need } from '../workflows/world.ts'

interface Count {
  totalCapacity: number
  availableCapacity: number
  usedIpAddressNumber: number
}

function countOf(graph: Graph, rangeUuids: Iterable<string>): Count {
  const sum = { totalCapacity: 0, availableCapacity: 0, usedIpAddressNumber: 0 }
  for (const uuid of rangeUuids) {
    const range = graph.get('ipRange', uuid)!
    const total = ipToLong(range['endIp'] as string) - ipToLong(range['startIp'] as string) + 1
    const used = graph.countBy('usedIp', 'ipRangeUuid', uuid)
    sum.totalCapacity += total
    sum.usedIpAddressNumber += used
    sum.availableCapacity += total - used
  }
  return sum
}

const rangesOf = (graph: Graph, l3s: Iterable<string>) =>
  [...l3s].flatMap((uuid) => [...graph.by('ipRange', 'l3NetworkUuid', uuid)])

/** What the caller asks about: the narrowest that it names, else every network. */
function asked(graph: Graph, params: Row): { type: string; ranges: Map<string, string[]> } {
  const named = (field: string, table: string) =>
    ((params[field] as string[] | undefined) ?? []).map((uuid) => need(graph, table, uuid)['uuid'] as string)
  const ranges = named('ipRangeUuids', 'ipRange')
  if (ranges.length > 0) return { type: 'IpRangeVO', ranges: new Map(ranges.map((uuid) => [uuid, [uuid]])) }
  const zones = named('zoneUuids', 'zone')
  const l3s = named('l3NetworkUuids', 'l3Network')
  if (zones.length > 0 && l3s.length === 0) {
    const inZone = (zone: string) => rangesOf(graph, graph.by('l3Network', 'zoneUuid', zone))
    return { type: 'ZoneVO', ranges: new Map(zones.map((zone) => [zone, inZone(zone)])) }
  }
  const networks = l3s.length > 0 ? l3s : [...graph.rows('l3Network')].map(([key]) => key)
  return { type: 'L3NetworkVO', ranges: new Map(networks.map((uuid) => [uuid, rangesOf(graph, [uuid])])) }
}

export function ipCapacity(graph: Graph, params: Row): Row {
  const { type, ranges } = asked(graph, params)
  const sum = countOf(graph, new Set([...ranges.values()].flat()))
  const { totalCapacity, availableCapacity, usedIpAddressNumber } = sum
  return {
    ...sum,
    ...{
      ipv4TotalCapacity: totalCapacity,
      ipv4AvailableCapacity: availableCapacity,
      ipv4UsedIpAddressNumber: usedIpAddressNumber,
    },
    ...{ ipv6TotalCapacity: 0, ipv6AvailableCapacity: 0, ipv6UsedIpAddressNumber: 0 },
    resourceType: type,
    capacityData: [...ranges].map(([resourceUuid, of]) => ({ resourceUuid, ...countOf(graph, of) })),
  }
}
