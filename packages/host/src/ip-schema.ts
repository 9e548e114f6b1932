/** What `ip -j` prints (iproute2 6.1) and what callers may hand to it. */
import { ifname, mac } from '@skerry/contract'
import { z } from 'zod'
import type { Address, Route } from './ip.ts'
import type { Link, LinkChange, LinkSpec } from './ip-links.ts'

export const netnsName = z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/, 'must be a namespace name')
export const netnsList = z.array(z.object({ name: z.string() }))
export const tableName = z.string().regex(/^[a-z0-9_]{1,15}$/, 'must be a routing table')
export const sysctlKey = z.string().regex(/^net(\/(?!\.{1,2}(\/|$))[A-Za-z0-9_.-]+)+$/, 'must be a key below net/')

const mtu = z.number().int().min(68).max(65535)
const alias = z.string().regex(/^[\x20-\x7e]{0,255}$/, 'must be printable')
const addressText = z.union([z.ipv4(), z.ipv6()])
const cidrText = z.union([z.cidrv4(), z.cidrv6()])

export const addressInput = z.object({ dev: ifname, cidr: cidrText })

export const linkSpec: z.ZodType<LinkSpec> = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('bridge'), name: ifname, mac: mac.optional(), mtu: mtu.optional(), alias: alias.optional() }),
  z.strictObject({
    kind: z.literal('veth'),
    name: ifname,
    mac: mac.optional(),
    mtu: mtu.optional(),
    alias: alias.optional(),
    peer: z.strictObject({ name: ifname, mac: mac.optional(), netns: netnsName.optional() }),
  }),
  z.strictObject({
    kind: z.literal('vlan'),
    name: ifname,
    link: ifname,
    vid: z.number().int().min(1).max(4094),
    mtu: mtu.optional(),
    alias: alias.optional(),
  }),
  z.strictObject({
    kind: z.literal('vxlan'),
    name: ifname,
    vni: z.number().int().min(1).max(16_777_215),
    local: z.ipv4(),
    port: z.number().int().min(1).max(65_535),
    mtu: mtu.optional(),
    alias: alias.optional(),
  }),
])

export const linkChange: z.ZodType<LinkChange> = z.strictObject({
  up: z.boolean().optional(),
  master: ifname.nullable().optional(),
  mtu: mtu.optional(),
  mac: mac.optional(),
  alias: alias.optional(),
  name: ifname.optional(),
  netns: netnsName.optional(),
})

export const routeInput: z.ZodType<Route> = z.strictObject({
  dst: z.union([z.literal('default'), cidrText]),
  via: addressText.optional(),
  dev: ifname.optional(),
  src: addressText.optional(),
  metric: z.number().int().min(0).max(0xffffffff).optional(),
  protocol: z
    .string()
    .regex(/^[a-z0-9_]{1,15}$/)
    .optional(),
  table: tableName.optional(),
  blackhole: z.literal(true).optional(),
})

/** `ip -j -d link show` */
export const link = z.object({
  ifindex: z.number(),
  ifname: z.string(),
  flags: z.array(z.string()),
  mtu: z.number(),
  master: z.string().optional(),
  address: z.string().optional(),
  ifalias: z.string().optional(),
  /** the lower link; absent where that is in another namespace */
  link: z.string().optional(),
  linkinfo: z.object({ info_kind: z.string().optional(), info_data: z.unknown().optional() }).optional(),
})

const vlanData = z.object({ id: z.number().int() })
const vxlanData = z.object({ id: z.number().int(), local: z.string().optional(), port: z.number().int() })

export function toLink(l: z.infer<typeof link>): Link {
  const kind = l.linkinfo?.info_kind ?? null
  const vlan = kind === 'vlan' && l.link !== undefined ? vlanData.parse(l.linkinfo?.info_data) : undefined
  // one that collects all numbers has none of its own
  const vxlan = kind === 'vxlan' ? vxlanData.safeParse(l.linkinfo?.info_data).data : undefined
  return {
    name: l.ifname,
    index: l.ifindex,
    kind,
    up: l.flags.includes('UP'),
    running: l.flags.includes('LOWER_UP'),
    mtu: l.mtu,
    mac: l.address ?? null,
    master: l.master ?? null,
    alias: l.ifalias ?? null,
    ...(vxlan ? { vxlan: { vni: vxlan.id, local: vxlan.local ?? null, port: vxlan.port } } : {}),
    ...(vlan ? { vlan: { link: l.link!, vid: vlan.id } } : {}),
  }
}

/** `ip -j addr show` */
export const addr = z.object({
  ifname: z.string(),
  addr_info: z.array(z.object({ local: z.string(), prefixlen: z.number(), scope: z.string(), dynamic: z.boolean().optional() })),
})

export const toAddresses = (a: z.infer<typeof addr>): Address[] =>
  a.addr_info.map(({ local, prefixlen, scope, dynamic }) => ({
    ...{ dev: a.ifname, cidr: `${local}/${prefixlen}`, scope },
    ...(dynamic ? { dynamic } : {}),
  }))

/** `ip -j route show`; `dst` of a host route is printed without its prefix length. */
export const route = z.object({
  type: z.string().optional(),
  dst: z.string(),
  gateway: z.string().optional(),
  dev: z.string().optional(),
  prefsrc: z.string().optional(),
  metric: z.number().optional(),
  protocol: z.string().optional(),
})

export function toRoute(r: z.infer<typeof route>, v6: boolean, table: string): Route {
  const dst = r.dst === 'default' || r.dst.includes('/') ? r.dst : `${r.dst}/${v6 ? 128 : 32}`
  return {
    dst,
    ...(r.gateway ? { via: r.gateway } : {}),
    ...(r.dev ? { dev: r.dev } : {}),
    ...(r.prefsrc ? { src: r.prefsrc } : {}),
    ...(r.metric !== undefined ? { metric: r.metric } : {}),
    ...(r.protocol ? { protocol: r.protocol } : {}),
    ...(r.type === 'blackhole' ? { blackhole: true as const } : {}),
    table,
  }
}
