/** Addresses of both families as numbers of any size. Text that comes in has been checked by the contract's scalars. Pure. */
import { SkerryError } from '@skerry/contract'

export const familyOf = (ip: string): 4 | 6 => (ip.includes(':') ? 6 : 4)
const BITS = { 4: 32n, 6: 128n } as const

const parse4 = (ip: string) => ip.split('.').reduce((n, octet) => n * 256n + BigInt(octet), 0n)
function parse6(ip: string): bigint {
  const [head = '', tail] = ip.split('::')
  const groups = (text: string) => (text === '' ? [] : text.split(':'))
  const left = groups(head)
  const right = tail === undefined ? [] : groups(tail)
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - left.length - right.length }, () => '0')
  return [...left, ...zeros, ...right].reduce((n, group) => n * 65_536n + BigInt(`0x${group}`), 0n)
}
export const ipToNumber = (ip: string): bigint => (familyOf(ip) === 4 ? parse4(ip) : parse6(ip))

const octets = (n: bigint) => [24n, 16n, 8n, 0n].map((shift) => (n >> shift) & 255n).join('.')
/** As RFC 5952 writes it: lower case, the first of the longest runs of at least two zero groups as `::`. */
function format6(n: bigint): string {
  const groups = Array.from({ length: 8 }, (_, i) => (n >> BigInt(112 - 16 * i)) & 65_535n)
  let best = { at: 0, length: 1 }
  for (let at = 0; at < 8; at++) {
    let length = 0
    while (at + length < 8 && groups[at + length] === 0n) length++
    if (length > best.length) best = { at, length }
  }
  const hex = groups.map((group) => group.toString(16))
  if (best.length < 2) return hex.join(':')
  return `${hex.slice(0, best.at).join(':')}::${hex.slice(best.at + best.length).join(':')}`
}
export const numberToIp = (n: bigint, family: 4 | 6): string => (family === 4 ? octets(n) : format6(n))

/** The one spelling that is recorded: two spellings of an address are one key. */
export const canonicalIp = (ip: string): string => numberToIp(ipToNumber(ip), familyOf(ip))

/** Of one family; below 0, 0 or above it as `a` comes before, is or comes after `b`. */
export function compareIps(a: string, b: string): number {
  const difference = ipToNumber(a) - ipToNumber(b)
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}
/** Whether an address lies between two, both included; never one of another family. */
export const within = (ip: string, { startIp, endIp }: { startIp: string; endIp: string }): boolean =>
  familyOf(ip) === familyOf(startIp) && compareIps(ip, startIp) >= 0 && compareIps(ip, endIp) <= 0

export const prefixMask = (prefixLen: number, family: 4 | 6): bigint => {
  const bits = BITS[family]
  return ((1n << bits) - 1n) ^ ((1n << (bits - BigInt(prefixLen))) - 1n)
}
/** The address with which the network of an address begins. */
export const networkAddress = (ip: string, prefixLen: number): string => {
  const family = familyOf(ip)
  return numberToIp(ipToNumber(ip) & prefixMask(prefixLen, family), family)
}
export const isInCidr = (ip: string, cidr: string): boolean => {
  const [base, length] = cidr.split('/') as [string, string]
  return familyOf(ip) === familyOf(base) && networkAddress(ip, Number(length)) === networkAddress(base, Number(length))
}

/** Both in their recorded spelling. Throws `invalid-argument` for two families, or an end before its start. */
export function endsInOrder(startIp: string, endIp: string): { startIp: string; endIp: string } {
  if (familyOf(startIp) !== familyOf(endIp))
    throw new SkerryError('invalid-argument', `${startIp} and ${endIp} are not of one family`, { startIp, endIp })
  if (compareIps(startIp, endIp) > 0)
    throw new SkerryError('invalid-argument', `the range starts at ${startIp}, after its end ${endIp}`, { startIp, endIp })
  return { startIp: canonicalIp(startIp), endIp: canonicalIp(endIp) }
}
