/** What tunnels lack on this host. Pure. Whether the peer answers is no concern of a plan: `keeper.ts` begins what is loaded. */
import { type ErrorBody, routerNetns, SkerryError, toErrorBody } from '@skerry/contract'
import { nftables, type RoutingRule } from '@skerry/host'
import type { PlanContext, Report, Wanted } from '@skerry/reconcile'
import { contains, networkOf, overlaps } from '../routers/cidr.ts'
import { legMark } from '../vips/rules.ts'
import type { IpsecChange, IpsecHave, IpsecStep, RouterView } from './have.ts'
import { connectionName, type Elements, elementsOf, type Spec, uuidOf } from './rules.ts'

export type Want = Wanted<Spec>

/** All tunnels of one router after this pass: those that are wanted, and those that nobody names any more, which stay. */
interface RouterPlan {
  view: RouterView
  specs: Map<string, Spec>
  /** Of these, those that this pass may change something for: the first one makes what all need. */
  acting: string[]
}

/** Asked after those of legs (vips/plan-leg.ts). */
const PRIORITY = 1_002
/** What the router itself sends under a VIP goes out by its leg. */
export const ruleOf = ({ ip, l3NetworkUuid }: Spec): RoutingRule => ({
  priority: PRIORITY,
  source: ip,
  table: String(legMark(l3NetworkUuid)),
})
const sameRule = (a: RoutingRule) => (b: RoutingRule) => a.priority === b.priority && a.source === b.source && a.table === b.table

export function plan(want: readonly Want[], have: readonly IpsecHave[], { buried }: Pick<PlanContext, 'buried'>): IpsecChange[] {
  const seen = new Map(have.map((h) => [h.uuid, h]))
  const plans = plansOf(want, have, buried)
  const removals = have
    .filter((h) => buried.has(h.uuid))
    .flatMap((h) => h.made.flatMap(({ routerUuid, spec }) => planRemoval(h.uuid, spec, plans.get(routerUuid)!)))
  const made = want.flatMap((w) => {
    const h = seen.get(w.uuid)
    if (!h || faultOf(w, h)) return []
    const left = h.made.filter((one) => one.routerUuid !== w.spec.routerUuid)
    return [
      ...left.flatMap(({ routerUuid, spec }) => planRemoval(w.uuid, spec, plans.get(routerUuid)!)),
      ...planConnection(w, h, plans.get(w.spec.routerUuid)!),
    ]
  })
  return [...removals, ...made]
}

function plansOf(want: readonly Want[], have: readonly IpsecHave[], buried: PlanContext['buried']): Map<string, RouterPlan> {
  const wanted = new Map(want.map((w) => [w.uuid, w]))
  const plans = new Map<string, RouterPlan>()
  for (const h of have) {
    for (const view of h.routers) if (!plans.has(view.uuid)) plans.set(view.uuid, { view, specs: new Map(), acting: [] })
    const w = wanted.get(h.uuid)
    if (w && !faultOf(w, h)) {
      const one = plans.get(w.spec.routerUuid)
      one?.specs.set(h.uuid, w.spec)
      one?.acting.push(h.uuid)
    } else if (!buried.has(h.uuid)) {
      for (const { routerUuid, spec } of h.made) plans.get(routerUuid)?.specs.set(h.uuid, spec)
    }
  }
  return plans
}

const tag = (uuid: string, router: string, steps: readonly IpsecStep[]): IpsecChange[] =>
  steps.map((step) => ({ uuid, router, ...step }))

function planConnection({ uuid, spec }: Want, h: IpsecHave, router: RouterPlan): IpsecChange[] {
  const { view, acting, specs } = router
  const first = acting[0] === uuid
  const name = connectionName(uuid, spec)
  const there = view.charon?.connections.includes(name) && view.charon.keys.includes(name)
  const before = h.made.find((one) => one.routerUuid === spec.routerUuid)?.spec
  const gone = before && !sameRule(ruleOf(before))(ruleOf(spec)) && view.rules.some(sameRule(ruleOf(before)))
  return tag(uuid, view.uuid, [
    ...stale(uuid, view, name),
    ...(gone && !used(before, router) ? [{ op: 'rule.del', rule: ruleOf(before) } as const] : []),
    // written first: whatever is made of it is found again
    ...(before && JSON.stringify(before) === JSON.stringify(spec) ? [] : [{ op: 'record.write', spec } as const]),
    ...(view.rules.some(sameRule(ruleOf(spec))) ? [] : [{ op: 'rule.add', rule: ruleOf(spec) } as const]),
    ...(first ? planTable(view, [...specs.values()]) : []),
    ...(first && view.charon === null
      ? [...(view.running ? [{ op: 'charon.stop' } as const] : []), { op: 'charon.start' } as const]
      : []),
    ...(there ? [] : [{ op: 'connection.load', spec } as const]),
  ])
}

