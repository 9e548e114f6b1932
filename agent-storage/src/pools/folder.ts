/** What stands at a pool's path, and whether it may become (or is) a pool of ours. Read only. */
import { z } from 'zod'
import type { StoreFiles } from '../sftp/remote-files.ts'

export type PoolKind = 'primary' | 'image-store'

/** [format] The mark of a pool: `<path>/.skerry-pool.json`. */
export const MARKER = '.skerry-pool.json'
export const marker = z.object({
  v: z.literal(1),
  uuid: z.string(),
  kind: z.enum(['primary', 'image-store']),
  madeFolder: z.boolean(),
})
export type Marker = z.infer<typeof marker>

/** Folders of a pool. A primary pool holds no images and an image store no volumes. */
export const FOLDERS: Readonly<Record<PoolKind, readonly string[]>> = {
  primary: ['volumes', 'cache'],
  'image-store': ['images', 'refs'],
}

/** Nothing of ours belongs below these. */
const SYSTEM = [
  '/etc',
  '/usr',
  '/bin',
  '/sbin',
  '/lib',
  '/lib32',
  '/lib64',
  '/libx32',
  '/boot',
  '/dev',
  '/proc',
  '/sys',
  '/var/log',
  '/var/lib/dpkg',
  '/var/lib/libvirt',
]
/** These hold others' folders; one of ours may stand in them, but they can't be ours themselves. */
const SHARED = [
  '/',
  '/var',
  '/var/lib',
  '/var/cache',
  '/var/tmp',
  '/home',
  '/root',
  '/opt',
  '/mnt',
  '/media',
  '/srv',
  '/tmp',
  '/run',
]
/** What an empty file system holds, and what an interrupted write of ours leaves. */
const NOTHING = (name: string) => name === 'lost+found' || name.startsWith('.tmp-')

export type FolderState =
  /** absent or empty: may become a pool */
  | { state: 'free'; exists: boolean }
  | { state: 'ours'; marker: Marker; missing: string[] }
  | { state: 'refused'; reason: string; facts: Record<string, unknown> }

/** `uuid` and `kind`: the pool that wants to stand there. */
export async function lookAtFolder(
  files: StoreFiles,
  path: string,
  pool: { uuid: string; kind: PoolKind },
): Promise<FolderState> {
  if (SHARED.includes(path) || SYSTEM.some((s) => path === s || path.startsWith(`${s}/`))) {
    return { state: 'refused', reason: `${path} is a system folder`, facts: { path } }
  }
  const stat = await files.stat(path)
  if (!stat) return { state: 'free', exists: false }
  if (stat.kind !== 'folder') return { state: 'refused', reason: `${path} is not a folder`, facts: { path } }
  const names = ((await files.list(path)) ?? []).filter((name) => !NOTHING(name))
  if (names.length === 0) return { state: 'free', exists: true }
  const mark = await readMarker(files, path)
  if (!mark)
    return { state: 'refused', reason: `${path} holds files that are not ours`, facts: { path, files: names.slice(0, 10) } }
  if (mark.uuid !== pool.uuid || mark.kind !== pool.kind) {
    return {
      state: 'refused',
      reason: `${path} belongs to another storage`,
      facts: { path, storageUuid: mark.uuid, kind: mark.kind },
    }
  }
  return { state: 'ours', marker: mark, missing: FOLDERS[pool.kind].filter((name) => !names.includes(name)) }
}

/** Undefined: there is none, or it isn't ours to read. */
export async function readMarker(files: StoreFiles, path: string): Promise<Marker | undefined> {
  const text = await files.read(`${path}/${MARKER}`)
  if (text === undefined) return undefined
  try {
    return marker.safeParse(JSON.parse(text)).data
  } catch {
    return undefined // not JSON: not a marker of ours, so the folder counts as foreign and is left alone
  }
}
