/** Reads hosts and leases of all routers. Files only: no process is asked. */
import type { vrouterDesired } from '@skerry/contract'
import type { DnsmasqLease, Files } from '@skerry/host'
import type { PlanContext, Wanted } from '@skerry/reconcile'
import { routerDir, routersDir } from '../routers/service.ts'
import { readFolder } from './folder.ts'
import type { LeaseHave, PlacedLine } from './have.ts'
import { problemsOf } from './problems.ts'

type Lease = Wanted<vrouterDesired.LeaseSpec>

/** Every line that names a NIC, and every wanted lease, also one that isn't there yet. */
export async function observe(
  files: Files,
  stateDir: string,
  context: Pick<PlanContext, 'wantedOf' | 'buriedOf' | 'nowMs'>,
): Promise<LeaseHave[]> {
  const lines: PlacedLine[] = []
  const leased = new Map<string, DnsmasqLease>()
  for (const router of (await files.list(routersDir(stateDir))) ?? []) {
    const folder = await readFolder(files, routerDir(stateDir, router))
    for (const line of folder.lines) lines.push({ router, ...line })
    for (const lease of folder.leases) leased.set(`${router} ${lease.mac} ${lease.ip}`, lease)
  }
  const problems = problemsOf(context, lines)
  const linesOf = new Map<string, PlacedLine[]>()
  for (const line of lines) {
    if (line.uuid === null) continue
    const known = linesOf.get(line.uuid)
    if (known) known.push(line)
    else linesOf.set(line.uuid, [line])
  }
  const wanted = new Map(
    (context.wantedOf('lease') as readonly Lease[]).map(({ uuid, spec }) => [
      uuid,
      { router: spec.routerUuid, mac: spec.mac, ip: spec.ip },
    ]),
  )
  const uuids = new Set([...wanted.keys(), ...linesOf.keys()])
  return [...uuids].map((uuid) => {
    const own = linesOf.get(uuid) ?? []
    const at = wanted.get(uuid) ?? own[0]
    const lease = at && leased.get(`${at.router} ${at.mac} ${at.ip}`)
    return { uuid, lines: own, ...stateOf(lease, context.nowMs), problem: problems.get(uuid) ?? null }
  })
}

function stateOf(lease: DnsmasqLease | undefined, nowMs: number): Pick<LeaseHave, 'leased' | 'expiresAt'> {
  const endless = lease?.expiresAt === 0
  const expiresAt = lease && !endless ? lease.expiresAt * 1000 : null
  const leased = endless || (expiresAt !== null && expiresAt > nowMs)
  return { leased, expiresAt: leased ? expiresAt : null }
}
