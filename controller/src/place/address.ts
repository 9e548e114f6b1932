/** IPv4 arithmetic and the choice of a free address or MAC. Pure: the random number comes in (zstack-core §3.20). */
import type { Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'

export const ipToLong = (ip: string) => ip.split('.').reduce((n, octet) => n * 256 + Number(octet), 0)
export const longToIp = (n: number) => [24, 16, 8, 0].map((shift) => Math.floor(n / 2 ** shift) % 256).join('.')
export const prefixToMask = (prefixLen: number) => longToIp(2 ** 32 - 2 ** (32 - prefixLen))

/** Prefix length of a contiguous netmask, undefined for others. */
export function maskToPrefix(mask: string): number | undefined {
  const inverse = 2 ** 32 - 1 - ipToLong(mask)
  const length = 32 - Math.log2(inverse + 1)
  return Number.isInteger(length) ? length : undefined
}

export const networkOf = (ip: string, prefixLen: number) =>
  longToIp(Math.floor(ipToLong(ip) / 2 ** (32 - prefixLen)) * 2 ** (32 - prefixLen))

export const usedIpKey = (l3NetworkUuid: string, ip: string) => `${l3NetworkUuid}:${ip}`

interface Ends {
  first: number
  last: number
}
const endsOf = (row: Readonly<Row>): Ends => ({
  first: ipToLong(row['startIp'] as string),
  last: ipToLong(row['endIp'] as string),
})
export const isIpv4 = (ip: string) => !ip.includes(':')
/** IPv4 ranges of a network. */
export const rangesOf = (graph: Graph, l3NetworkUuid: unknown): Row[] =>
  [...graph.by('ipRange', 'l3NetworkUuid', l3NetworkUuid)]
    .map((k) => graph.get('ipRange', k)! as Row)
    .filter((range) => range['ipVersion'] === 4)
/** What is kept from being given out in a network. */
const reservedIn = (graph: Graph, l3NetworkUuid: unknown): Ends[] =>
  [...graph.by('reservedIpRange', 'l3NetworkUuid', l3NetworkUuid)]
    .map((k) => graph.get('reservedIpRange', k)!)
    .filter((row) => row['ipVersion'] === 4)
    .map(endsOf)
export const isReserved = (graph: Graph, l3NetworkUuid: unknown, ip: string): boolean =>
  reservedIn(graph, l3NetworkUuid).some(({ first, last }) => ipToLong(ip) >= first && ipToLong(ip) <= last)
/** How many addresses of a range are kept from being given out. */
export function reservedCount(graph: Graph, range: Readonly<Row>): number {
  const { first, last } = endsOf(range)
  return reservedIn(graph, range['l3NetworkUuid']).reduce(
    (sum, r) => sum + Math.max(0, Math.min(last, r.last) - Math.max(first, r.first) + 1),
    0,
  )
}

/** Addresses of a range that nobody holds and nothing keeps, from `start` on, around the end and back. */
export function* freeAddresses(graph: Graph, range: Row, start = 0): Generator<string> {
  const { first, last } = endsOf(range)
  const count = last - first + 1
  const kept = reservedIn(graph, range['l3NetworkUuid'])
  for (let i = 0; i < count; i++) {
    const long = first + ((start + i) % count)
    if (kept.some((r) => long >= r.first && long <= r.last)) continue
    const ip = longToIp(long)
    if (!graph.get('usedIp', usedIpKey(range['l3NetworkUuid'] as string, ip))) yield ip
  }
}

/** A free address of a network, from a random place on (RandomIpAllocatorStrategy); undefined when all are taken. */
export function chooseAddress(graph: Graph, l3NetworkUuid: string, random: () => number): { ip: string; range: Row } | undefined {
  const ranges = rangesOf(graph, l3NetworkUuid)
  const offset = Math.floor(random() * ranges.length)
  for (let i = 0; i < ranges.length; i++) {
    const range = ranges[(offset + i) % ranges.length]!
    const size = ipToLong(range['endIp'] as string) - ipToLong(range['startIp'] as string) + 1
    // A full range is told from the index, not by walking 65,000 addresses.
    if (graph.countBy('usedIp', 'ipRangeUuid', range['uuid']) >= size) continue
    for (const ip of freeAddresses(graph, range, Math.floor(random() * size))) return { ip, range }
  }
  return undefined
}

/** `fa` + four random bytes + the device id (zstack-core §3.20); undefined when 64 tries were all taken. */
export function chooseMac(graph: Graph, deviceId: number, random: () => number): string | undefined {
  const byte = (n: number) => n.toString(16).padStart(2, '0')
  for (let i = 0; i < 64; i++) {
    const mac = ['fa', ...Array.from({ length: 4 }, () => byte(Math.floor(random() * 256))), byte(deviceId)].join(':')
    if (!graph.get('usedMac', mac)) return mac
  }
  return undefined
}
