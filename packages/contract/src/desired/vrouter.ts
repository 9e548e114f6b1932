/** [format] What agent-vrouter keeps true: one router namespace a network, and the leases in it. */
import { z } from 'zod'
import { cidr4, cidr6, hostname, ifname, ipv4, ipv6, mac, port, uuid } from '../scalars.ts'

/** Rules of port forwarding of one VIP: a document stays below 256 KiB. */
export const MAX_FORWARDINGS = 1_000

/** How guests come to their IPv6 addresses (zstack-core §2.7); all of them are told by router advertisements. */
export const addressMode = z.enum(['Stateful-DHCP', 'Stateless-DHCP', 'SLAAC'])

/**
 * Noun `router`; uuid = L3 network. Schema 2 can say `hostRoutes`, `v6` and `dns6`: absent, guests are told no routes and have no IPv6, as in
 * schema 1.
 */
export const router = {
  noun: 'router',
  schema: 2,
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
    /** told to guests beside their default route (RFC 3442) */
    hostRoutes: z.array(z.object({ destination: cidr4, gateway: ipv4 })).optional(),
    v6: z.array(z.object({ cidr: cidr6, gateway: ipv6, mode: addressMode })).optional(),
    /** name servers for who has IPv6 */
    dns6: z.array(ipv6).optional(),
  }),
} as const
export type RouterSpec = z.infer<typeof router.spec>

/**
 * Noun `lease`; uuid = NIC. The address that this MAC, and only it, gets. Schema 2 can say `ip6`: given by DHCPv6 where the router's mode is
 * `Stateful-DHCP`, else what the guest makes of its MAC, and only its name follows from it. Absent: none, as in schema 1.
 */
export const lease = {
  noun: 'lease',
  schema: 2,
  spec: z.object({ routerUuid: uuid, mac, ip: ipv4, hostname: hostname.nullable(), ip6: ipv6.optional() }),
} as const
export type LeaseSpec = z.infer<typeof lease.spec>
/** `status.observed` of a lease: what dnsmasq's lease file says */
export const leaseObserved = z.object({ leased: z.boolean(), expiresAt: z.number().nullable() })

/**
 * Noun `vip`; uuid = VIP. An address on a leg of a router, with all that it is used for: `eip` both ways, `portForwarding` inwards.
 * A document is there while something is attached and enabled; what it no longer says loses its connections.
 */
export const vip = {
  noun: 'vip',
  schema: 1,
  spec: z.object({
    routerUuid: uuid,
    /** the network of the address; a router has one leg in it, on this bridge */
    l3NetworkUuid: uuid,
    bridge: ifname,
    ip: ipv4,
    prefixLen: z.number().int().min(1).max(32),
    gateway: ipv4,
    eip: z.object({ guestIp: ipv4 }).nullable(),
    portForwarding: z
      .array(
        z.object({
          protocol: z.enum(['TCP', 'UDP']),
          vipPortStart: port,
          vipPortEnd: port,
          privatePortStart: port,
          guestIp: ipv4,
          /** who may come; null: all */
          allowedCidr: cidr4.nullable(),
        }),
      )
      .max(MAX_FORWARDINGS),
  }),
} as const
export type VipSpec = z.infer<typeof vip.spec>
