/** Pure: what to do to volumes, and what to tell of them. A volume that held data and is gone is told, never made anew. */
import { type ErrorBody, SkerryError, type storageDesired, toErrorBody } from '@skerry/contract'
import type { Change, PlanContext, Report, Wanted } from '@skerry/reconcile'
import { poolOf, type VolumeHave } from './observe.ts'

type Spec = storageDesired.VolumeSpec
type Backing = NonNullable<Spec['backing']>

export type VolumeChange = Change &
  (
    | {
        op: 'make'
        poolPath: string
        poolUuid: string
        path: string
        format: 'qcow2' | 'raw'
        sizeBytes: number
        backing: Backing | null
      }
    | { op: 'grow'; path: string; format: 'qcow2' | 'raw'; sizeBytes: number }
    /** In this order: what is cut off half-way is found again by the last of them. */
    | { op: 'remove'; paths: string[] }
  )

export function plan(
  want: readonly Wanted<Spec>[],
  have: readonly VolumeHave[],
  context: Pick<PlanContext, 'buried'>,
): VolumeChange[] {
  const seen = new Map(have.map((h) => [h.uuid, h]))
  return [...removals(want, have, context), ...want.flatMap((w) => changesFor(w, seen.get(w.uuid)))]
}

function removals(
  want: readonly Wanted<Spec>[],
  have: readonly VolumeHave[],
  context: Pick<PlanContext, 'buried'>,
): VolumeChange[] {
  const used = new Set(want.map((w) => w.spec.backing?.cachePath))
  for (const h of have) if (!context.buried.has(h.uuid) && h.file?.backingPath) used.add(h.file.backingPath)
  const changes: VolumeChange[] = []
  for (const h of have) {
    if (!context.buried.has(h.uuid)) continue
    const backing = h.file?.backingPath
    // Only a file of the pool's own cache is ours to remove with its last user.
    const cached = backing?.startsWith(`${h.poolPath}/cache/`) && !used.has(backing) ? [backing] : []
    changes.push({ uuid: h.uuid, op: 'remove', paths: [...cached, ...h.leftovers, ...(h.file ? [h.file.path] : [])] })
  }
  return changes
}

function changesFor(want: Wanted<Spec>, have: VolumeHave | undefined): VolumeChange[] {
  const { uuid, spec } = want
  const poolPath = poolOf(spec, uuid)
  if (!poolPath) return []
  if (have?.file) {
    const grow = have.file.sizeBytes < spec.sizeBytes && have.file.sizeBytes > 0
    return grow ? [{ uuid, op: 'grow', path: spec.path, format: spec.format, sizeBytes: spec.sizeBytes }] : []
  }
  if (heldData(want)) return []
  const { poolUuid, path, format, sizeBytes, backing } = spec
  return [{ uuid, op: 'make', poolPath, poolUuid, path, format, sizeBytes, backing }]
}

/** By the controller's word, or because this agent has made it before. */
const heldData = (want: Wanted<Spec>) => want.spec.birth === 'exists' || want.facts['madeAt'] === want.spec.path

export function report(want: Wanted<Spec> | undefined, have: VolumeHave | undefined): Report {
  const observed = have?.file ? { sizeBytes: have.file.sizeBytes, actualBytes: have.file.actualBytes } : {}
  const failed = (condition: 'Refused' | 'Failed', error: SkerryError): Report => ({
    condition,
    observed,
    error: toErrorBody(error) as ErrorBody,
  })
  if (!want) return { condition: 'Ready', observed }
  const { path } = want.spec
  if (!poolOf(want.spec, want.uuid)) {
    return failed('Refused', new SkerryError('invalid-document', 'a volume must stand where its pool keeps volumes', { path }))
  }
  if (have?.file) {
    if (have.file.sizeBytes > 0) return { condition: 'Ready', observed }
    return failed(
      'Failed',
      new SkerryError('volume-lost', `${path} is no ${want.spec.format} file any more`, { path, volumeUuid: want.uuid }),
    )
  }
  if (!heldData(want)) return { condition: 'Working', observed }
  return failed(
    'Failed',
    new SkerryError('volume-lost', `${path} is gone`, { path, volumeUuid: want.uuid, poolUuid: want.spec.poolUuid }),
  )
}

/** Allocation grows with each guest write: only a move by 1 % of the volume (at least 64 MiB) is told. */
export function steady(before: Record<string, unknown>, after: Record<string, unknown>): boolean {
  const least = Math.max(64 * 1024 ** 2, Number(after['sizeBytes']) / 100)
  return (
    before['sizeBytes'] === after['sizeBytes'] && Math.abs(Number(before['actualBytes']) - Number(after['actualBytes'])) < least
  )
}
