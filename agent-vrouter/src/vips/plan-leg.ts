/** The leg of a router in a public network: a veth, its addresses, and the routes that its mark leads to. Pure. */
import { createHash } from 'node:crypto'
import { legName, routerLeg } from '@skerry/contract'
import { markOf, type Route, type RoutingRule } from '@skerry/host'
import { networkOf } from '../routers/cidr.ts'
import type { End } from '../routers/have.ts'
import type { RouterView, VipHave, VipStep } from './have.ts'
import type { RouterPlan, Want } from './plan.ts'
import { cidrOf, legMark } from './rules.ts'

/** Asked after the router's own addresses and before the kernel's own rules. */
const PRIORITY = { neighbours: 1_000, legs: 1_001 }
/** What the main table knows closely (guests, the uplink) goes before the legs; its default route does not. */
const NEIGHBOURS: RoutingRule = { priority: PRIORITY.neighbours, table: 'main', suppressPrefix: 0 }

/** The same after each rebuild: neighbours remember it. */
export const legMac = (router: string, l3: string) => macOf(`${router.slice(0, 6)}${l3.slice(0, 4)}`)
const macOf = (digits: string) => `0a:${digits.match(/../g)!.join(':')}`
/** A flat router has one of its name on each host of its network. */
const ownMac = (router: string, { l3NetworkUuid, flat }: Want['spec']) =>
  flat
    ? macOf(createHash('sha256').update(`${router} ${l3NetworkUuid} ${flat.agentUuid}`).digest('hex').slice(0, 10))
    : legMac(router, l3NetworkUuid)

export function legEnds(view: RouterView, l3: string) {
  const port = view.ports[routerLeg(view.uuid, l3)]
  const inner = view.inner[legName(l3)]
  return { port, inner: inner ? { name: legName(l3), end: inner } : undefined }
}

const ruleOf = (l3: string): RoutingRule => ({ priority: PRIORITY.legs, mark: legMark(l3), table: String(legMark(l3)) })
const sameRule = (a: RoutingRule, b: RoutingRule) => a.priority === b.priority && a.mark === b.mark && a.table === b.table

interface LegPlan {
  remove: VipStep[]
  make: VipStep[]
  /** When all else of the VIP is there. */
  join: VipStep[]
}

/** A VIP's own address; and, of the first of a leg, what all on it need. */
export function planLeg(w: Want, h: VipHave, router: RouterPlan): LegPlan {
  const { spec } = w
  const l3 = spec.l3NetworkUuid
  const { view } = router
  const { port, inner } = legEnds(view, l3)
  const there = port && inner ? { port, inner: inner.end } : undefined
  const leads = router.acting.find((other) => other.spec.l3NetworkUuid === l3)?.uuid === w.uuid
  const cidr = cidrOf(spec)
  const missing = !there?.inner.addresses.includes(cidr)
  const ready = h.bridges.includes(spec.bridge)
  const attach = leads && port?.master !== spec.bridge
  const announce = { op: 'leg.announce', dev: legName(l3), mac: ownMac(view.uuid, spec) } as const
  return {
    remove: leads ? surplus(l3, router, there) : [],
    make: [
      ...(leads ? makeLeg(w, view, there) : []),
      ...(missing ? [{ op: 'address.add', dev: legName(l3), cidr } as const] : []),
      ...(leads ? makeRoutes(w, view, there !== undefined) : []),
      ...makeDefault(w, view, there !== undefined),
    ],
    join: !ready
      ? [{ op: 'leg.await', bridge: spec.bridge }]
      : [
          ...(attach || (leads && !there)
            ? [{ op: 'leg.attach', name: routerLeg(view.uuid, l3), bridge: spec.bridge } as const]
            : []),
          ...(missing || attach ? [announce] : []),
        ],
  }
}

type There = { port: End; inner: End } | undefined

/** One end alone is made anew; addresses that no VIP has go. */
function surplus(l3: string, { view, vips }: RouterPlan, there: There): VipStep[] {
  const { port, inner } = legEnds(view, l3)
  if (!there) {
    if (port) return [{ op: 'leg.del', at: 'host', name: routerLeg(view.uuid, l3) }]
    return inner ? [{ op: 'leg.del', at: 'router', name: legName(l3) }] : []
  }
  const wanted = new Set(vips.filter((vip) => vip.spec.l3NetworkUuid === l3).map((vip) => cidrOf(vip.spec)))
  const gone = there.inner.addresses.filter((cidr) => !wanted.has(cidr))
  return gone.map((cidr) => ({ op: 'address.del', dev: legName(l3), cidr }))
}

function makeLeg({ spec }: Want, view: RouterView, there: There): VipStep[] {
  const l3 = spec.l3NetworkUuid
  const name = routerLeg(view.uuid, l3)
  const alias = markOf(view.uuid)
  const outer = { ...(there && there.port.alias !== alias ? { alias } : {}), ...(there?.port.up ? {} : { up: true }) }
  return [
    ...(there ? [] : [{ op: 'leg.add', name, peer: legName(l3), mac: ownMac(view.uuid, spec) } as const]),
    ...(Object.keys(outer).length > 0 ? [{ op: 'leg.set', at: 'host', name, set: outer } as const] : []),
    ...(there?.inner.up ? [] : [{ op: 'leg.set', at: 'router', name: legName(l3), set: { up: true } } as const]),
  ]
}

/** `kept`: the interface is there, and up: else its routes go with it. */
function makeRoutes({ spec }: Want, view: RouterView, kept: boolean): VipStep[] {
  const l3 = spec.l3NetworkUuid
  const table = String(legMark(l3))
  const dev = legName(l3)
  const wanted: Route[] = [
    { dst: networkOf(`${spec.ip}/${spec.prefixLen}`), dev, table },
    { dst: 'default', via: spec.gateway, dev, table },
  ]
  const up = kept && view.inner[dev]?.up
  const have = up ? (view.routes[table] ?? []) : []
  const lacking = wanted.filter((r) => !have.some((other) => other.dst === r.dst && other.via === r.via && other.dev === r.dev))
  const rules = [NEIGHBOURS, ruleOf(l3)].filter((rule) => !view.rules.some((other) => sameRule(rule, other)))
  return [
    ...lacking.map((route) => ({ op: 'route.set', route }) as const),
    ...rules.map((rule) => ({ op: 'rule.add', rule }) as const),
  ]
}

/** What has no other way goes by the leg of this address. The next one that is so takes it over. */
function makeDefault({ spec }: Want, view: RouterView, kept: boolean): VipStep[] {
  if (!spec.own?.default) return []
  const route: Route = { dst: 'default', via: spec.gateway, dev: legName(spec.l3NetworkUuid) }
  const have = kept && view.inner[route.dev!]?.up ? (view.routes['main'] ?? []) : []
  const there = have.some((other) => other.dst === 'default' && other.via === route.via && other.dev === route.dev)
  return there ? [] : [{ op: 'route.set', route }]
}

/** With its last VIP a leg goes: its routes go with it. */
export function planLegRemoval(l3: string, { view, vips }: RouterPlan): VipStep[] {
  if (vips.some((vip) => vip.spec.l3NetworkUuid === l3)) return []
  const { port } = legEnds(view, l3)
  const rule = ruleOf(l3)
  return [
    ...(view.rules.some((other) => sameRule(rule, other)) ? [{ op: 'rule.del', rule } as const] : []),
    ...(port && (port.alias === null || port.alias === markOf(view.uuid))
      ? [{ op: 'leg.del', at: 'host', name: routerLeg(view.uuid, l3) } as const]
      : []),
  ]
}
