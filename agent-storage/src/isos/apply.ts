/** Copies and removes ISO images of this host's CD drives. */
import { SkerryError, type storageDesired } from '@skerry/contract'
import type { Host } from '@skerry/host'
import { readMarker } from '../pools/folder.ts'
import type { ImageCache } from '../volumes/cache.ts'
import type { IsoChange } from './plan.ts'

export interface IsoPorts {
  files: Host['files']
  cache: ImageCache
}

export async function apply({ files, cache }: IsoPorts, change: IsoChange): Promise<void> {
  if (change.op === 'copy') return copy({ files, cache }, change.spec, change.poolPath)
  for (const path of change.paths) await files.remove(path)
}

async function copy({ files, cache }: IsoPorts, spec: storageDesired.IsoSpec, poolPath: string): Promise<void> {
  const { poolUuid, ...iso } = spec
  if ((await readMarker(files, poolPath))?.uuid !== poolUuid)
    throw new SkerryError('host-command-failed', `there is no storage ${poolUuid} at ${poolPath}`, { poolUuid, path: poolPath })
  await cache.ensure({ ...iso, format: 'iso' })
}
