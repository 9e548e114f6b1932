/** Makes and removes a pool's folder. Removes only what is empty or what it made itself. */
import { SkerryError } from '@skerry/contract'
import type { StoreFiles } from '../sftp/remote-files.ts'
import { FOLDERS, MARKER, type Marker } from './folder.ts'
import type { PoolChange } from './plan.ts'

export interface PoolPorts {
  files: StoreFiles
  /** Notes that this agent made the pool, so that an unmounted disk isn't taken for a new one. */
  setFacts(uuid: string, facts: Record<string, unknown>): Promise<void>
}

export async function apply({ files, setFacts }: PoolPorts, change: PoolChange): Promise<void> {
  const { uuid, path, kind } = change
  switch (change.op) {
    case 'make': {
      const mark: Marker = { v: 1, uuid, kind, madeFolder: change.madeFolder }
      if (change.madeFolder) await files.makeDir(path)
      await files.write(`${path}/${MARKER}`, `${JSON.stringify(mark)}\n`)
      await makeFolders(files, change)
      await setFacts(uuid, { madeAt: path })
      return
    }
    case 'mend':
      await makeFolders(files, change)
      await setFacts(uuid, { madeAt: path })
      return
    case 'remove':
      return remove({ files, setFacts }, change)
  }
}

async function makeFolders(files: StoreFiles, { path, kind }: PoolChange): Promise<void> {
  for (const name of FOLDERS[kind]) await files.makeDir(`${path}/${name}`)
}

/** What an image store puts into its folders. */
const IMAGE_FILES: Readonly<Record<string, RegExp>> = {
  images: /^([0-9a-f]{64}\.(qcow2|raw|iso)|[0-9a-f]{32}\.part(\.json)?)$/,
  refs: /^[0-9a-f]{32}\.json$/,
}

async function remove({ files, setFacts }: PoolPorts, change: Extract<PoolChange, { op: 'remove' }>): Promise<void> {
  const { uuid, path, kind } = change
  // Cached images are copies: without volumes they are of no use. Images go with their store. Everything else is somebody's data.
  const data = FOLDERS[kind].filter((name) => name !== 'cache')
  const left: string[] = []
  for (const name of data)
    for (const file of (await files.list(`${path}/${name}`)) ?? [])
      if (!(kind === 'image-store' && IMAGE_FILES[name]?.test(file))) left.push(`${name}/${file}`)
  if (left.length > 0) {
    throw new SkerryError('in-use', `storage ${path} still holds ${left.length} files`, {
      storageUuid: uuid,
      path,
      files: left.slice(0, 20),
    })
  }
  // Before the folder goes: the same storage may come back to this host, and is not lost then.
  await setFacts(uuid, { madeAt: null })
  for (const name of FOLDERS[kind]) await files.remove(`${path}/${name}`)
  await files.remove(`${path}/${MARKER}`)
  const rest = await files.list(path)
  if (change.madeFolder && rest?.length === 0) await files.remove(path)
}
