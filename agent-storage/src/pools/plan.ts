/** Pure: what to do to a pool's folder, and what to tell of it. */
import { type ErrorBody, SkerryError, type storageDesired, toErrorBody } from '@skerry/contract'
import type { Change, PlanContext, Report, Wanted } from '@skerry/reconcile'
import type { PoolKind } from './folder.ts'
import type { PoolHave } from './observe.ts'

type Spec = storageDesired.PoolSpec

export type PoolChange = Change &
  (
    | { op: 'make'; path: string; kind: PoolKind; madeFolder: boolean }
    | { op: 'mend'; path: string; kind: PoolKind }
    | { op: 'remove'; path: string; kind: PoolKind; madeFolder: boolean }
  )

export function plan(
  want: readonly Wanted<Spec>[],
  have: readonly PoolHave[],
  context: Pick<PlanContext, 'buried'>,
): PoolChange[] {
  const changes: PoolChange[] = []
  const seen = new Map(have.map((h) => [h.uuid, h]))
  for (const { uuid, path, folder } of have) {
    if (!context.buried.has(uuid) || folder.state !== 'ours') continue
    changes.push({ uuid, op: 'remove', path, kind: folder.marker.kind, madeFolder: folder.marker.madeFolder })
  }
  for (const w of want) {
    const { uuid, spec } = w
    const folder = seen.get(uuid)?.folder
    if (folder?.state === 'free' && !isLost(w, seen.get(uuid))) {
      changes.push({ uuid, op: 'make', path: spec.path, kind: spec.kind, madeFolder: !folder.exists })
    } else if (folder?.state === 'ours' && folder.missing.length > 0) {
      changes.push({ uuid, op: 'mend', path: spec.path, kind: spec.kind })
    }
  }
  return changes
}

/**
 * It was made before, and now its folder is empty or away: most likely its disk isn't mounted. Making it anew would put volumes
 * onto the wrong disk.
 */
const isLost = (want: Wanted<Spec>, have: PoolHave | undefined) =>
  want.facts['madeAt'] === want.spec.path && have?.folder.state === 'free'

export function report(want: Wanted<Spec> | undefined, have: PoolHave | undefined): Report {
  const observed = { ...have?.capacity }
  const failed = (condition: 'Refused' | 'Failed', error: SkerryError): Report => ({
    condition,
    observed,
    error: toErrorBody(error) as ErrorBody,
  })
  if (have?.folder.state === 'refused') return failed('Refused', new SkerryError('in-use', have.folder.reason, have.folder.facts))
  if (want && isLost(want, have)) {
    const { path } = want.spec
    return failed(
      'Failed',
      new SkerryError('volume-lost', `the storage that was at ${path} is gone; is its disk mounted?`, { path }),
    )
  }
  const complete = have?.folder.state === 'ours' && have.folder.missing.length === 0
  return { condition: complete ? 'Ready' : 'Working', observed }
}

/** Free bytes move all the time: only a move by 1 % of the disk is told. */
export function steady(before: Record<string, unknown>, after: Record<string, unknown>): boolean {
  const total = Number(after['totalBytes'])
  return (
    before['totalBytes'] === total && Math.abs(Number(before['availableBytes']) - Number(after['availableBytes'])) < total / 100
  )
}
