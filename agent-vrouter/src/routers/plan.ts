/** What a router lacks. Pure. Deletions first within a router; the bridge comes last, because another agent makes it. */
import {
  type ErrorBody,
  routerNetns,
  routerPort,
  routerUplink,
  SkerryError,
  toErrorBody,
  type vrouterDesired,
} from '@skerry/contract'
import { markOf } from '@skerry/host'
import type { PlanContext, Report, Wanted } from '@skerry/reconcile'
import { contains, contains6, networkOf, overlaps, prefixLength } from './cidr.ts'
import type { End, Inside, RouterChange, RouterHave, RouterStep } from './have.ts'
import { planHost, planHostRemoval } from './plan-host.ts'
import { planService } from './plan-service.ts'
import { LAN, UP } from './rules.ts'

export type RouterSpec = vrouterDesired.RouterSpec
type Want = Wanted<RouterSpec>

/** `stateDir`: where the routers' folders are. */
export function planRouters(stateDir: string) {
  return (want: readonly Want[], have: readonly RouterHave[], context: Pick<PlanContext, 'buried'>): RouterChange[] => {
    const seen = new Map(have.map((h) => [h.uuid, h]))
    const leaving = have.filter((h) => context.buried.has(h.uuid))
    const removals = leaving.flatMap((h) => tag(h.uuid, planRemoval(h, { want, leaving })))
    const good = want.flatMap((w) => {
      const h = seen.get(w.uuid)
      return h && !faultOf(w, h) ? [{ w, h }] : []
    })
    const made = good.flatMap(({ w, h }) => tag(w.uuid, [...planHost(w, h, good), ...planRouter(w, h, stateDir)]))
    return [...removals, ...made]
  }
}

const tag = (uuid: string, steps: readonly RouterStep[]): RouterChange[] => steps.map((step) => ({ uuid, ...step }))

function planRouter(w: Want, h: RouterHave, stateDir: string): RouterStep[] {
  const lan = planLan(w, h)
  const uplink = planUplink(w, h)
  // A socket on an interface that was made anew hears nothing: dnsmasq has to start anew, in the namespace that now has the name.
  const fresh = h.inside === null || h.inside.lan === null || h.port === null
  const service = planService(w, h, { stateDir, fresh })
  return [
    ...service.before,
    ...lan.remove,
    ...uplink.remove,
    ...(h.netns ? [] : [{ op: 'netns.add' } as const]),
    ...planNamespace(w.spec, h.inside),
    ...lan.make,
    ...uplink.make,
    ...planRules(w.spec, h.inside),
    ...service.after,
    ...planPort(w, h),
  ]
}

function planNamespace(spec: RouterSpec, inside: Inside | null): RouterStep[] {
  return [
    ...(inside?.loUp ? [] : [{ op: 'link.set', at: 'router', name: 'lo', set: { up: true } } as const]),
    // strict: a guest can't send from an address that isn't of its network
    ...(inside?.rpFilter === '1' ? [] : [{ op: 'sysctl.set', key: 'net/ipv4/conf/all/rp_filter', value: '1' } as const]),
    ...(inside?.forwarding ? [] : [{ op: 'sysctl.set', key: 'net/ipv4/ip_forward', value: '1' } as const]),
    // a router believes no advertisements, and says that it is one
    ...(!spec.v6 || inside?.forwarding6 ? [] : [{ op: 'sysctl.set', key: 'net/ipv6/conf/all/forwarding', value: '1' } as const]),
  ]
}

/** The same after each rebuild: guests remember their gateway's MAC. */
export const lanMac = (uuid: string) => `06:${uuid.slice(0, 10).match(/../g)?.join(':')}`

interface Halves {
  remove: RouterStep[]
  make: RouterStep[]
}

/** veth between bridge and namespace. One end alone is made anew. */
function planLan({ uuid, spec }: Want, { port, inside }: RouterHave): Halves {
  const there = port && inside?.lan ? { port, lan: inside.lan } : undefined
  const mtu = spec.mtu ?? undefined
  const name = routerPort(uuid)
  const addresses = [
    ...new Set([...spec.cidrs, ...(spec.v6 ?? [])].map(({ cidr, gateway }) => `${gateway}/${prefixLength(cidr)}`)),
  ]
  return {
    remove: [
      ...(there ? [] : loneEnds({ name, port, inner: inside?.lan, innerName: LAN })),
      ...surplus(there?.lan, addresses, { at: 'router', dev: LAN }),
    ],
    make: [
      ...(there ? [] : [{ op: 'veth.add', name, peer: LAN, mac: lanMac(uuid), mtu } as const]),
      ...setLink({ at: 'host', name, end: there?.port, alias: markOf(uuid), mtu }),
      ...setLink({ at: 'router', name: LAN, end: there?.lan, mtu }),
      ...missing(there?.lan, addresses, { at: 'router', dev: LAN }),
    ],
  }
}

