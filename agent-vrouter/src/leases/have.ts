/** What is seen of a lease, and what is done to it. */
import type { ErrorBody } from '@skerry/contract'
import type { Change, Observed } from '@skerry/reconcile'
import type { HostLine } from './hosts-file.ts'

/** A line that names this NIC, in the hosts of some router. */
export interface PlacedLine extends HostLine {
  router: string
}

export interface LeaseHave extends Observed {
  lines: PlacedLine[]
  leased: boolean
  /** Epoch milliseconds; null: not leased, or for ever. */
  expiresAt: number | null
  /** Why its document can't be carried out now. */
  problem: ErrorBody | null
}

export type LeaseChange =
  | (Change & { op: 'host.put'; router: string; mac: string; ip: string; ip6?: string; hostname: string | null })
  | (Change & { op: 'host.remove'; router: string })
