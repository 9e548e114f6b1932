/** Every volume file in the pools that documents and tombstones name, also those that nobody wants, and what is left of buried ones. */
import type { storageDesired } from '@skerry/contract'
import type { Host } from '@skerry/host'
import type { PlanContext } from '@skerry/reconcile'
import { readMarker } from '../pools/folder.ts'
import { readHeader } from './header.ts'

export interface FileHave {
  path: string
  format: 'qcow2' | 'raw'
  /** 0: no disk image */
  sizeBytes: number
  actualBytes: number
  backingPath: string | null
}

export interface VolumeHave {
  uuid: string
  poolPath: string
  /** The first file of the volume; null: it is gone, or never was. */
  file: FileHave | null
  /** Its other files, of which each lies over another; absent: none. */
  layers?: FileHave[]
  /** Half-made files, and a cached image that was made for this volume only. */
  leftovers: string[]
}

const VOLUME_FILE = /^([0-9a-f]{32})(\.[0-9a-f]{32})?\.(qcow2|raw)(\.tmp)?$/

export const filesOf = (have: VolumeHave | undefined): FileHave[] => [...(have?.file ? [have.file] : []), ...(have?.layers ?? [])]

type Named<T> = readonly { uuid: string; spec: T | undefined }[]

/** In a pass over a few volumes only these are looked at. */
export async function observe(files: Host['files'], context: PlanContext): Promise<VolumeHave[]> {
  const have: VolumeHave[] = []
  const pools = await primaryPools(files, context)
  for (const poolPath of pools) have.push(...(await observePool(files, poolPath, context.only)))
  // such a pass has no tombstones, hence nothing that they left
  return context.only ? have : [...have, ...(await orphanedCaches(files, context, { pools, have }))]
}

/**
 * Paths of the primary pools that carry their own mark. Also those that only volumes name: after the loss of a ledger a pool's document
 * may come later than theirs, and a file that is not looked for would count as lost, or its tombstone as carried out.
 */
async function primaryPools(files: Host['files'], context: PlanContext): Promise<string[]> {
  const pools = [...context.wantedOf('pool'), ...context.buriedOf('pool')] as Named<storageDesired.PoolSpec>
  const volumes = [...context.wantedOf('volume'), ...context.buriedOf('volume')] as Named<storageDesired.VolumeSpec>
  const named = new Map<string, Set<string>>()
  const name = (path: string, uuid: string) => named.set(path, (named.get(path) ?? new Set()).add(uuid))
  for (const { uuid, spec } of pools) if (spec?.kind === 'primary') name(spec.path, uuid)
  for (const { uuid, spec } of volumes) {
    const path = spec && poolOf(spec, uuid)
    if (path) name(path, spec.poolUuid)
  }
  const marked: string[] = []
  for (const [path, uuids] of named) if (uuids.has((await readMarker(files, path))?.uuid ?? '')) marked.push(path)
  return marked.sort()
}

async function observePool(files: Host['files'], poolPath: string, only?: ReadonlySet<string>): Promise<VolumeHave[]> {
  const found = new Map<string, VolumeHave>()
  for (const name of (await files.list(`${poolPath}/volumes`)) ?? []) {
    const [, uuid, layer, format, partial] = name.match(VOLUME_FILE) ?? []
    if (!uuid || (only && !only.has(uuid)) || (format !== 'qcow2' && format !== 'raw')) continue
    const path = `${poolPath}/volumes/${name}`
    const have = found.get(uuid) ?? { uuid, poolPath, file: null, leftovers: [] }
    found.set(uuid, have)
    if (partial) have.leftovers.push(path)
    else if (layer === undefined) have.file = await describe(files, path, format)
    else {
      const found = await describe(files, path, format)
      if (found) have.layers = [...(have.layers ?? []), found]
    }
  }
  return [...found.values()]
}

export async function describe(files: Host['files'], path: string, format: 'qcow2' | 'raw'): Promise<FileHave | null> {
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

/**
 * A cached image that only volumes under a tombstone ever wanted: their making failed, or their removal was cut off. Only of pools that
 * were looked into: what lies over it in another, nobody knows.
 */
async function orphanedCaches(
  files: Host['files'],
  context: PlanContext,
  { pools, have }: { pools: readonly string[]; have: readonly VolumeHave[] },
): Promise<VolumeHave[]> {
  const used = new Set<string | null | undefined>(have.flatMap((h) => filesOf(h).map((file) => file.backingPath)))
  for (const { spec } of context.wantedOf('volume') as Named<storageDesired.VolumeSpec>) used.add(spec?.backing?.cachePath)
  const left: VolumeHave[] = []
  for (const { uuid, spec } of context.buriedOf('volume') as Named<storageDesired.VolumeSpec>) {
    const cachePath = spec?.backing?.cachePath
    if (!spec || !cachePath || used.has(cachePath)) continue
    const paths = [cachePath, `${cachePath}.tmp`]
    const there = await Promise.all(paths.map((path) => files.stat(path)))
    const leftovers = paths.filter((_, n) => there[n]?.kind === 'file')
    const pool = poolOf(spec, uuid)
    if (leftovers.length > 0 && pool && pools.includes(pool)) left.push({ uuid, poolPath: pool, file: null, leftovers })
  }
  return left
}

/** The pool's path, by the volume's own; undefined when the paths don't follow the contract's naming. */
export function poolOf(spec: storageDesired.VolumeSpec, uuid: string): string | undefined {
  const at = spec.path.lastIndexOf('/volumes/')
  const name = spec.path.slice(at + '/volumes/'.length).match(VOLUME_FILE)
  if (at < 0 || name?.[1] !== uuid || name[3] !== spec.format || name[4] !== undefined) return undefined
  const pool = spec.path.slice(0, at)
  const { backing } = spec
  if (backing && backing.cachePath !== `${pool}/cache/${backing.sha256}.${backing.format}`) return undefined
  return pool
}
