/** Leases that can't stand: no router, an address outside it, or one that somebody else has. Pure. */
import { type ErrorBody, type ErrorCode, SkerryError, toErrorBody, type vrouterDesired } from '@skerry/contract'
import type { PlanContext, Wanted } from '@skerry/reconcile'
import { contains, contains6 } from '../routers/cidr.ts'
import type { FolderView } from './folder.ts'
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
  const known = new Set<string>()
  for (const { uuid } of [...leases, ...context.buriedOf('lease')]) known.add(uuid)
  const holders = new Holders()
  // whom nobody wants or buried still runs with its address
  for (const line of lines) if (line.uuid !== null && !known.has(line.uuid)) holders.take(line.router, line, line.uuid)
  const problems = new Map<string, ErrorBody>()
  for (const lease of leases) {
    const problem = problemOf(lease, routers.get(lease.spec.routerUuid), holders)
    if (problem) problems.set(lease.uuid, problem)
    else holders.take(lease.spec.routerUuid, lease.spec, lease.uuid)
  }
  return problems
}

/** Whether these few can stand for sure: nobody else's line has their address or MAC, nor has one of them another's. */
export function noneMeet(
  leases: readonly Lease[],
  views: ReadonlyMap<string, Pick<FolderView, 'byIdentity'>>,
  context: Pick<PlanContext, 'wantedOf'>,
): boolean {
  const routers = new Map((context.wantedOf('router') as readonly Router[]).map((r) => [r.uuid, r]))
  const holders = new Holders()
  return leases.every((lease) => {
    const { routerUuid, mac, ip, ip6 } = lease.spec
    const lines = views.get(routerUuid)?.byIdentity
    const strange = [mac, ip, ...(ip6 ? [ip6] : [])].some((identity) => (lines?.get(identity)?.uuid ?? lease.uuid) !== lease.uuid)
    if (strange || problemOf(lease, routers.get(routerUuid), holders)) return false
    holders.take(routerUuid, lease.spec, lease.uuid)
    return true
  })
}

interface Identity {
  mac: string
  ip: string
  ip6?: string | undefined
}
const wordsOf = ({ mac, ip, ip6 }: Identity) => [mac, ip, ...(ip6 ? [ip6] : [])]

/** Who has which MAC and address in which network. MACs and addresses never look alike, so they share a map. */
class Holders {
  readonly #byRouter = new Map<string, Map<string, string>>()

  take(router: string, identity: Identity, uuid: string): void {
    const of = this.#byRouter.get(router) ?? new Map<string, string>()
    for (const word of wordsOf(identity)) of.set(word, uuid)
    this.#byRouter.set(router, of)
  }

  other(router: string, identity: Identity, uuid: string): string | undefined {
    const of = this.#byRouter.get(router)
    return wordsOf(identity)
      .map((word) => of?.get(word))
      .find((holder) => holder !== undefined && holder !== uuid)
  }
}

function problemOf({ uuid, spec }: Lease, router: Router | undefined, holders: Holders): ErrorBody | undefined {
  const fail = (code: ErrorCode, message: string, more: Record<string, unknown> = {}) => {
    const { routerUuid, mac, ip } = spec
    return toErrorBody(new SkerryError(code, message, { nicUuid: uuid, routerUuid, mac, ip, ...more }))
  }
  if (!router) return fail('not-found', 'the router of a lease is not on this agent; the lease is made as soon as it is')
  const networks = [router.spec, ...(router.spec.networks ?? [])]
  if (!networks.flatMap(({ cidrs }) => cidrs).some(({ cidr }) => contains(cidr, spec.ip))) {
    return fail('invalid-document', 'the address of a lease is in no network of its router')
  }
  const { ip6 } = spec
  if (ip6 && !(router.spec.v6 ?? []).some(({ cidr }) => contains6(cidr, ip6)))
    return fail('invalid-document', 'the IPv6 address of a lease is in no network of its router', { ip6 })
  const holder = holders.other(spec.routerUuid, spec, uuid)
  if (holder === undefined) return undefined
  return fail('address-in-use', 'the address or MAC of a lease belongs to another one in this network', { holder })
}
