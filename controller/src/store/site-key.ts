/** The site key's file: 32 random bytes, readable by its owner only; and beside it, during a rotation, the one that follows it. */
import { randomBytes } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { SkerryError } from '@skerry/contract'
import { errno, realDisk, writeWhole } from './disk.ts'
import type { KeyedSecrets } from './secrets.ts'

/** The key in the file, which is made (0600) where there is none. Throws when others may read it, or it is not 32 bytes. */
export async function loadSiteKey(file: string): Promise<Buffer> {
  const dir = path.dirname(file)
  try {
    const { mode } = await fs.stat(file)
    if ((mode & 0o077) !== 0)
      throw new SkerryError('invalid-argument', 'the site key can be read by others: chmod 600 it', { file })
  } catch (thrown) {
    if (errno(thrown) !== 'ENOENT') throw thrown
    await realDisk.mkdir(dir)
    await writeWhole(realDisk, dir, path.basename(file), randomBytes(32))
  }
  const key = await fs.readFile(file)
  if (key.length !== 32) throw new SkerryError('invalid-argument', 'the site key must be 32 bytes', { file, bytes: key.length })
  return key
}

const nextOf = (file: string) => `${file}.next`

/** The key that a rotation brings, as it was begun: undefined when none was. */
export async function nextSiteKey(file: string): Promise<Buffer | undefined> {
  const there = await fs.stat(nextOf(file)).then(
    () => true,
    (thrown) => {
      if (errno(thrown) !== 'ENOENT') throw thrown
      return false
    },
  )
  return there ? loadSiteKey(nextOf(file)) : undefined
}

/** Everything under another site key. It may be cut off anywhere: both keys are on the disk until nothing needs the old one. */
export async function rotateSiteKey(file: string, secrets: KeyedSecrets): Promise<void> {
  await secrets.rewrap(await loadSiteKey(nextOf(file)))
  await realDisk.rename(nextOf(file), file)
  await realDisk.syncDir(path.dirname(file))
}
