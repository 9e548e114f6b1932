/** What all routers share on the host: forwarding, and one table with a set of their uplink addresses. Pure. */
import { routerUplink, type vrouterDesired } from '@skerry/contract'
import type { Wanted } from '@skerry/reconcile'
import type { RouterHave, RouterStep } from './have.ts'
import type { UplinkElement } from './rules.ts'

type Want = Wanted<vrouterDesired.RouterSpec>
type Pair = { w: Want; h: RouterHave }

const elementOf = ({ uuid, spec }: Want): UplinkElement[] =>
  spec.uplink ? [{ ifname: routerUplink(uuid), ip: spec.uplink.routerIp }] : []
const same = (a: UplinkElement) => (b: UplinkElement) => a.ifname === b.ifname && a.ip === b.ip

/** The first router that needs the table makes it for all of them; each moves only its own elements. */
export function planHost(w: Want, h: RouterHave, good: readonly Pair[]): RouterStep[] {
  const forward: RouterStep[] =
    w.spec.uplink && h.host.forwarding !== '1' ? [{ op: 'host.forward', before: h.host.forwarding }] : []
  const served = good.filter((pair) => pair.w.spec.uplink)
  if (served.length > 0 && h.host.rules !== 'ok') {
    if (served[0]?.w !== w) return forward
    const wanted = served.flatMap((pair) => elementOf(pair.w))
    // a table that only differs may hold elements of routers that nobody wants or knows: they stay
    const names = new Set(good.map((pair) => routerUplink(pair.w.uuid)))
    const others = h.host.uplinks.filter((u) => !names.has(u.ifname))
    return [...forward, { op: 'host.rules.make', uplinks: [...others, ...wanted] }]
  }
  const wanted = elementOf(w)
  const own = ownElements(h)
  const add = wanted.filter((u) => !own.some(same(u)))
  const remove = own.filter((u) => !wanted.some(same(u)))
  return [...forward, ...(add.length + remove.length > 0 ? [{ op: 'host.rules.move', add, remove } as const] : [])]
}

const ownElements = (h: RouterHave) => h.host.uplinks.filter((u) => u.ifname === routerUplink(h.uuid))

/** A leaving router takes its elements along; when all are leaving, the table goes. */
export function planHostRemoval(
  h: RouterHave,
  { want, leaving }: { want: readonly Want[]; leaving: readonly RouterHave[] },
): RouterStep[] {
  const remove = ownElements(h)
  if (remove.length === 0) return []
  const names = new Set(leaving.map((other) => routerUplink(other.uuid)))
  const nobodyElse = h.host.uplinks.every((u) => names.has(u.ifname)) && !want.some((w) => w.spec.uplink)
  return [nobodyElse ? { op: 'host.rules.drop' } : { op: 'host.rules.move', add: [], remove }]
}
