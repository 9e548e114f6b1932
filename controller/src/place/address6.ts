/** IPv6 addresses of a network: which are free, and which one a card has. Pure: the random number comes in. */
import type { Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { usedIpKey } from './address.ts'
import { ipToNumber, isInCidr, numberToIp, within } from './ip.ts'

/** Guests make their own address of this prefix and their MAC (RFC 4862), so the other half is 64 bits long. */
export const SELF_MADE_PREFIX = 64
export const isSelfMade = (range: Readonly<Row>): boolean => range['addressMode'] !== 'Stateful-DHCP'

export const ranges6Of = (graph: Graph, l3NetworkUuid: unknown): Row[] =>
  [...graph.by('ipRange', 'l3NetworkUuid', l3NetworkUuid)]
    .map((k) => graph.get('ipRange', k)! as Row)
    .filter((range) => range['ipVersion'] === 6)

interface Ends {
  first: bigint
  last: bigint
}
const endsOf = (row: Readonly<Row>): Ends => ({
  first: ipToNumber(row['startIp'] as string),
  last: ipToNumber(row['endIp'] as string),
})
const reservedIn = (graph: Graph, l3NetworkUuid: unknown): Ends[] =>
  [...graph.by('reservedIpRange', 'l3NetworkUuid', l3NetworkUuid)]
    .map((k) => graph.get('reservedIpRange', k)!)
    .filter((row) => row['ipVersion'] === 6)
    .map(endsOf)

/** How many addresses it has, and how many of them are kept from being given out; exact up to 2^53, then that. */
export function size6(graph: Graph, range: Readonly<Row>): { total: number; reserved: number } {
  const { first, last } = endsOf(range)
  const exact = (n: bigint) => Number(n > BigInt(Number.MAX_SAFE_INTEGER) ? BigInt(Number.MAX_SAFE_INTEGER) : n)
  const min = (a: bigint, b: bigint) => (a < b ? a : b)
  const max = (a: bigint, b: bigint) => (a > b ? a : b)
  const reserved = reservedIn(graph, range['l3NetworkUuid']).reduce(
    (sum, r) => sum + max(0n, min(last, r.last) - max(first, r.first) + 1n),
    0n,
  )
  return { total: exact(last - first + 1n), reserved: exact(reserved) }
}

/** As many as anybody asks for, or as a network has guests. */
const MAX_WALK = 70_000

/** Addresses of a range that nobody holds and nothing keeps, from an address on, up to its end. Gives up after a long row of taken ones. */
export function* freeAddresses6(graph: Graph, range: Readonly<Row>, from?: bigint): Generator<string> {
  const { first, last } = endsOf(range)
  const kept = reservedIn(graph, range['l3NetworkUuid'])
  let taken = 0
  for (let n = from === undefined || from < first ? first : from; n <= last && taken < MAX_WALK; n++) {
    const held = kept.find((r) => n >= r.first && n <= r.last)
    if (held) {
      n = held.last
      continue
    }
    const ip = numberToIp(n, 6)
    if (graph.get('usedIp', usedIpKey(range['l3NetworkUuid'] as string, ip))) taken++
    else yield ip
  }
}

/** What a guest makes of a prefix and its MAC: modified EUI-64 (RFC 4291, appendix A). */
export function selfMade(cidr: string, mac: string): string {
  const bytes = mac.split(':').map((byte) => Number.parseInt(byte, 16))
  const id = [bytes[0]! ^ 2, bytes[1]!, bytes[2]!, 0xff, 0xfe, bytes[3]!, bytes[4]!, bytes[5]!]
  const half = id.reduce((n, byte) => n * 256n + BigInt(byte), 0n)
  return numberToIp(ipToNumber(cidr.split('/')[0]!) | half, 6)
}

export const isReserved6 = (graph: Graph, l3NetworkUuid: unknown, ip: string): boolean =>
  reservedIn(graph, l3NetworkUuid).some(({ first, last }) => ipToNumber(ip) >= first && ipToNumber(ip) <= last)

/** The range that has an address. */
export const range6With = (ranges: readonly Row[], ip: string): Row | undefined =>
  ranges.find((range) =>
    isSelfMade(range)
      ? isInCidr(ip, range['networkCidr'] as string)
      : within(ip, range as { startIp: string; endIp: string } & Row),
  )

/** The IPv6 address of a card with that MAC in a network; undefined: every address is taken. */
export function chooseAddress6(
  graph: Graph,
  ranges: readonly Row[],
  { mac, random }: { mac: string; random: () => number },
): { ip: string; range: Row } | undefined {
  const own = ranges.find(isSelfMade)
  if (own) {
    const ip = selfMade(own['networkCidr'] as string, mac)
    const l3 = own['l3NetworkUuid']
    const taken = graph.get('usedIp', usedIpKey(l3 as string, ip)) || isReserved6(graph, l3, ip)
    return taken ? undefined : { ip, range: own }
  }
  const offset = Math.floor(random() * ranges.length)
  for (let i = 0; i < ranges.length; i++) {
    const range = ranges[(offset + i) % ranges.length]!
    const { first, last } = endsOf(range)
    // 48 bits of chance are what a number holds
    const start = first + (BigInt(Math.floor(random() * 2 ** 48)) * (last - first + 1n)) / 2n ** 48n
    for (const ip of freeAddresses6(graph, range, start)) return { ip, range }
    for (const ip of freeAddresses6(graph, range)) return { ip, range }
  }
  return undefined
}

/** The IPv6 address that a card has now; not one that its guest had before. */
export const address6Of = (graph: Graph, nicUuid: unknown): { key: string; row: Readonly<Row> } | undefined => {
  for (const key of graph.by('usedIp', 'vmNicUuid', nicUuid)) {
    const row = graph.get('usedIp', key)!
    if (row['ipVersion'] === 6 && !row['usedFor']) return { key, row }
  }
  return undefined
}
