/** How many addresses ranges, networks or zones have. */
import type { Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { ipToLong, reservedCount } from '../place/address.ts'
import { size6 } from '../place/address6.ts'
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
    const { total, reserved } = sizeOf(graph, range)
    const used = graph.countBy('usedIp', 'ipRangeUuid', uuid)
    sum.totalCapacity += total
    sum.usedIpAddressNumber += used
    sum.availableCapacity += Math.max(0, total - used - reserved)
  }
  return exact(sum)
}

function sizeOf(graph: Graph, range: Readonly<Row>): { total: number; reserved: number } {
  if (range['ipVersion'] === 6) return size6(graph, range)
  const total = ipToLong(range['endIp'] as string) - ipToLong(range['startIp'] as string) + 1
  return { total, reserved: reservedCount(graph, range) }
}

/** Sums of numbers that a client can still read exactly: a network of IPv6 has more addresses than that. */
const exact = (count: Count): Count => {
  const { totalCapacity, availableCapacity, usedIpAddressNumber } = count
  const most = (n: number) => Math.min(n, Number.MAX_SAFE_INTEGER)
  return { totalCapacity: most(totalCapacity), availableCapacity: most(availableCapacity), usedIpAddressNumber }
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
  const all = [...new Set([...ranges.values()].flat())]
  const of = (version: number) =>
    countOf(
      graph,
      all.filter((uuid) => graph.get('ipRange', uuid)!['ipVersion'] === version),
    )
  const [four, six] = [of(4), of(6)]
  return {
    ...countOf(graph, all),
    ...{
      ipv4TotalCapacity: four.totalCapacity,
      ipv4AvailableCapacity: four.availableCapacity,
      ipv4UsedIpAddressNumber: four.usedIpAddressNumber,
    },
    ...{
      ipv6TotalCapacity: six.totalCapacity,
      ipv6AvailableCapacity: six.availableCapacity,
      ipv6UsedIpAddressNumber: six.usedIpAddressNumber,
    },
    resourceType: type,
    capacityData: [...ranges].map(([resourceUuid, of]) => ({ resourceUuid, ...countOf(graph, of) })),
  }
}
