/** [format] What agent-vrouter keeps true: routers in namespaces, of one network or of a VPC, and the leases in them. */
import { z } from 'zod'
import { cidr4, cidr6, hostname, ifname, ipv4, ipv6, mac, port, uuid } from '../scalars.ts'

/** Rules of port forwarding of one VIP: a document stays below 256 KiB. */
export const MAX_FORWARDINGS = 1_000

/** How guests come to their IPv6 addresses (zstack-core §2.7); all of them are told by router advertisements. */
export const addressMode = z.enum(['Stateful-DHCP', 'Stateless-DHCP', 'SLAAC'])

/** Networks of one VPC router. */
export const MAX_VPC_NETWORKS = 64

const cidrs = z.array(z.object({ cidr: cidr4, gateway: ipv4 }))
const services = z.object({ dhcp: z.boolean(), dns: z.boolean(), snat: z.boolean() })
const hostRoutes = z.array(z.object({ destination: cidr4, gateway: ipv4 }))

/** One of several networks of a router, which leads between them. */
const vpcNetwork = z.object({
  l3NetworkUuid: uuid,
  bridge: ifname,
  cidrs: cidrs.min(1),
  mtu: z.number().int().nullable(),
  services,
  domain: hostname.nullable(),
  dns: z.array(ipv4),
  hostRoutes: hostRoutes.optional(),
})

/**
 * Noun `router`; uuid = L3 network, or VPC router. Schema 2 can say `hostRoutes`, `v6` and `dns6`: absent, guests are told no routes and
 * have no IPv6, as in schema 1. Schema 3 can say `networks`: it is the router of these, any number of them, and has none of its own
 * (`bridge` null, no `cidrs`); absent, it has the one, as in schema 2. It can say `flat`: absent, it is the only one, at the gateway.
 */
export const router = {
  noun: 'router',
  schema: 3,
  spec: z.object({
    bridge: ifname.nullable(),
    cidrs,
    mtu: z.number().int().nullable(),
    services,
    domain: hostname.nullable(),
    dns: z.array(ipv4),
    /** point-to-point subnet between the namespace and its host, for what leaves the network */
    uplink: z.object({ hostIp: ipv4, routerIp: ipv4, prefixLen: z.number().int() }).nullable(),
    leaseSeconds: z.number().int().min(120),
    /** told to guests beside their default route (RFC 3442) */
    hostRoutes: hostRoutes.optional(),
    v6: z.array(z.object({ cidr: cidr6, gateway: ipv6, mode: addressMode })).optional(),
    /** name servers for who has IPv6 */
    dns6: z.array(ipv6).optional(),
    /**
     * One of several that serve a network, each the guests of its own host and nobody else (provider Flat). It answers at `dhcpIp`, of
     * the first network; `cidrs[].gateway` is somebody else's, and is told to guests. `metadata`: it has 169.254.169.254. `eip`: guests
     * with an EIP are told that it is their gateway, the others are not.
     */
    flat: z.object({ dhcpIp: ipv4, metadata: z.boolean(), eip: z.boolean() }).optional(),
    networks: z.array(vpcNetwork).max(MAX_VPC_NETWORKS).optional(),
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
 * Noun `vip`; uuid = VIP, or card of a VPC router. An address on a leg of a router, with all that it is used for: `eip` both ways,
 * `portForwarding` inwards. A document is there while something is attached and enabled; what it no longer says loses its connections.
 * Schema 2 can say `own`: absent, it is no address of the router itself, as in schema 1; and `flat`: absent, the router is the gateway.
 */
export const vip = {
  noun: 'vip',
  schema: 2,
  spec: z.object({
    routerUuid: uuid,
    /** the network of the address; a router has one leg in it, on this bridge */
    l3NetworkUuid: uuid,
    bridge: ifname,
    ip: ipv4,
    prefixLen: z.number().int().min(1).max(32),
    gateway: ipv4,
    eip: z.object({ guestIp: ipv4 }).nullable(),
    /**
     * The router is a flat one: the guest behind `tap` is told that it is its gateway. Other hosts have routers of the same name, so the
     * MAC of the leg is also of `agentUuid`.
     */
    flat: z.object({ tap: ifname, gateway: ipv4, agentUuid: uuid }).optional(),
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
    /** the router's own address in that network: what it sends there begins under it. `default`: so does all that has no other way */
    own: z.object({ default: z.boolean() }).optional(),
  }),
} as const
export type VipSpec = z.infer<typeof vip.spec>

/**
 * Noun `metadata`; uuid = NIC. What the guest with this MAC and address, and only it, reads at 169.254.169.254 of its flat router.
 * `instanceId`: of the VM.
 */
export const metadata = {
  noun: 'metadata',
  schema: 1,
  spec: z.object({
    routerUuid: uuid,
    mac,
    ip: ipv4,
    instanceId: uuid,
    hostname: hostname.nullable(),
    sshKeys: z.array(z.string()),
    userData: z.string().nullable(),
  }),
} as const
export type MetadataSpec = z.infer<typeof metadata.spec>

/** Of all tables of one router: a document stays below 256 KiB. */
export const MAX_ROUTES = 1_000

/** Noun `routes`; uuid = VPC router. What its route tables say; a router without one has no document. */
export const routes = {
  noun: 'routes',
  schema: 1,
  spec: z.object({
    routes: z
      .array(
        z.object({
          destination: cidr4,
          /** in a network that the router is in; null: packets for there are thrown away */
          via: ipv4.nullable(),
          /** of several to one destination the lowest counts */
          distance: z.number().int().min(1).max(254),
        }),
      )
      .max(MAX_ROUTES),
  }),
} as const
export type RoutesSpec = z.infer<typeof routes.spec>
