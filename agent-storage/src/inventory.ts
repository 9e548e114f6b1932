/** Everything on the disk that is ours: what `audit` compares with the graph. */
import type { InventoryItem, storageDesired } from '@skerry/contract'
import type { Host } from '@skerry/host'
import type { DesiredSource } from '@skerry/reconcile'
import { ImageStore } from './images/store.ts'
import { lookAtFolder } from './pools/folder.ts'

type Files = Host['files']

/** Of every pool that a document or tombstone names and that carries its mark. */
export async function inventory(files: Files, ledger: DesiredSource): Promise<InventoryItem[]> {
  const items: InventoryItem[] = []
  for (const { uuid, spec } of ledger.entries('pool')) {
    const pool = spec as storageDesired.PoolSpec | undefined
    if (!pool) continue
    const folder = await lookAtFolder(files, pool.path, { uuid, kind: pool.kind })
    if (folder.state !== 'ours') continue
    items.push({ kind: 'pool', id: pool.path, owner: uuid, facts: { kind: pool.kind } })
    items.push(...(await (pool.kind === 'primary' ? primaryItems(files, pool.path) : storeItems(files, pool.path))))
  }
  return items
}

async function primaryItems(files: Files, path: string): Promise<InventoryItem[]> {
  return [
    ...(await folderItems(files, `${path}/volumes`, 'volume-file')),
    ...(await folderItems(files, `${path}/cache`, 'cache-file')),
  ]
}

async function storeItems(files: Files, path: string): Promise<InventoryItem[]> {
  const refs = (await new ImageStore(files, path, new Map()).refs()).map(
    ({ imageUuid, path: id, ref }): InventoryItem => ({
      kind: 'image-ref',
      id,
      owner: imageUuid,
      facts: ref ? { sha256: ref.sha256, format: ref.format } : { damaged: true },
    }),
  )
  return [...(await folderItems(files, `${path}/images`, 'image-file')), ...refs]
}

/** The owner is the uuid that the name begins with; content-addressed files have none, but a `sha256`. */
async function folderItems(files: Files, folder: string, kind: string): Promise<InventoryItem[]> {
  const items: InventoryItem[] = []
  for (const name of (await files.list(folder)) ?? []) {
    const stat = await files.stat(`${folder}/${name}`)
    if (!stat) continue // removed since
    const [, stem = '', format = '', rest] = name.match(/^([0-9a-f]+)(?:\.[0-9a-f]{32})?\.(\w+)(\..+)?$/) ?? []
    const partial = rest !== undefined || format === 'part' || stem === ''
    const facts = {
      actualBytes: stat.allocatedBytes,
      format,
      ...(stem.length === 64 ? { sha256: stem } : {}),
      ...(partial ? { partial } : {}),
    }
    items.push({ kind, id: `${folder}/${name}`, owner: stem.length === 32 ? stem : null, facts })
  }
  return items
}
