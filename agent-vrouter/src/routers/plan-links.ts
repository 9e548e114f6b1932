/** The interfaces of a router: one in each of its networks, and the one to its host. Pure. */
import { routerPort, routerUplink, type vrouterDesired } from '@skerry/contract'
import { markOf } from '@skerry/host'
import type { Wanted } from '@skerry/reconcile'
import type { End, RouterHave, RouterStep } from './have.ts'
import { addressesOf, endsOf, type Lan } from './lans.ts'
import { UP } from './rules.ts'

type Want = Wanted<vrouterDesired.RouterSpec>

/** The same after each rebuild: guests remember their gateway's MAC. */
export const lanMac = (uuid: string) => `06:${uuid.slice(0, 10).match(/../g)?.join(':')}`

interface Halves {
  remove: RouterStep[]
  make: RouterStep[]
}

/** One veth a network between bridge and namespace. One end alone is made anew; networks that are no longer its own go first. */
export function planLans(uuid: string, lans: readonly Lan[], h: RouterHave): Halves {
  const parts = lans.map((lan) => planLan(uuid, lan, endsOf(h, lan)))
  return {
    remove: [...goneLans(uuid, lans, h), ...parts.flatMap((part) => part.remove)],
    make: parts.flatMap((part) => part.make),
  }
}

function goneLans(uuid: string, lans: readonly Lan[], h: RouterHave): RouterStep[] {
  const own: [string, End][] = h.port ? [[routerPort(uuid), h.port]] : []
  const ports = [...own, ...Object.entries(h.ports ?? {})].filter(
    ([name, end]) => end.alias === markOf(uuid) && !lans.some((lan) => lan.port === name),
  )
  return ports.map(([name]) => ({ op: 'veth.del', at: 'host', name }))
}

function planLan(uuid: string, lan: Lan, { port, inner }: { port: End | null; inner: End | null }): Halves {
  const there = port && inner ? { port, lan: inner } : undefined
  const mtu = lan.mtu ?? undefined
  const { name, port: outer } = lan
  const addresses = addressesOf(lan)
  return {
    remove: [
      ...(there ? [] : loneEnds({ name: outer, port, inner, innerName: name })),
      ...surplus(there?.lan, addresses, { at: 'router', dev: name }),
    ],
    make: [
      ...(there ? [] : [{ op: 'veth.add', name: outer, peer: name, mac: lanMac(lan.of), mtu } as const]),
      ...setLink({ at: 'host', name: outer, end: there?.port, alias: markOf(uuid), mtu }),
      ...setLink({ at: 'router', name, end: there?.lan, mtu }),
      ...missing(there?.lan, addresses, { at: 'router', dev: name }),
    ],
  }
}

/** veth between namespace and host. */
export function planUplink({ uuid, spec }: Want, { uplink: port, inside }: RouterHave): Halves {
  const name = routerUplink(uuid)
  const { uplink } = spec
  const lone = { name, port, inner: inside?.up, innerName: UP }
  if (!uplink) return { remove: loneEnds(lone), make: [] }
  const there = port && inside?.up ? { port, up: inside.up } : undefined
  const outer = [`${uplink.hostIp}/${uplink.prefixLen}`]
  const inner = [`${uplink.routerIp}/${uplink.prefixLen}`]
  const ends = { outer: { at: 'host', dev: name }, inner: { at: 'router', dev: UP } } as const
  const innerGone = surplus(there?.up, inner, ends.inner)
  const innerNew = missing(there?.up, inner, ends.inner)
  // the route goes with the link's state and addresses
  const routed = there?.up.up && innerGone.length + innerNew.length === 0 && inside?.defaultVia === uplink.hostIp
  return {
    remove: [...(there ? [] : loneEnds(lone)), ...surplus(there?.port, outer, ends.outer), ...innerGone],
    make: [
      ...(there ? [] : [{ op: 'veth.add', name, peer: UP } as const]),
      ...setLink({ at: 'host', name, end: there?.port, alias: markOf(uuid) }),
      ...setLink({ at: 'router', name: UP, end: there?.up }),
      ...missing(there?.port, outer, ends.outer),
      ...innerNew,
      ...(routed ? [] : [{ op: 'route.default', via: uplink.hostIp } as const]),
    ],
  }
}

function loneEnds(of: { name: string; port: End | null; inner: End | null | undefined; innerName: string }): RouterStep[] {
  if (of.port) return [{ op: 'veth.del', at: 'host', name: of.name }]
  return of.inner ? [{ op: 'veth.del', at: 'router', name: of.innerName }] : []
}

function setLink(of: { at: 'router' | 'host'; name: string; end: End | undefined; alias?: string; mtu?: number }): RouterStep[] {
  const { at, name, end } = of
  const set = {
    ...(end && of.alias !== undefined && end.alias !== of.alias ? { alias: of.alias } : {}),
    ...(end && of.mtu !== undefined && end.mtu !== of.mtu ? { mtu: of.mtu } : {}),
    ...(end?.up ? {} : { up: true }),
  }
  return Object.keys(set).length > 0 ? [{ op: 'link.set', at, name, set }] : []
}

type Where = { at: 'router' | 'host'; dev: string }
const missing = (end: End | undefined, wanted: readonly string[], where: Where): RouterStep[] =>
  wanted.filter((cidr) => !end?.addresses.includes(cidr)).map((cidr) => ({ op: 'address.add', ...where, cidr }))
const surplus = (end: End | undefined, wanted: readonly string[], where: Where): RouterStep[] =>
  (end?.addresses ?? []).filter((cidr) => !wanted.includes(cidr)).map((cidr) => ({ op: 'address.del', ...where, cidr }))
