/**
 * The files of a volume besides the present one. Pure. Each lies over another, so one that is missing takes all above it along, and one
 * that is written into destroys them: what something lies over is neither written, nor grown, nor removed.
 */
import { besides, fileNameOf, SkerryError, type storageDesired } from '@skerry/contract'
import type { Wanted } from '@skerry/reconcile'
import type { FileHave } from './observe.ts'
import type { VolumeChange } from './plan.ts'

type Want = Wanted<storageDesired.VolumeSpec>

const isThere = (files: readonly FileHave[], path: string) => files.some((file) => file.path === path)
/** What lies directly over it. */
const over = (files: readonly FileHave[], path: string) => files.filter((file) => file.backingPath === path)

export function layerChanges({ uuid, spec, facts }: Want, files: readonly FileHave[], poolPath: string): VolumeChange[] {
  const changes: VolumeChange[] = []
  const { next, path, poolUuid, sizeBytes } = spec
  const target = next && besides(path, next.file)
  const below = next && files.find((file) => file.path === besides(path, next.over))
  if (next && target && below && below.sizeBytes > 0 && !isThere(files, target) && facts['nextAt'] !== next.file) {
    const from = { path: below.path, format: below.format }
    changes.push({
      uuid,
      op: 'layer',
      poolPath,
      poolUuid,
      path: target,
      over: from,
      sizeBytes: Math.max(sizeBytes, below.sizeBytes),
    })
  }
  for (const gone of removable({ spec }, files))
    changes.push({ uuid, op: 'drop', path: gone, forget: facts['nextAt'] === fileNameOf(gone) })
  return changes
}

/** Of what is to go, that over which nothing will lie then; the uppermost first. */
function removable({ spec }: Pick<Want, 'spec'>, files: readonly FileHave[]): string[] {
  const kept = keptPaths(spec)
  const paths = (spec.drop ?? [])
    .map((file) => besides(spec.path, file))
    .filter((path) => !kept.has(path) && isThere(files, path))
  const gone: string[] = []
  for (let found = true; found; ) {
    found = false
    for (const path of paths) {
      if (gone.includes(path) || over(files, path).some((file) => !gone.includes(file.path))) continue
      gone.push(path)
      found = true
    }
  }
  return gone
}

function keptPaths({ path, layers = [], next }: storageDesired.VolumeSpec): Set<string> {
  const files = [...layers.map(({ file }) => file), ...(next ? [next.file, next.over] : [])]
  return new Set([path, ...files.map((file) => besides(path, file))])
}

/** What can't be mended here; undefined: nothing. */
export function layerTrouble({ uuid, spec, facts }: Want, files: readonly FileHave[]): SkerryError | undefined {
  const { path, layers = [], next, drop = [] } = spec
  const lost = layers.find(({ file }) => !isThere(files, besides(path, file)))
  const lose = (where: string, more: Record<string, unknown> = {}) =>
    new SkerryError('volume-lost', `${where} is gone`, { path: where, volumeUuid: uuid, poolUuid: spec.poolUuid, ...more })
  if (lost) return lose(besides(path, lost.file), { volumeSnapshotUuid: lost.snapshotUuid })
  const torn = files.find((file) => file.sizeBytes === 0 && keptPaths(spec).has(file.path))
  if (torn) return new SkerryError('volume-lost', `${torn.path} is no disk image any more`, { path: torn.path, volumeUuid: uuid })
  if (next && facts['nextAt'] === next.file && !isThere(files, besides(path, next.file))) return lose(besides(path, next.file))
  const ours = `${path.slice(0, path.lastIndexOf('/') + 1)}${uuid}.`
  const hanging = files.find(({ backingPath }) => backingPath?.startsWith(ours) && !isThere(files, backingPath))
  if (hanging && keptPaths(spec).has(hanging.path)) return lose(hanging.backingPath!, { over: hanging.path })
  const expected = new Set([...(next ? [next.file] : []), ...drop].map((file) => besides(path, file)))
  const above = over(files, path).find((file) => !expected.has(file.path))
  const kept = drop
    .map((file) => besides(path, file))
    .find((one) => isThere(files, one) && !removable({ spec }, files).includes(one))
  if (above) return layered(uuid, path, above.path)
  return kept && !keptPaths(spec).has(kept) ? layered(uuid, kept, over(files, kept)[0]?.path ?? kept) : undefined
}

const layered = (volumeUuid: string, path: string, by: string) =>
  new SkerryError('volume-layered', `${by} lies over ${path}`, { volumeUuid, path, over: by })

/** Something is still to be made or removed. */
export function layersPending({ spec }: Want, files: readonly FileHave[]): boolean {
  const { path, next } = spec
  return (next !== undefined && !isThere(files, besides(path, next.file))) || removable({ spec }, files).length > 0
}
