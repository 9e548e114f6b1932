/** Looks at the folders that documents and tombstones name. A pool that nobody names can't be found: folders stand anywhere. */
import type { storageDesired } from '@skerry/contract'
import type { Host } from '@skerry/host'
import type { PlanContext } from '@skerry/reconcile'
import type { z } from 'zod'
import type { StoreFiles } from '../sftp/remote-files.ts'
import { type FolderState, lookAtFolder } from './folder.ts'

type Capacity = z.infer<typeof storageDesired.poolObserved>

export interface PoolHave {
  uuid: string
  path: string
  folder: FolderState
  /** Of the file system; undefined while the folder isn't there. */
  capacity: Capacity | undefined
}

export async function observe(files: Host['files'], context: PlanContext): Promise<PoolHave[]> {
  const named = [...context.wantedOf('pool'), ...context.buriedOf('pool')]
  const have: PoolHave[] = []
  for (const { uuid, spec } of named as { uuid: string; spec: storageDesired.PoolSpec | undefined }[]) {
    if (!spec) continue
    const folder = await lookAtFolder(files, spec.path, { uuid, kind: spec.kind })
    if (context.buried.has(uuid) && folder.state !== 'ours') continue // nothing of ours is left there
    have.push({
      uuid,
      path: spec.path,
      folder,
      capacity: folder.state === 'ours' ? await capacityOf(files, spec.path) : undefined,
    })
  }
  return have
}

/** What an ordinary user may still write counts as available; what is neither total nor available is used (or reserved). */
export async function capacityOf(files: Pick<StoreFiles, 'capacity'>, path: string): Promise<Capacity> {
  const { totalBytes, availableBytes } = await files.capacity(path)
  return { totalBytes, availableBytes, usedBytes: totalBytes - availableBytes }
}
