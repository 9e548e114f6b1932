/** Lists of addresses and ports in rules of security groups, as people write them and as documents say them. Pure. */
import { ip, SkerryError } from '@skerry/contract'
import { z } from 'zod'
import { canonicalIp, familyOf, ipToNumber, numberToIp, prefixMask } from '../place/ip.ts'

/** As ZStack's. */
const MAX_ITEMS = 10
const MAX_PORT = 65_535
const BITS = { 4: 32, 6: 128 } as const

const refuse = (field: string, message: string) => new SkerryError('invalid-argument', message, { field })

function itemsOf(text: string, field: string): string[] {
  const items = text.split(',')
  if (items.length > MAX_ITEMS) throw refuse(field, `${field} has ${items.length} parts, at most ${MAX_ITEMS} are possible`)
  if (items.includes('')) throw refuse(field, `${field} has an empty part`)
  return items
}

function address(text: string, at: { version: 4 | 6; field: string }): string {
  if (!ip.safeParse(text).success) throw refuse(at.field, `${text} in ${at.field} is no address`)
  if (familyOf(text) !== at.version)
    throw refuse(at.field, `${text} in ${at.field} is no IPv${at.version} address, as the rule's ipVersion says`)
  return canonicalIp(text)
}

function oneSpan(item: string, at: { version: 4 | 6; field: string }): [bigint, bigint] {
  if (item.includes('-')) {
    const ends = item.split('-')
    const [from, to] = ends.map((end) => ipToNumber(address(end, at))) as [bigint, bigint]
    if (ends.length !== 2 || from > to)
      throw refuse(at.field, `${item} in ${at.field} is no range: its end comes before its start`)
    return [from, to]
  }
  const [base = '', length] = item.split('/') as [string, string | undefined]
  const from = ipToNumber(address(base, at))
  if (length === undefined) return [from, from]
  if (!/^\d{1,3}$/.test(length) || Number(length) > BITS[at.version] || item.split('/').length > 2)
    throw refuse(at.field, `${item} in ${at.field} is no network: its length must be 0 to ${BITS[at.version]}`)
  const mask = prefixMask(Number(length), at.version)
  const all = (1n << BigInt(BITS[at.version])) - 1n
  return [from & mask, (from & mask) | (all ^ mask)]
}

function merged<N extends bigint | number>(spans: [N, N][], next: (n: N) => N): [N, N][] {
  const sorted = [...spans].sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0))
  const out: [N, N][] = []
  for (const [from, to] of sorted) {
    const last = out.at(-1)
    if (last && from <= next(last[1])) {
      if (to > last[1]) last[1] = to
    } else out.push([from, to])
  }
  return out
}

/** Sorted, without overlaps. Throws `invalid-argument` naming the part that is wrong. */
export function addressSpans(text: string, version: 4 | 6, field = 'ipRange'): [string, string][] {
  const spans = itemsOf(text, field).map((item) => oneSpan(item, { version, field }))
  return merged(spans, (n) => n + 1n).map(([from, to]) => [numberToIp(from, version), numberToIp(to, version)])
}

const portText = z.string().regex(/^[1-9]\d{0,4}$/)

export function portSpans(text: string, field = 'dstPortRange'): [number, number][] {
  const spans = itemsOf(text, field).map((item): [number, number] => {
    const ends = item.split('-')
    const [from = 0, to = from] = ends.map((end) => (portText.safeParse(end).success ? Number(end) : Number.NaN))
    if (ends.length > 2 || !(from >= 1 && to <= MAX_PORT && from <= to))
      throw refuse(field, `${item} in ${field} is no port from 1 to ${MAX_PORT}, and no range of such`)
    return [from, to]
  })
  return merged(spans, (n) => n + 1)
}
