/** What a list of addresses says, as networks. Pure. */
import { cidr4, ipv4, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { ipToLong, longToIp, networkOf } from './address.ts'

export const ENTRY = 'accessControlListEntry'

const networkOfCidr = (cidr: string): string => {
  const [ip, length] = cidr.split('/') as [string, string]
  return `${networkOf(ip, Number(length))}/${length}`
}

/** Networks that are together these addresses, both ends included. */
function networksBetween(from: number, to: number): string[] {
  const found: string[] = []
  for (let at = from; at <= to; ) {
    let size = at === 0 ? 2 ** 32 : 2 ** 31
    while (at % size !== 0 || at + size - 1 > to) size /= 2
    found.push(`${longToIp(at)}/${32 - Math.log2(size)}`)
    at += size
  }
  return found
}

/** `10.0.0.1,10.1.0.0/16,10.2.0.1-10.2.0.9` as networks. Throws `invalid-argument`. */
export function networksIn(entries: string): string[] {
  const bad = (one: string) =>
    new SkerryError('invalid-argument', `invalid field[entries]: ${one} is no address, network or range`, { field: 'entries' })
  return entries.split(',').flatMap((one) => {
    if (ipv4.safeParse(one).success) return [`${one}/32`]
    if (cidr4.safeParse(one).success) return [networkOfCidr(one)]
    const [from, to, more] = one.split('-')
    if (more !== undefined || !ipv4.safeParse(from).success || !ipv4.safeParse(to).success) throw bad(one)
    if (ipToLong(from!) > ipToLong(to!)) throw bad(one)
    return networksBetween(ipToLong(from!), ipToLong(to!))
  })
}

/** Of a whole list, each once. */
export const networksOfAcl = (graph: Graph, acl: unknown): string[] => [
  ...new Set([...graph.by(ENTRY, 'aclUuid', acl)].sort().flatMap((k) => networksIn(graph.get(ENTRY, k)!['ipEntries'] as string))),
]
