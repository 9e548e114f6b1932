/** From which addresses one may log in (AddAccessControlRule). Pure. */
import { BlockList, isIP } from 'node:net'
import { SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'

type Family = 'ipv4' | 'ipv6'
const familyOf = (address: string): Family | undefined => {
  const family = isIP(address)
  return family === 0 || address.includes('%') ? undefined : family === 4 ? 'ipv4' : 'ipv6'
}

/** Adds an address, a network or a range; false: it is none of them. */
function added(list: BlockList, text: string): boolean {
  const [first = '', last, ...more] = text.split('-').map((part) => part.trim())
  const [net = '', bits, ...rest] = first.split('/')
  const family = familyOf(net)
  if (!family || more.length + rest.length > 0 || (bits !== undefined && last !== undefined)) return false
  try {
    if (bits !== undefined) {
      if (!/^\d{1,3}$/.test(bits)) return false
      list.addSubnet(net, Number(bits), family)
    } else if (last !== undefined) list.addRange(net, last, family)
    else list.addAddress(net, family)
    return true
  } catch {
    // node refuses a prefix that is too long, ends of two families, and a range that ends before it begins
    return false
  }
}

/** Throws `invalid-argument` for what is no list of addresses, networks and ranges. */
export function addressesOf(rule: string): BlockList {
  const list = new BlockList()
  for (const part of rule.split(','))
    if (!added(list, part.trim()))
      throw new SkerryError(
        'invalid-argument',
        'invalid field[rule]: give addresses, networks such as 10.0.0.0/24 or ranges such as 10.0.0.5-10.0.0.9, with commas between them',
        { field: 'rule' },
      )
  return list
}

const allows = (strategy: unknown) => /^(allow|whitelist)$/i.test(String(strategy))
const LOOPBACK = addressesOf('127.0.0.0/8, ::1')

/**
 * Whether one may log in from an address. A denied address never may; where some are allowed, no others are. The machine of the
 * controller itself always may, or a mistake would lock everybody out; what is no IP address (NATS) has credentials of its own.
 */
export function mayLogIn(graph: Graph, from: string): boolean {
  if (graph.count('accessControlRule') === 0) return true
  // an IPv4 client of a socket that listens for both
  const address = from.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
  const family = familyOf(address)
  if (!family || LOOPBACK.check(address, family)) return true
  const rules = [...graph.rows('accessControlRule')].map(([, rule]) => rule)
  const named = (rule: (typeof rules)[number]) => addressesOf(rule['rule'] as string).check(address, family)
  const allowing = rules.filter((rule) => allows(rule['strategy']))
  if (rules.some((rule) => !allowing.includes(rule) && named(rule))) return false
  return allowing.length === 0 || allowing.some(named)
}

/** Throws `permission-denied`, the same whoever asks and whether the password is good. */
export function needLoginFrom(graph: Graph, from: string): void {
  if (!mayLogIn(graph, from))
    throw new SkerryError('permission-denied', 'logins from this address are not allowed here: an access control rule says so')
}
