/** Reads hosts and leases of all routers. Files only: no process is asked. */
import type { vrouterDesired } from '@skerry/contract'
import type { DnsmasqLease, Files } from '@skerry/host'
import type { PlanContext, Wanted } from '@skerry/reconcile'
import { routerDir, routersDir } from '../routers/service.ts'
import type { Folders, FolderView } from './folder.ts'
import type { LeaseHave, PlacedLine } from './have.ts'
import { problemsOf } from './problems.ts'

export interface LeaseSight {
  files: Files
  folders: Folders
  stateDir: string
}

type Context = Pick<PlanContext, 'wantedOf' | 'buriedOf' | 'nowMs'>

/** Every line that names a NIC, and every wanted lease, also one that isn't there yet. */
export async function observe({ files, folders, stateDir }: LeaseSight, context: Context): Promise<LeaseHave[]> {
  const views = new Map<string, FolderView>()
  for (const router of (await files.list(routersDir(stateDir))) ?? [])
    views.set(router, await folders.read(routerDir(stateDir, router)))
  const lines: PlacedLine[] = []
  for (const [router, view] of views) for (const line of view.lines) lines.push({ router, ...line })
  const problems = problemsOf(context, lines)
  const linesOf = groupByNic(lines)
  const leases = new Map<string, Map<string, DnsmasqLease>>()
  for (const [router, view] of views) leases.set(router, new Map(view.leases.map((lease) => [lease.ip, lease])))
  const found: LeaseHave[] = []
  const add = (uuid: string, at: { router: string; mac: string; ip: string } | undefined) => {
    const lease = at && leases.get(at.router)?.get(at.ip)
    const state = stateOf(lease?.mac === at?.mac ? lease : undefined, context.nowMs)
    found.push({ uuid, lines: linesOf.get(uuid) ?? [], ...state, problem: problems.get(uuid) ?? null })
  }
  const wanted = context.wantedOf('lease') as readonly Wanted<vrouterDesired.LeaseSpec>[]
  for (const { uuid, spec } of wanted) add(uuid, { router: spec.routerUuid, mac: spec.mac, ip: spec.ip })
  const known = new Set(wanted.map((w) => w.uuid))
  for (const [uuid, own] of linesOf) if (!known.has(uuid)) add(uuid, own[0])
  return found
}

function groupByNic(lines: readonly PlacedLine[]): Map<string, PlacedLine[]> {
  const groups = new Map<string, PlacedLine[]>()
  for (const line of lines) {
    if (line.uuid === null) continue
    const group = groups.get(line.uuid)
    if (group) group.push(line)
    else groups.set(line.uuid, [line])
  }
  return groups
}

function stateOf(lease: DnsmasqLease | undefined, nowMs: number): Pick<LeaseHave, 'leased' | 'expiresAt'> {
  const endless = lease?.expiresAt === 0
  const expiresAt = lease && !endless ? lease.expiresAt * 1000 : null
  const leased = endless || (expiresAt !== null && expiresAt > nowMs)
  return { leased, expiresAt: leased ? expiresAt : null }
}
