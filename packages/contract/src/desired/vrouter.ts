/** [format] What agent-vrouter keeps true: one router namespace a network, and the leases in it. */
import { z } from 'zod'
import { cidr4, hostname, ifname, ipv4, mac, uuid } from '../scalars.ts'

/** Noun `router`; uuid = L3 network. */
export const router = {
  noun: 'router',
  schema: 1,
  spec: z.object({
    bridge: ifname,
    cidrs: z.array(z.object({ cidr: cidr4, gateway: ipv4 })).min(1),
    mtu: z.number().int().nullable(),
    services: z.object({ dhcp: z.boolean(), dns: z.boolean(), snat: z.boolean() }),
    domain: hostname.nullable(),
    dns: z.array(ipv4),
    /** point-to-point subnet between the namespace and its host, for what leaves the network */
    uplink: z.object({ hostIp: ipv4, routerIp: ipv4, prefixLen: z.number().int() }).nullable(),
    leaseSeconds: z.number().int().min(120),
  }),
} as const
export type RouterSpec = z.infer<typeof router.spec>

/** Noun `lease`; uuid = NIC. The address that this MAC, and only it, gets. */
export const lease = {
  noun: 'lease',
  schema: 1,
  spec: z.object({ routerUuid: uuid, mac, ip: ipv4, hostname: hostname.nullable() }),
} as const
export type LeaseSpec = z.infer<typeof lease.spec>
/** `status.observed` of a lease: what dnsmasq's lease file says */
export const leaseObserved = z.object({ leased: z.boolean(), expiresAt: z.number().nullable() })
