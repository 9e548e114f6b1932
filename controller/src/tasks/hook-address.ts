/** Where webhooks may go: anywhere but link-local addresses, where metadata services and our own routers' uplinks live. Pure. */
import { BlockList, isIP } from 'node:net'

const linkLocal = new BlockList()
linkLocal.addSubnet('169.254.0.0', 16, 'ipv4')
linkLocal.addSubnet('fe80::', 10, 'ipv6')

/** An IPv4 address inside an IPv6 one (`::ffff:a9fe:1`) counts as that. False for what is no address. */
export function isLinkLocal(address: string): boolean {
  const bare = address.split('%')[0]!
  const family = isIP(bare)
  return family !== 0 && linkLocal.check(bare, family === 4 ? 'ipv4' : 'ipv6')
}

/** What is wrong with a webhook's URL; undefined: nothing. Names are looked at again when they have been resolved. */
export function wrongHookUrl(text: string): string | undefined {
  if (!URL.canParse(text)) return 'must be an http:// or https:// URL'
  const { protocol, username, password, hostname } = new URL(text)
  if (!/^https?:$/.test(protocol)) return 'must be an http:// or https:// URL'
  // It is recorded until the hook has been called.
  if (username !== '' || password !== '') return 'must not hold a user name or password'
  // The URL parser has made 2852039166, 0xa9fea9fe and the like to dotted quads.
  if (isLinkLocal(hostname.replace(/^\[|\]$/g, ''))) return 'must not point to a link-local address (169.254.0.0/16, fe80::/10)'
  return undefined
}
