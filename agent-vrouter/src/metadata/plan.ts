/** What guests' metadata lacks. Pure. A reader is let in when its files are there, and kept out before they go. */
import { type ErrorBody, routerNetns, SkerryError, toErrorBody, type vrouterDesired } from '@skerry/contract'
import type { PlanContext, Report, Wanted } from '@skerry/reconcile'
import { digestOf } from './content.ts'
import type { Made, MetadataChange, MetadataHave, MetadataStep, Reader, RouterView } from './have.ts'

export type Want = Wanted<vrouterDesired.MetadataSpec>

const same = (a: Reader) => (b: Reader) => a.mac === b.mac && a.ip === b.ip

export function plan(
  want: readonly Want[],
  have: readonly MetadataHave[],
  { buried }: Pick<PlanContext, 'buried'>,
): MetadataChange[] {
  const seen = new Map(have.map((h) => [h.uuid, h]))
  const good = want.filter((w) => seen.has(w.uuid) && !faultOf(w, seen.get(w.uuid)!))
  const stays = staying(good, have, buried)
  const removals = have.flatMap((h) => {
    const w = good.find((one) => one.uuid === h.uuid)
    const gone = buried.has(h.uuid) ? h.made : w ? h.made.filter((made) => !isOf(made, w)) : []
    return gone.flatMap((made) => planRemoval(h, made, stays))
  })
  const started = new Set<string>()
  const made = good.flatMap((w) => planReader(w, seen.get(w.uuid)!, started))
  return [...removals, ...made]
}

/** The same guest at the same address of the same router. */
const isOf = (made: Made, { spec }: Want) => made.router === spec.routerUuid && same(made)(spec)

/** Who is served after this pass. */
function staying(good: readonly Want[], have: readonly MetadataHave[], buried: PlanContext['buried']): Made[] {
  const acting = new Set(good.map((w) => w.uuid))
  return [
    ...good.map(({ spec: { routerUuid: router, mac, ip } }) => ({ router, mac, ip, digest: '' })),
    ...have.filter((h) => !buried.has(h.uuid) && !acting.has(h.uuid)).flatMap((h) => h.made),
  ]
}

const tag = (uuid: string, router: string, steps: readonly MetadataStep[]): MetadataChange[] =>
  steps.map((step) => ({ uuid, router, ...step }))

function planRemoval({ uuid, routers }: MetadataHave, made: Made, stays: readonly Made[]): MetadataChange[] {
  const { router } = made
  const view = routers.find((one) => one.uuid === router)
  const others = stays.filter((one) => one.router === router)
  const reader = { mac: made.mac, ip: made.ip }
  const isIn = view?.readers?.some(same(made)) && !others.some(same(made))
  return tag(uuid, router, [
    ...(isIn ? [{ op: 'readers.move', add: [], remove: [reader] } as const] : []),
    ...(others.length === 0 && view?.server !== 'absent' ? [{ op: 'server.stop' } as const] : []),
    ...(others.some((one) => one.ip === made.ip) ? [] : [{ op: 'files.remove', ip: made.ip } as const]),
    { op: 'record.remove' },
  ])
}

function planReader(w: Want, h: MetadataHave, started: Set<string>): MetadataChange[] {
  const { uuid, spec } = w
  const { routerUuid: router, mac, ip } = spec
  const view = viewOf(w, h)!
  const digest = digestOf(spec)
  const before = h.made.find((made) => isOf(made, w))
  const written = before?.digest === digest && view.folders.includes(ip)
  const leads = view.server !== 'running' && !started.has(router)
  started.add(router)
  return tag(uuid, router, [
    ...(written
      ? []
      : [{ op: 'files.write', spec } as const, { op: 'record.write', made: { router, mac, ip, digest } } as const]),
    ...(view.readers!.some(same(spec)) ? [] : [{ op: 'readers.move', add: [{ mac, ip }], remove: [] } as const]),
    ...(leads && view.server === 'elsewhere' ? [{ op: 'server.stop' } as const] : []),
    ...(leads ? [{ op: 'server.start' } as const] : []),
  ])
}

const viewOf = ({ spec }: Want, h: MetadataHave): RouterView | undefined => h.routers.find((one) => one.uuid === spec.routerUuid)

/** Why this document can't be carried out now: nothing is changed then. */
export function faultOf(w: Want, h: MetadataHave): ErrorBody | undefined {
  const view = viewOf(w, h)
  const netns = routerNetns(w.spec.routerUuid)
  if (!view?.netns || (!view.unseen && view.readers === null))
    return toErrorBody(new SkerryError('not-found', "the router of the guest's network is not on this host", { netns }))
  if (view.unseen)
    return toErrorBody(
      new SkerryError('host-command-failed', "the namespace of the guest's router cannot be read", { netns, cause: view.unseen }),
    )
  return undefined
}

/** `observed`: {served}: the files are there, the guest is let in, and the server runs. */
export function report(want: Want | undefined, have: MetadataHave | undefined): Report {
  const view = want && have ? viewOf(want, have) : undefined
  const made = want && have?.made.find((one) => isOf(one, want))
  const served = made?.digest === (want && digestOf(want.spec)) && view?.server === 'running' && view.readers?.some(same(made!))
  const error = want && have ? faultOf(want, have) : undefined
  const observed = { served: made !== undefined && served === true }
  return error ? { condition: 'Failed', observed, error } : { condition: 'Ready', observed }
}
