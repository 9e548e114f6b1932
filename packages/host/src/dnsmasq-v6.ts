/** The IPv6 part of a dnsmasq configuration: router advertisements and DHCPv6. Pure. */
import { cidr6, hostname, ifname, ipv6 } from '@skerry/contract'
import { z } from 'zod'
import { checkInput } from './parse-json.ts'

export const dnsmasqV6 = z.strictObject({
  interface: ifname,
  network: cidr6,
  /** `static`: DHCPv6 gives listed hosts their address; `ra-stateless`: guests make their own and ask for the rest; `ra-only`: they ask for nothing */
  mode: z.enum(['static', 'ra-stateless', 'ra-only']),
  leaseSeconds: z.number().int().min(120).max(31_536_000),
  dnsServers: z.array(ipv6).max(8),
  domain: hostname.optional(),
  mtu: z.number().int().min(1280).max(65535).optional(),
})
export type DnsmasqV6 = z.infer<typeof dnsmasqV6>

/** Seconds between two advertisements that nobody asked for. */
const INTERVAL = 60

/**
 * Lines for the main file. The router is told as no default router (lifetime 0): it leads nowhere else, and guests that believed it would
 * try IPv6 first and wait. The prefix is on the link all the same. Throws `invalid-argument`.
 */
export function renderV6(config: DnsmasqV6): string[] {
  const c = checkInput('dnsmasq IPv6 configuration', config, dnsmasqV6)
  const [base, length] = c.network.split('/') as [string, string]
  const mtu = c.mtu ? `mtu:${c.mtu},` : ''
  return [
    'enable-ra',
    `ra-param=${c.interface},${mtu}${INTERVAL},0`,
    `dhcp-range=${base},${c.mode},${length},${c.leaseSeconds}s`,
    ...(c.dnsServers.length > 0 ? [`dhcp-option=option6:dns-server,${c.dnsServers.map((ip) => `[${ip}]`).join(',')}`] : []),
    ...(c.domain ? [`dhcp-option=option6:domain-search,${c.domain}`] : []),
  ]
}

/** A lease of DHCPv6 (RFC 8415): its client is known by a DUID. */
export interface DnsmasqLease6 {
  ip: string
  /** in the DUID, where that is made of one (types 1 and 3); null: nobody can tell */
  mac: string | null
}

const hex = (text: string) => text.split(':').map((byte) => byte.padStart(2, '0'))

function macOf(duid: string): string | null {
  const bytes = hex(duid)
  const type = bytes.slice(0, 2).join('')
  // after type and hardware type (Ethernet), and a time of four bytes in the first
  const at = { '0001': 8, '0003': 4 }[type]
  return at !== undefined && bytes.slice(2, 4).join('') === '0001' && bytes.length === at + 6 ? bytes.slice(at).join(':') : null
}

/** Lines behind `duid`: `<expiry> <iaid> <ip> <name|*> <client's DUID>`. */
export function parseLeases6(text: string): DnsmasqLease6[] {
  return text.split('\n').flatMap((line) => {
    const [expires, , ip, , duid] = line.split(' ')
    if (!expires || !/^\d+$/.test(expires) || !ip?.includes(':') || !duid) return []
    return [{ ip, mac: macOf(duid) }]
  })
}
