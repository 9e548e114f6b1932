/** A small file system of the test's own, that can be filled to the last byte. Needs root and a private mount namespace. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const CHUNK = Buffer.alloc(1024 * 1024, 1)

export interface SmallDisk {
  /** where it is mounted */
  dir: string
  /** As another program would fill it. */
  fill(): Promise<void>
  free(): Promise<void>
  /** ext4 only: what the kernel does on an error of the disk. Everything that was not synced is lost. */
  abort(): Promise<void>
  /** ext4 only, after `abort` and with nobody on it: repaired and mounted again. */
  repair(): Promise<void>
  remove(): Promise<void>
}

/** @param mib large enough for the log's reserve of 64 MiB, twice */
export async function smallDisk(kind: 'tmpfs' | 'ext4', mib = 300): Promise<SmallDisk> {
  const home = await mkdtemp(join(tmpdir(), 'skerry-disk-'))
  const dir = join(home, 'mounted')
  const image = join(home, 'image')
  await mkdir(dir)
  const mount = () =>
    run('mount', kind === 'tmpfs' ? ['-t', 'tmpfs', '-o', `size=${mib}m`, 'skerry-test', dir] : ['-o', 'loop', image, dir])
  if (kind === 'ext4') {
    await run('truncate', ['-s', `${mib}M`, image])
    // No blocks for root alone: full is full.
    await run('mkfs.ext4', ['-q', '-F', '-m', '0', image])
  }
  await mount()
  const filler = join(dir, 'filler')
  return {
    dir,
    async fill() {
      const file = await open(filler, 'w')
      try {
        for (let size = CHUNK.length; size > 0; )
          size = await file.write(CHUNK, 0, size).then(
            ({ bytesWritten }) => (bytesWritten === size ? size : size >> 1),
            () => size >> 1,
          )
        await file.sync().catch(() => undefined) // delayed allocation may find the end only now
      } finally {
        await file.close()
      }
    },
    free: () => rm(filler),
    abort: async () => void (await run('mount', ['-o', 'remount,abort', dir])),
    async repair() {
      await run('umount', [dir])
      // Exit code 1: errors were corrected.
      await run('e2fsck', ['-y', image]).catch((error: { code?: number }) => {
        if (error.code !== 1) throw error
      })
      await mount()
    },
    async remove() {
      await run('umount', [dir])
      await rm(home, { recursive: true })
    },
  }
}