/** veth between namespace and host. */
function planUplink({ uuid, spec }: Want, { uplink: port, inside }: RouterHave): Halves {
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

function planRules(spec: RouterSpec, inside: Inside | null): RouterStep[] {
  const sources = spec.services.snat ? [...new Set(spec.cidrs.map(({ cidr }) => networkOf(cidr)))] : []
  if (inside?.rules !== 'ok') return [{ op: 'rules.make', sources }]
  const add = sources.filter((source) => !inside.sources.includes(source))
  const remove = inside.sources.filter((source) => !sources.includes(source))
  return add.length + remove.length > 0 ? [{ op: 'rules.move', add, remove }] : []
}

function planPort({ spec }: Want, { port, host, inside, vips }: RouterHave): RouterStep[] {
  if (!host.bridges.includes(spec.bridge)) return [{ op: 'port.await', bridge: spec.bridge }]
  const rebuilt = !inside?.lan // its port is a new one
  // Guests with an EIP would begin connections under another address. If the VIPs fail, the next pass lets the guests in.
  if (rebuilt && vips) return []
  return port?.master === spec.bridge && !rebuilt ? [] : [{ op: 'port.attach', bridge: spec.bridge }]
}

/** All that carries this router's mark. */
function planRemoval(h: RouterHave, { want, leaving }: { want: readonly Want[]; leaving: readonly RouterHave[] }): RouterStep[] {
  const ours = (end: End | null) => end !== null && (end.alias === null || end.alias === markOf(h.uuid))
  return [
    ...h.service.strays.map(({ pid, startTicks }) => ({ op: 'service.kill', pid, startTicks }) as const),
    ...(h.service.pid !== null ? [{ op: 'service.stop' } as const] : []),
    ...(ours(h.port) ? [{ op: 'veth.del', at: 'host', name: routerPort(h.uuid) } as const] : []),
    ...(ours(h.uplink) ? [{ op: 'veth.del', at: 'host', name: routerUplink(h.uuid) } as const] : []),
    ...planHostRemoval(h, { want, leaving }),
    ...(h.netns ? [{ op: 'netns.del' } as const] : []),
    ...(h.folder ? [{ op: 'folder.remove' } as const] : []),
  ]
}

/** Why this document can't be carried out now: nothing is changed then. */
export function faultOf({ uuid, spec }: Want, have: RouterHave): ErrorBody | undefined {
  const problem = problemOf(spec)
  if (problem)
    return toErrorBody(
      new SkerryError('invalid-document', `the document of a router is contradictory: ${problem}`, { routerUuid: uuid }),
    )
  if (have.unseen)
    return toErrorBody(
      new SkerryError('host-command-failed', 'the namespace of a router cannot be read', {
        netns: routerNetns(uuid),
        cause: have.unseen,
      }),
    )
  for (const [name, end] of [
    [routerPort(uuid), have.port],
    [routerUplink(uuid), have.uplink],
  ] as const) {
    if (end && end.alias !== null && end.alias !== markOf(uuid))
      return toErrorBody(
        new SkerryError('in-use', `an interface called ${name} exists and is not this router's`, {
          interface: name,
          alias: end.alias,
        }),
      )
  }
  return undefined
}

function problemOf({ cidrs, uplink, v6 = [] }: RouterSpec): string | undefined {
  const outside = v6.find(({ cidr, gateway }) => !contains6(cidr, gateway))
  if (outside) return `gateway ${outside.gateway} is not in ${outside.cidr}`
  for (const [n, { cidr, gateway }] of cidrs.entries()) {
    if (!contains(cidr, gateway)) return `gateway ${gateway} is not in ${cidr}`
    const other = cidrs.slice(0, n).find((c) => networkOf(c.cidr) !== networkOf(cidr) && overlaps(c.cidr, cidr))
    if (other) return `${cidr} and ${other.cidr} overlap`
    if (uplink && contains(cidr, uplink.routerIp)) return `its uplink ${uplink.routerIp} is in ${cidr}`
  }
  if (!uplink) return undefined
  const subnet = `${uplink.hostIp}/${uplink.prefixLen}`
  return contains(subnet, uplink.routerIp) && uplink.hostIp !== uplink.routerIp
    ? undefined
    : `its uplink ${uplink.routerIp} is not beside ${uplink.hostIp}`
}

/** `observed`: {netns, dnsmasqPid, uplink, forwardDrop}; `forwardDrop` warns that the host's firewall may stop what goes out. */
export function report(want: Want | undefined, have: RouterHave | undefined): Report {
  const observed = {
    netns: have?.netns ?? false,
    dnsmasqPid: have?.service.pid ?? null,
    uplink: have?.uplink != null,
    forwardDrop: have?.host.forwardDrop ?? false,
  }
  const error = want && have ? faultOf(want, have) : undefined
  if (!error) return { condition: 'Ready', observed }
  return { condition: error.code === 'invalid-document' ? 'Refused' : 'Failed', observed, error }
}
