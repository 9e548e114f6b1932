/** The table of the bridge family that all flat routers of a host share. Pure. It stands before the first of them joins its bridge. */
import { routerPort, type vrouterDesired } from '@skerry/contract'
import type { Wanted } from '@skerry/reconcile'
import { type ArpPair, type FlatSets, NO_SETS } from './flat.ts'
import type { RouterHave, RouterStep } from './have.ts'

type Want = Wanted<vrouterDesired.RouterSpec>
type Pair = { w: Want; h: RouterHave }
type Own = Pick<FlatSets, 'ports' | 'gates'>

const NONE: Own = { ports: [], gates: [] }
export const samePair = (a: ArpPair) => (b: ArpPair) => a.ifname === b.ifname && a.ip === b.ip

function wantedOf({ uuid, spec }: Want): Own {
  if (!spec.flat) return NONE
  const port = routerPort(uuid)
  const gateways = spec.flat.eip ? [...new Set(spec.cidrs.map(({ gateway }) => gateway))] : []
  return { ports: [port], gates: gateways.map((ip) => ({ ifname: port, ip })) }
}

const ofPorts = ({ ports, gates }: Own, names: ReadonlySet<string>, are: boolean): Own => ({
  ports: ports.filter((port) => names.has(port) === are),
  gates: gates.filter(({ ifname }) => names.has(ifname) === are),
})
const ownIn = (h: RouterHave): Own => ofPorts(h.host.flat?.sets ?? NO_SETS, new Set([routerPort(h.uuid)]), true)
const lacks = (a: Own, b: Own): Own => ({
  ports: a.ports.filter((port) => !b.ports.includes(port)),
  gates: a.gates.filter((gate) => !b.gates.some(samePair(gate))),
})
const isEmpty = ({ ports, gates }: Own) => ports.length + gates.length === 0

/** The first flat router that needs the table makes it for all of them; each moves only its own elements. */
export function planFlat(w: Want, h: RouterHave, good: readonly Pair[]): RouterStep[] {
  const flats = good.filter((pair) => pair.w.spec.flat)
  const { rules, sets } = h.host.flat ?? { rules: 'absent', sets: NO_SETS }
  if (flats.length > 0 && rules !== 'ok') {
    if (flats[0]?.w !== w) return []
    // a table that only differs may hold elements of routers that nobody wants or knows: they stay
    const others = ofPorts(sets, new Set(good.map((pair) => routerPort(pair.w.uuid))), false)
    const wanted = flats.map((pair) => wantedOf(pair.w))
    const all = [others, ...wanted]
    const made = { ports: all.flatMap((one) => one.ports), gates: all.flatMap((one) => one.gates), asks: sets.asks }
    return [{ op: 'flat.make', sets: made }]
  }
  const [wanted, own] = [wantedOf(w), ownIn(h)]
  const [add, remove] = [lacks(wanted, own), lacks(own, wanted)]
  return isEmpty(add) && isEmpty(remove) ? [] : [{ op: 'flat.move', add, remove }]
}

/** A leaving router takes its elements along; when all are leaving, the table goes. */
export function planFlatRemoval(
  h: RouterHave,
  { want, leaving }: { want: readonly Want[]; leaving: readonly RouterHave[] },
): RouterStep[] {
  const remove = ownIn(h)
  if (isEmpty(remove)) return []
  const names = new Set(leaving.map((other) => routerPort(other.uuid)))
  const nobodyElse = h.host.flat!.sets.ports.every((port) => names.has(port)) && !want.some((w) => w.spec.flat)
  return [nobodyElse ? { op: 'flat.drop' } : { op: 'flat.move', add: NONE, remove }]
}
