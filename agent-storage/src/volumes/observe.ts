/** Every volume file in the pools that documents and tombstones name, also those that nobody wants, and what is left of buried ones. */
import type { storageDesired } from '@skerry/contract'
import type { Host } from '@skerry/host'
import type { PlanContext } from '@skerry/reconcile'
import { readMarker } from '../pools/folder.ts'
import { readHeader } from './header.ts'

export interface VolumeHave {
  uuid: string
  poolPath: string
  /** Absent: only leftovers. */
  file: { path: string; format: 'qcow2' | 'raw'; sizeBytes: number; actualBytes: number; backingPath: string | null } | null
  /** Half-made files, and a cached image that was made for this volume only. */
  leftovers: string[]
}

const VOLUME_FILE = /^([0-9a-f]{32})\.(qcow2|raw)(\.tmp)?$/

type Named<T> = readonly { uuid: string; spec: T | undefined }[]

export async function observe(files: Host['files'], context: PlanContext): Promise<VolumeHave[]> {
  const have: VolumeHave[] = []
  for (const poolPath of await primaryPools(files, context)) have.push(...(await observePool(files, poolPath)))
  return [...have, ...(await orphanedCaches(files, context, have))]
}

/** Paths of the primary pools that carry their own mark. */
async function primaryPools(files: Host['files'], context: PlanContext): Promise<string[]> {
  const named = [...context.wantedOf('pool'), ...context.buriedOf('pool')] as Named<storageDesired.PoolSpec>
  const paths = new Set<string>()
  for (const { uuid, spec } of named) {
    if (spec?.kind === 'primary' && (await readMarker(files, spec.path))?.uuid === uuid) paths.add(spec.path)
  }
  return [...paths].sort()
}

async function observePool(files: Host['files'], poolPath: string): Promise<VolumeHave[]> {
  const found = new Map<string, VolumeHave>()
  for (const name of (await files.list(`${poolPath}/volumes`)) ?? []) {
    const [, uuid, format, partial] = name.match(VOLUME_FILE) ?? []
    if (!uuid || (format !== 'qcow2' && format !== 'raw')) continue
    const path = `${poolPath}/volumes/${name}`
    const have = found.get(uuid) ?? { uuid, poolPath, file: null, leftovers: [] }
    found.set(uuid, have)
    if (partial) have.leftovers.push(path)
    else have.file = await describe(files, path, format)
  }
  return [...found.values()]
}

async function describe(files: Host['files'], path: string, format: 'qcow2' | 'raw'): Promise<VolumeHave['file']> {
  const stat = await files.stat(path)
  if (stat?.kind !== 'file') return null
  const header = format === 'qcow2' ? await readHeader(files, path) : { sizeBytes: stat.sizeBytes, backingPath: undefined }
  return {
    path,
    format,
    sizeBytes: header?.sizeBytes ?? 0,
    actualBytes: stat.allocatedBytes,
    backingPath: header?.backingPath ?? null,
  }
}

/** A cached image that only volumes under a tombstone ever wanted: their making failed, or their removal was cut off. */
async function orphanedCaches(files: Host['files'], context: PlanContext, have: readonly VolumeHave[]): Promise<VolumeHave[]> {
  const used = new Set(have.map((h) => h.file?.backingPath))
  for (const { spec } of context.wantedOf('volume') as Named<storageDesired.VolumeSpec>) used.add(spec?.backing?.cachePath)
  const left: VolumeHave[] = []
  for (const { uuid, spec } of context.buriedOf('volume') as Named<storageDesired.VolumeSpec>) {
    const cachePath = spec?.backing?.cachePath
    if (!spec || !cachePath || used.has(cachePath)) continue
    const paths = [cachePath, `${cachePath}.tmp`]
    const there = await Promise.all(paths.map((path) => files.stat(path)))
    const leftovers = paths.filter((_, n) => there[n]?.kind === 'file')
    const pool = poolOf(spec, uuid)
    if (leftovers.length > 0 && pool) left.push({ uuid, poolPath: pool, file: null, leftovers })
  }
  return left
}

/** The pool's path, by the volume's own; undefined when the paths don't follow the contract's naming. */
export function poolOf(spec: storageDesired.VolumeSpec, uuid: string): string | undefined {
  const tail = `/volumes/${uuid}.${spec.format}`
  if (!spec.path.endsWith(tail)) return undefined
  const pool = spec.path.slice(0, -tail.length)
  const { backing } = spec
  if (backing && backing.cachePath !== `${pool}/cache/${backing.sha256}.${backing.format}`) return undefined
  return pool
}
