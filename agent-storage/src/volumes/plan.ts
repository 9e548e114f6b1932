/** Pure: what to do to volumes, and what to tell of them. A volume that held data and is gone is told, never made anew. */
import { type ErrorBody, SkerryError, type storageDesired, toErrorBody } from '@skerry/contract'
import type { Change, PlanContext, Report, Wanted } from '@skerry/reconcile'
import { layerChanges, layersPending, layerTrouble } from './layers.ts'
import { type FileHave, filesOf, poolOf, type VolumeHave } from './observe.ts'

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
    /** An empty file over another of the volume: what the volume holds is the same through it. */
    | {
        op: 'layer'
        poolPath: string
        poolUuid: string
        path: string
        over: { path: string; format: 'qcow2' | 'raw' }
        sizeBytes: number
      }
    /** Nothing lies over it, and nobody needs it. `forget`: it was to become the present one. */
    | { op: 'drop'; path: string; forget: boolean }
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
  for (const h of have)
    if (!context.buried.has(h.uuid)) for (const { backingPath } of filesOf(h)) if (backingPath) used.add(backingPath)
  const changes: VolumeChange[] = []
  for (const h of have) {
    if (!context.buried.has(h.uuid)) continue
    const below = filesOf(h).flatMap(({ backingPath }) => backingPath ?? [])
    // Only a file of the pool's own cache is ours to remove with its last user.
    const cached = [...new Set(below)].filter((path) => path.startsWith(`${h.poolPath}/cache/`) && !used.has(path))
    const layers = (h.layers ?? []).map(({ path }) => path)
    changes.push({ uuid: h.uuid, op: 'remove', paths: [...cached, ...h.leftovers, ...layers, ...(h.file ? [h.file.path] : [])] })
  }
  return changes
}

function changesFor(want: Wanted<Spec>, have: VolumeHave | undefined): VolumeChange[] {
  const { uuid, spec } = want
  const poolPath = poolOf(spec, uuid)
  if (!poolPath) return []
  const file = presentOf(want, have)
  if (file) {
    const grow = file.sizeBytes < spec.sizeBytes && file.sizeBytes > 0
    return [
      ...(grow ? [{ uuid, op: 'grow' as const, path: spec.path, format: spec.format, sizeBytes: spec.sizeBytes }] : []),
      ...layerChanges(want, filesOf(have), poolPath),
    ]
  }
  if (heldData(want)) return []
  const { poolUuid, path, format, sizeBytes, backing } = spec
  return [{ uuid, op: 'make', poolPath, poolUuid, path, format, sizeBytes, backing }]
}

const presentOf = ({ spec }: Wanted<Spec>, have: VolumeHave | undefined): FileHave | undefined =>
  filesOf(have).find(({ path }) => path === spec.path)

/** By the controller's word, or because this agent has made it before. */
const heldData = (want: Wanted<Spec>) => want.spec.birth === 'exists' || want.facts['madeAt'] === want.spec.path

export function report(want: Wanted<Spec> | undefined, have: VolumeHave | undefined): Report {
  const file = want ? presentOf(want, have) : have?.file
  const observed = file ? { sizeBytes: file.sizeBytes, actualBytes: file.actualBytes } : {}
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
  if (!file) return heldData(want) ? failed('Failed', gone(want, path)) : { condition: 'Working', observed }
  if (file.sizeBytes === 0)
    return failed(
      'Failed',
      new SkerryError('volume-lost', `${path} is no ${want.spec.format} file any more`, { path, volumeUuid: want.uuid }),
    )
  const trouble = layerTrouble(want, filesOf(have))
  if (trouble) return failed('Failed', trouble)
  return { condition: layersPending(want, filesOf(have)) ? 'Working' : 'Ready', observed }
}

const gone = ({ uuid, spec }: Wanted<Spec>, path: string) =>
  new SkerryError('volume-lost', `${path} is gone`, { path, volumeUuid: uuid, poolUuid: spec.poolUuid })

/** Allocation grows with each guest write: only a move by 1 % of the volume (at least 64 MiB) is told. */
export function steady(before: Record<string, unknown>, after: Record<string, unknown>): boolean {
  const least = Math.max(64 * 1024 ** 2, Number(after['sizeBytes']) / 100)
  return (
    before['sizeBytes'] === after['sizeBytes'] && Math.abs(Number(before['actualBytes']) - Number(after['actualBytes'])) < least
  )
}
