/** The site key's file: 32 random bytes, readable by its owner only. */
import { randomBytes } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { SkerryError } from '@skerry/contract'
import { errno, realDisk, writeWhole } from './disk.ts'

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
