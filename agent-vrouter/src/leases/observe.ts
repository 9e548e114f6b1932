/** Reads hosts and leases of all routers. Files only: no process is asked. */
import type { vrouterDesired } from '@skerry/contract'
import type { DnsmasqLease, Files } from '@skerry/host'
import type { PlanContext, Wanted } from '@skerry/reconcile'
import { routerDir, routersDir } from '../routers/service.ts'
import type { Folders, FolderView } from './folder.ts'
import type { LeaseHave, PlacedLine } from './have.ts'
import { noneMeet, problemsOf } from './problems.ts'

export interface LeaseSight {
  files: Files
  folders: Folders
  stateDir: string
}

type Context = Pick<PlanContext, 'wantedOf' | 'buriedOf' | 'nowMs'> & Partial<Pick<PlanContext, 'only' | 'wanted'>>
type Want = Wanted<vrouterDesired.LeaseSpec>
type Views = ReadonlyMap<string, FolderView>

/** Every line that names a NIC, and every wanted lease, also one that isn't there yet; in a pass over a few only these. */
export async function observe({ files, folders, stateDir }: LeaseSight, context: Context): Promise<LeaseHave[]> {
  const views = new Map<string, FolderView>()
  for (const router of (await files.list(routersDir(stateDir))) ?? [])
    views.set(router, await folders.read(routerDir(stateDir, router)))
  const wanted = (context.only ? context.wanted : context.wantedOf('lease')) as readonly Want[]
  const problems = context.only && noneMeet(wanted, views, context) ? new Map() : problemsOf(context, allLines(views))
  const found: LeaseHave[] = []
  const add = (uuid: string, at: { router: string; mac: string; ip: string } | undefined) => {
    const lease = at && views.get(at.router)?.leaseOf.get(at.ip)
    const state = stateOf(lease?.mac === at?.mac ? lease : undefined, context.nowMs)
    found.push({ uuid, lines: linesOf(uuid, views), ...state, problem: problems.get(uuid) ?? null })
  }
  for (const { uuid, spec } of wanted) add(uuid, { router: spec.routerUuid, mac: spec.mac, ip: spec.ip })
  if (context.only) return found
  const known = new Set(wanted.map((w) => w.uuid))
  for (const [router, { byNic }] of views)
    for (const [uuid, [first]] of byNic) {
      if (known.has(uuid)) continue
      known.add(uuid)
      add(uuid, { router, ...first! })
    }
  return found
}

function allLines(views: Views): PlacedLine[] {
  const lines: PlacedLine[] = []
  for (const [router, view] of views) for (const line of view.lines) lines.push({ router, ...line })
  return lines
}

const linesOf = (uuid: string, views: Views): PlacedLine[] =>
  [...views].flatMap(([router, { byNic }]) => (byNic.get(uuid) ?? []).map((line) => ({ router, ...line })))

function stateOf(lease: DnsmasqLease | undefined, nowMs: number): Pick<LeaseHave, 'leased' | 'expiresAt'> {
  const endless = lease?.expiresAt === 0
  const expiresAt = lease && !endless ? lease.expiresAt * 1000 : null
  const leased = endless || (expiresAt !== null && expiresAt > nowMs)
  return { leased, expiresAt: leased ? expiresAt : null }
}
