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

/** Addresses of a range that nobody holds, from `start` on, around the end and back. */
export function* freeAddresses(graph: Graph, range: Row, start = 0): Generator<string> {
  const first = ipToLong(range['startIp'] as string)
  const count = ipToLong(range['endIp'] as string) - first + 1
  for (let i = 0; i < count; i++) {
    const ip = longToIp(first + ((start + i) % count))
    if (!graph.get('usedIp', usedIpKey(range['l3NetworkUuid'] as string, ip))) yield ip
  }
}

/** A free address of a network, from a random place on (RandomIpAllocatorStrategy); undefined when all are taken. */
export function chooseAddress(graph: Graph, l3NetworkUuid: string, random: () => number): { ip: string; range: Row } | undefined {
  const ranges = [...graph.by('ipRange', 'l3NetworkUuid', l3NetworkUuid)].map((k) => graph.get('ipRange', k)! as Row)
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