/** Under which names it was loaded with another content. */
const stale = (uuid: string, { charon }: RouterView, name?: string): IpsecStep[] =>
  (charon?.connections ?? [])
    .filter((other) => uuidOf(other) === uuid && other !== name)
    .map((other) => ({ op: 'connection.unload', name: other }))

const used = (spec: Spec, { specs }: RouterPlan) => [...specs.values()].some((other) => sameRule(ruleOf(spec))(ruleOf(other)))

const sets = ['peers', 'outward', 'inward'] as const

function planTable(view: RouterView, specs: readonly Spec[]): IpsecStep[] {
  const wanted = elementsOf(specs)
  if (view.table !== 'ok') return [{ op: 'table.make', elements: wanted }]
  const lacking = (a: Elements, b: Elements): Elements => {
    const part = (set: (typeof sets)[number]) => {
      const there = new Set(b[set].map(nftables.elementKey))
      return a[set].filter((element) => !there.has(nftables.elementKey(element)))
    }
    return { peers: part('peers'), outward: part('outward'), inward: part('inward') }
  }
  const [add, remove] = [lacking(wanted, view.elements), lacking(view.elements, wanted)]
  return sets.some((set) => add[set].length + remove[set].length > 0) ? [{ op: 'table.move', add, remove }] : []
}

/** What was made of a connection in one router; with the last one goes what all needed. */
function planRemoval(uuid: string, spec: Spec, router: RouterPlan): IpsecChange[] {
  const { view, specs, acting } = router
  const readable = view.netns && !view.unseen
  const last = specs.size === 0
  const rule = ruleOf(spec)
  return tag(uuid, view.uuid, [
    ...stale(uuid, view),
    ...(last && view.running ? [{ op: 'charon.stop' } as const] : []),
    ...(readable && view.rules.some(sameRule(rule)) && !used(spec, router) ? [{ op: 'rule.del', rule } as const] : []),
    ...(readable && last && view.table !== 'absent' ? [{ op: 'table.drop' } as const] : []),
    // else the first one that stays does
    ...(readable && !last && acting.length === 0 ? planTable(view, [...specs.values()]) : []),
    { op: 'record.remove' },
  ])
}

/** Why this document can't be carried out now: nothing is changed then. */
export function faultOf({ uuid, spec }: Want, have: IpsecHave): ErrorBody | undefined {
  const about = { ipsecConnectionUuid: uuid }
  const problem = problemOf(spec)
  if (problem)
    return toErrorBody(new SkerryError('invalid-document', `the document of a tunnel is contradictory: ${problem}`, about))
  const view = have.routers.find((router) => router.uuid === spec.routerUuid)
  const netns = routerNetns(spec.routerUuid)
  if (!view?.netns)
    return toErrorBody(new SkerryError('not-found', 'the router of the tunnel is not on this host', { ...about, netns }))
  if (view.unseen)
    return toErrorBody(
      new SkerryError('host-command-failed', 'the namespace of the router of the tunnel cannot be read', {
        ...{ netns, cause: view.unseen },
      }),
    )
  return undefined
}

function problemOf({ ip, peerAddress, localCidrs, peerCidrs }: Spec): string | undefined {
  if (ip === peerAddress) return `its peer has its own address, ${ip}`
  for (const peer of peerCidrs) {
    if (contains(peer, peerAddress)) return `the peer ${peerAddress} is inside its own network ${networkOf(peer)}`
    const local = localCidrs.find((cidr) => overlaps(cidr, peer))
    if (local) return `${networkOf(local)} here and ${networkOf(peer)} there have addresses in common`
  }
  return undefined
}

/** `observed`: see `ipsecObserved` of the contract. */
export function report(want: Want | undefined, have: IpsecHave | undefined): Report {
  const view = have?.routers.find((router) => router.uuid === (want?.spec ?? have.made[0]?.spec)?.routerUuid)
  const observed = {
    status: have?.state?.status ?? 'Disconnected',
    cause: have?.state?.cause ?? null,
    esp: view?.charon?.esp ?? null,
  }
  const error = want && have ? faultOf(want, have) : undefined
  if (!error) return { condition: 'Ready', observed }
  return { condition: error.code === 'invalid-document' ? 'Refused' : 'Failed', observed, error }
}
