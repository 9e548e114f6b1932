/** Which host lines are missing, wrong, or of a buried NIC. Pure. What is leased to nobody's line is the router's to forget. */
import type { vrouterDesired } from '@skerry/contract'
import type { PlanContext, Report, Wanted } from '@skerry/reconcile'
import type { LeaseChange, LeaseHave } from './have.ts'
import { says } from './hosts-file.ts'

type Want = Wanted<vrouterDesired.LeaseSpec>

export function plan(
  want: readonly Want[],
  have: readonly LeaseHave[],
  context: Pick<PlanContext, 'buried' | 'buriedOf'>,
): LeaseChange[] {
  const seen = new Map(have.map((h) => [h.uuid, h]))
  // a leaving router takes its folder along: no daemon need hear of each host in it
  const leaving = new Set(context.buriedOf('router').map((r) => r.uuid))
  const removals = have
    .filter((h) => context.buried.has(h.uuid))
    .flatMap((h) => h.lines.filter((line) => !leaving.has(line.router)).map(({ router }) => remove(h.uuid, router)))
  const made = want.flatMap(({ uuid, spec }): LeaseChange[] => {
    const h = seen.get(uuid)
    if (h?.problem) return []
    const elsewhere = (h?.lines ?? []).filter((line) => line.router !== spec.routerUuid && !leaving.has(line.router))
    const right = h?.lines.some((line) => line.router === spec.routerUuid && says(line, spec))
    const { routerUuid: router, mac, ip, ip6, hostname } = spec
    return [
      ...elsewhere.map((line) => remove(uuid, line.router)),
      ...(right ? [] : [{ uuid, op: 'host.put', router, mac, ip, ...(ip6 ? { ip6 } : {}), hostname } as const]),
    ]
  })
  return [...removals, ...made]
}

const remove = (uuid: string, router: string): LeaseChange => ({ uuid, op: 'host.remove', router })

/** `observed`: contract's `leaseObserved`; `expiresAt` in epoch milliseconds, null while not leased or without an end. */
export function report(want: Want | undefined, have: LeaseHave | undefined): Report {
  const observed = { leased: have?.leased ?? false, expiresAt: have?.expiresAt ?? null }
  const error = want ? have?.problem : undefined
  if (!error) return { condition: 'Ready', observed }
  return { condition: error.code === 'invalid-document' ? 'Refused' : 'Failed', observed, error }
}
