/** The file of a backup: under its name there is a whole one or nothing. */
import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { SkerryError } from '@skerry/contract'

export interface BackupTarget {
  path: string
  /** called with the bytes written so far */
  onBytes?: (bytes: number) => void
}

/** Writes 0600 beside the target, syncs, renames. Replaces a file of that name. Gives the size in bytes. Nothing is left after an error. */
export async function writeBackupFile({ path, onBytes }: BackupTarget, chunks: AsyncIterable<Uint8Array>): Promise<number> {
  const folder = dirname(path)
  const temporary = join(folder, `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`)
  try {
    const file = await open(temporary, 'wx', 0o600)
    let bytes = 0
    try {
      for await (const chunk of chunks) {
        await file.writeFile(chunk)
        bytes += chunk.byteLength
        onBytes?.(bytes)
      }
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    const dir = await open(folder, 'r')
    await dir.sync().finally(() => dir.close())
    return bytes
  } catch (cause) {
    await rm(temporary, { force: true })
    if (cause instanceof SkerryError || (cause instanceof Error && cause.name === 'UnreachableError')) throw cause
    const full = (cause as NodeJS.ErrnoException).code === 'ENOSPC'
    throw new SkerryError(full ? 'disk-full' : 'backup-failed', `cannot write ${path}`, { path }, { cause })
  }
}

/** The bytes of a file, in chunks. Throws `not-found` when there is none. */
export async function* readFileChunks(path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(path, { highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT'
    if (cause instanceof SkerryError) throw cause
    throw new SkerryError(missing ? 'not-found' : 'backup-failed', `cannot read ${path}`, { path }, { cause })
  }
}
