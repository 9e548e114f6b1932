/**
 * Which static routes a router lacks or has too many. Pure. A route whose next hop is in none of its networks waits for one, as with
 * every router: it is told, and no fault.
 */
import { type ErrorBody, routerNetns, SkerryError, toErrorBody, type vrouterDesired } from '@skerry/contract'
import type { Route } from '@skerry/host'
import type { PlanContext, Report, Wanted } from '@skerry/reconcile'
import { contains, networkOf, prefixLength } from '../routers/cidr.ts'
import type { RoutesChange, RoutesHave } from './have.ts'
import { OURS } from './observe.ts'

export type Want = Wanted<vrouterDesired.RoutesSpec>
type Entry = vrouterDesired.RoutesSpec['routes'][number]

/** A network of a single address leads nowhere. */
const isNear = (near: readonly string[], via: string) => near.some((cidr) => prefixLength(cidr) < 32 && contains(cidr, via))
const waits = ({ via }: Entry, near: readonly string[]) => via !== null && !isNear(near, via)
const toRoute = ({ destination, via, distance }: Entry): Route => ({
  dst: networkOf(destination),
  ...(via === null ? { blackhole: true as const } : { via }),
  ...{ metric: distance, protocol: OURS },
})
const same = (a: Route) => (b: Route) =>
  a.dst === b.dst && a.metric === b.metric && a.via === b.via && a.blackhole === b.blackhole
const sameKey = (a: Route) => (b: Route) => a.dst === b.dst && a.metric === b.metric

export function plan(want: readonly Want[], have: readonly RoutesHave[], context: Pick<PlanContext, 'buried'>): RoutesChange[] {
  const seen = new Map(have.map((h) => [h.uuid, h]))
  const removals = have.filter((h) => context.buried.has(h.uuid)).flatMap((h) => h.routes.map((route) => remove(h.uuid, route)))
  const made = want.flatMap((w) => {
    const h = seen.get(w.uuid)
    return h && !faultOf(w, h) ? planRouter(w, h) : []
  })
  return [...removals, ...made]
}

function planRouter({ uuid, spec }: Want, { near, routes }: RoutesHave): RoutesChange[] {
  const wanted = spec.routes.filter((entry) => !waits(entry, near)).map(toRoute)
  // what only leads elsewhere is replaced, so that there is no moment without it
  return [
    ...routes.filter((route) => !wanted.some(sameKey(route))).map((route) => remove(uuid, route)),
    ...wanted.filter((route) => !routes.some(same(route))).map((route) => ({ uuid, op: 'route.set', route }) as const),
  ]
}

const remove = (uuid: string, { dst, metric, blackhole }: Route): RoutesChange => ({
  ...{ uuid, op: 'route.del' },
  route: { dst, ...(metric === undefined ? {} : { metric }), ...(blackhole ? { blackhole } : {}) },
})

function faultOf({ uuid, spec }: Want, have: RoutesHave): ErrorBody | undefined {
  const netns = routerNetns(uuid)
  const keys = spec.routes.map((entry) => `${networkOf(entry.destination)} ${entry.distance}`)
  const twice = keys.find((key, n) => keys.indexOf(key) < n)
  if (twice !== undefined)
    return toErrorBody(
      new SkerryError('invalid-document', `a router has two routes to one destination with one distance: ${twice}`, {
        routerUuid: uuid,
      }),
    )
  if (!have.netns) return toErrorBody(new SkerryError('not-found', 'the router of these routes is not on this host', { netns }))
  if (have.unseen)
    return toErrorBody(
      new SkerryError('host-command-failed', 'the namespace of the router of these routes cannot be read', {
        netns,
        cause: have.unseen,
      }),
    )
  return undefined
}

/** `observed`: {waiting}: destinations whose next hop is in no network of the router now. */
export function report(want: Want | undefined, have: RoutesHave | undefined): Report {
  const waiting = want && have ? want.spec.routes.filter((entry) => waits(entry, have.near)).map((e) => e.destination) : []
  const observed = { waiting: [...new Set(waiting)].sort() }
  const error = want && have ? faultOf(want, have) : undefined
  if (!error) return { condition: 'Ready', observed }
  return { condition: error.code === 'invalid-document' ? 'Refused' : 'Failed', observed, error }
}
