/** Networks. Pure; callers hand in text that the contract's `cidr4`, `ipv4`, `cidr6` and `ipv6` have checked. Of IPv6 only what is asked here. */
import { BlockList } from 'node:net'

const toNumber = (ip: string) => ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
const toText = (n: number) => [24, 16, 8, 0].map((shift) => (n >>> shift) & 255).join('.')
const maskOf = (length: number) => (length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0)

/** Length of the prefix of `10.0.0.0/24`: 24. */
export const prefixLength = (cidr: string) => Number(cidr.split('/')[1])

const baseOf = (cidr: string) => (toNumber(cidr.split('/')[0] ?? '') & maskOf(prefixLength(cidr))) >>> 0

/** `10.0.0.7/24` → `10.0.0.0/24`: as the kernel lists it. */
export const networkOf = (cidr: string) => `${toText(baseOf(cidr))}/${prefixLength(cidr)}`
/** Dotted mask of a network. */
export const netmaskOf = (cidr: string) => toText(maskOf(prefixLength(cidr)))
/** First address of a network. */
export const networkAddress = (cidr: string) => toText(baseOf(cidr))

export function contains(cidr: string, ip: string): boolean {
  return (toNumber(ip) & maskOf(prefixLength(cidr))) >>> 0 === baseOf(cidr)
}

/** Of IPv6. */
export function contains6(cidr: string, ip: string): boolean {
  const list = new BlockList()
  list.addSubnet(cidr.split('/')[0] ?? '', prefixLength(cidr), 'ipv6')
  return list.check(ip, 'ipv6')
}

export function overlaps(a: string, b: string): boolean {
  const [wide, narrow] = prefixLength(a) <= prefixLength(b) ? [a, b] : [b, a]
  return contains(wide, toText(baseOf(narrow)))
}
