/** What `ip -j` prints (iproute2 6.1) and what callers may hand to it. */
import { ifname, mac } from '@skerry/contract'
import { z } from 'zod'
import type { Address, Link, LinkChange, LinkSpec, Route } from './ip.ts'

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
  linkinfo: z.object({ info_kind: z.string().optional() }).optional(),
})

export function toLink(l: z.infer<typeof link>): Link {
  return {
    name: l.ifname,
    index: l.ifindex,
    kind: l.linkinfo?.info_kind ?? null,
    up: l.flags.includes('UP'),
    running: l.flags.includes('LOWER_UP'),
    mtu: l.mtu,
    mac: l.address ?? null,
    master: l.master ?? null,
    alias: l.ifalias ?? null,
  }
}

/** `ip -j addr show` */
export const addr = z.object({
  ifname: z.string(),
  addr_info: z.array(z.object({ local: z.string(), prefixlen: z.number(), scope: z.string() })),
})

export const toAddresses = (a: z.infer<typeof addr>): Address[] =>
  a.addr_info.map((info) => ({ dev: a.ifname, cidr: `${info.local}/${info.prefixlen}`, scope: info.scope }))

/** `ip -j route show`; `dst` of a host route is printed without its prefix length. */
export const route = z.object({
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
    table,
  }
}
