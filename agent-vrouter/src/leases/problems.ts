/** Leases that can't stand: no router, an address outside it, or one that somebody else has. Pure. */
import { type ErrorBody, type ErrorCode, SkerryError, toErrorBody, type vrouterDesired } from '@skerry/contract'
import type { PlanContext, Wanted } from '@skerry/reconcile'
import { contains } from '../routers/cidr.ts'
import type { PlacedLine } from './have.ts'

type Lease = Wanted<vrouterDesired.LeaseSpec>
type Router = Wanted<vrouterDesired.RouterSpec>

/** By NIC. Of two documents that want one address or MAC in one network, the first by uuid has it. */
export function problemsOf(
  context: Pick<PlanContext, 'wantedOf' | 'buriedOf'>,
  lines: readonly PlacedLine[],
): Map<string, ErrorBody> {
  const leases = context.wantedOf('lease') as readonly Lease[]
  const routers = new Map((context.wantedOf('router') as readonly Router[]).map((r) => [r.uuid, r]))
  const known = new Set([...leases, ...context.buriedOf('lease')].map((l) => l.uuid))
  const holders = new Map<string, string>()
  // whom nobody wants or buried still runs with its address
  for (const { uuid, router, mac, ip } of lines)
    if (uuid !== null && !known.has(uuid)) for (const key of keysOf(router, mac, ip)) holders.set(key, uuid)
  const problems = new Map<string, ErrorBody>()
  for (const { uuid, spec } of leases) {
    const problem = problemOf({ uuid, spec }, routers.get(spec.routerUuid), holders)
    if (problem) problems.set(uuid, problem)
    else for (const key of keysOf(spec.routerUuid, spec.mac, spec.ip)) holders.set(key, uuid)
  }
  return problems
}

const keysOf = (router: string, mac: string, ip: string) => [`${router} ${mac}`, `${router} ${ip}`]

function problemOf(
  { uuid, spec }: Pick<Lease, 'uuid' | 'spec'>,
  router: Router | undefined,
  holders: ReadonlyMap<string, string>,
): ErrorBody | undefined {
  const { routerUuid, mac, ip } = spec
  const fail = (code: ErrorCode, message: string, more: Record<string, unknown> = {}) =>
    toErrorBody(new SkerryError(code, message, { nicUuid: uuid, routerUuid, mac, ip, ...more }))
  if (!router) return fail('not-found', 'the router of a lease is not on this agent; the lease is made as soon as it is')
  if (!router.spec.cidrs.some(({ cidr }) => contains(cidr, ip)))
    return fail('invalid-document', 'the address of a lease is in no network of its router')
  const holder = keysOf(routerUuid, mac, ip)
    .map((key) => holders.get(key))
    .find((other) => other !== undefined && other !== uuid)
  return holder === undefined
    ? undefined
    : fail('address-in-use', 'the address or MAC of a lease belongs to another one in this network', { holder })
}
