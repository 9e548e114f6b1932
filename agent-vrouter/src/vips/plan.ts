/** What VIPs lack. Pure. What a VIP loses goes first, with its connections; the leg joins its network last, when all else is there. */
import { routerLeg, type vrouterDesired } from '@skerry/contract'
import { markOf } from '@skerry/host'
import type { PlanContext, Report, Wanted } from '@skerry/reconcile'
import { type Lan, lansOf } from '../routers/lans.ts'
import { faultOf } from './faults.ts'
import { lostFlows } from './flows.ts'
import type { Placed, RouterView, VipChange, VipHave, VipStep } from './have.ts'
import { planGate, planGateRemoval } from './plan-gate.ts'
import { legEnds, planLeg, planLegRemoval } from './plan-leg.ts'
import { ownMoves, removalMoves } from './plan-table.ts'
import { cidrOf, elementsOf, type Spec, type Vip } from './rules.ts'

export type Want = Wanted<Spec>

/** All VIPs of one router after this pass: those that are wanted, and those that nobody names any more, which stay. */
export interface RouterPlan {
  view: RouterView
  vips: Vip[]
  /** Of these, those that this pass may change something for, in its order: the first one makes what all need. */
  acting: Want[]
  /** In its guests' networks. */
  ports: Pick<Lan, 'port' | 'bridge'>[]
  /** Elements that a VIP which goes takes along already. */
  claimed: Set<string>
}
type Plans = ReadonlyMap<string, RouterPlan>

export function plan(
  want: readonly Want[],
  have: readonly VipHave[],
  context: Pick<PlanContext, 'buried' | 'wantedOf'>,
): VipChange[] {
  const seen = new Map(have.map((h) => [h.uuid, h]))
  const plans = plansOf(want, have, context)
  const removals = have
    .filter((h) => context.buried.has(h.uuid))
    .flatMap((h) => h.made.flatMap((placed) => planRemoval(h, placed, plans)))
  const made = want.flatMap((w) => {
    const h = seen.get(w.uuid)
    if (!h || faultOf(w, h)) return []
    const left = h.made.filter((one) => one.routerUuid !== w.spec.routerUuid)
    return [...left.flatMap((placed) => planRemoval(h, placed, plans)), ...planVip(w, h, plans.get(w.spec.routerUuid)!)]
  })
  return [...removals, ...made]
}

function plansOf(want: readonly Want[], have: readonly VipHave[], context: Pick<PlanContext, 'buried' | 'wantedOf'>): Plans {
  const wanted = new Map(want.map((w) => [w.uuid, w]))
  const routers = context.wantedOf('router') as readonly Wanted<vrouterDesired.RouterSpec>[]
  const plans = new Map<string, RouterPlan>()
  for (const h of have) {
    for (const view of h.routers) {
      const spec = routers.find((router) => router.uuid === view.uuid)?.spec
      const ports = spec ? lansOf(view.uuid, spec) : []
      if (!plans.has(view.uuid)) plans.set(view.uuid, { view, vips: [], acting: [], ports, claimed: new Set() })
    }
    const w = wanted.get(h.uuid)
    if (w && !faultOf(w, h)) {
      plans.get(w.spec.routerUuid)?.vips.push({ uuid: h.uuid, spec: w.spec })
    } else if (!context.buried.has(h.uuid)) {
      for (const { routerUuid, spec } of h.made) plans.get(routerUuid)?.vips.push({ uuid: h.uuid, spec })
    }
  }
  for (const w of want) {
    const one = plans.get(w.spec.routerUuid)
    if (one?.vips.some((vip) => vip.uuid === w.uuid && vip.spec === w.spec)) one.acting.push(w)
  }
  return plans
}

const tag = (uuid: string, router: string, steps: readonly VipStep[]): VipChange[] =>
  steps.map((step) => ({ uuid, router, ...step }))

function planVip(w: Want, h: VipHave, router: RouterPlan): VipChange[] {
  const { spec } = w
  const { view } = router
  const first = router.acting[0]?.uuid === w.uuid
  const before = h.made.find((one) => one.routerUuid === spec.routerUuid)?.spec
  const leg = planLeg(w, h, router)
  const table: VipStep[] =
    view.table === 'ok'
      ? ownMoves(w, router)
      : first
        ? [{ op: 'table.make', elements: elementsOf(router.vips) }, ...join(h, router)]
        : []
  const flows = before ? lostFlows(before, spec) : []
  return tag(w.uuid, spec.routerUuid, [
    ...leg.remove,
    ...leg.make,
    ...table,
    ...planGate(w, h, { router, before }),
    ...(view.netns && flows.length > 0 ? [{ op: 'flows.forget', flows } as const] : []),
    ...(before && JSON.stringify(before) === JSON.stringify(spec) ? [] : [{ op: 'record.write', spec } as const]),
    ...leg.join,
  ])
}

/** A router that is made anew lets its guests in when what begins under an EIP can't leave under another address any more. */
const join = (h: VipHave, { view, ports }: RouterPlan): VipStep[] =>
  ports
    .filter(({ port, bridge }) => !view.joined.includes(port) && h.bridges.includes(bridge))
    .map(({ port, bridge }) => ({ op: 'port.attach', port, bridge }))

/** What was made of a VIP in one router. */
function planRemoval(h: VipHave, placed: Placed, plans: Plans): VipChange[] {
  const { uuid } = h
  const router = plans.get(placed.routerUuid)
  if (!router) return []
  const { view, vips } = router
  const { spec } = placed
  const readable = view.netns && !view.unseen
  const kept = vips.some((vip) => vip.spec.ip === spec.ip && vip.spec.l3NetworkUuid === spec.l3NetworkUuid)
  const { inner } = legEnds(view, spec.l3NetworkUuid)
  const steps: VipStep[] = readable
    ? [
        ...(view.table === 'ok' ? removalMoves(spec, router) : []),
        ...(!kept && inner?.end.addresses.includes(cidrOf(spec))
          ? [{ op: 'address.del', dev: inner.name, cidr: cidrOf(spec) } as const]
          : []),
        { op: 'flows.forget', flows: lostFlows(spec, undefined) },
      ]
    : []
  return tag(uuid, view.uuid, [
    ...planGateRemoval(spec, h, router),
    ...steps,
    ...planLegRemoval(spec.l3NetworkUuid, router),
    { op: 'record.remove' },
  ])
}

/** `observed`: {address, leg}: whether the router has the address, and whether its leg is in the network. */
export function report(want: Want | undefined, have: VipHave | undefined): Report {
  const spec = want?.spec ?? have?.made[0]?.spec
  const view = have?.routers.find((router) => router.uuid === spec?.routerUuid)
  const ends = view && spec ? legEnds(view, spec.l3NetworkUuid) : undefined
  const port = spec && view?.ports[routerLeg(view.uuid, spec.l3NetworkUuid)]
  const observed = {
    address: (spec && ends?.inner?.end.addresses.includes(cidrOf(spec))) ?? false,
    leg: port !== undefined && port.alias === markOf(view!.uuid) && port.master === spec!.bridge,
  }
  const error = want && have ? faultOf(want, have) : undefined
  if (!error) return { condition: 'Ready', observed }
  return { condition: error.code === 'invalid-document' ? 'Refused' : 'Failed', observed, error }
}
