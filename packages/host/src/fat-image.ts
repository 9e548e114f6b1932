/**
 * Small FAT file systems inside files, made without root rights or mounts (mkfs.vfat, mtools): what a guest reads as a disk.
 * Contents go by stdin, so they are seen in no process list, and the file is the caller's alone (0600) from its first byte.
 */
import { randomUUID } from 'node:crypto'
import { dirname, join } from 'node:path'
import { path as pathScalar, SkerryError } from '@skerry/contract'
import { z } from 'zod'
import type { Exec } from './exec.ts'
import type { Files } from './files.ts'
import { checkInput } from './parse-json.ts'

export interface FatImage {
  /** At most 11 characters; kept as given. */
  label: string
  /** Text by file name; all lie in the root folder. */
  files: Readonly<Record<string, string>>
}

export interface FatImages {
  /** Whole or not at all; replaces a file at `path`, whose folder must be there. */
  write(path: string, image: FatImage): Promise<void>
  /** Undefined: no such file. */
  read(path: string): Promise<FatImage | undefined>
}

const TIMEOUT_MS = 20_000
const KIB = 1024
const LEAST_BYTES = 256 * KIB
/** Both copies of the table, the root folder, rounding up to clusters. */
const ROOM_BYTES = 128 * KIB
const STEP_BYTES = 64 * KIB
const MOST_BYTES = 8 * KIB * KIB

export const fatImageSchema = z.object({
  label: z.string().regex(/^[A-Za-z0-9_-]{1,11}$/),
  files: z.record(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/), z.string().max(MOST_BYTES)),
})

/** Size of the file: what it has to hold, with room for the file system itself. */
function sizeOf({ files }: FatImage): number {
  const held = Object.values(files).reduce((sum, text) => sum + Buffer.byteLength(text), 0)
  const size = Math.max(LEAST_BYTES, Math.ceil((held + ROOM_BYTES) / STEP_BYTES) * STEP_BYTES)
  if (size > MOST_BYTES) throw new SkerryError('invalid-argument', `a FAT image of ${held} bytes is larger than ${MOST_BYTES}`)
  return size
}

/** The real tools (packages dosfstools and mtools). */
export function fatImages(exec: Exec, files: Files): FatImages {
  const run = (cmd: string, argv: string[], input?: string) =>
    exec.run(cmd, argv, { timeoutMs: TIMEOUT_MS, ...(input === undefined ? {} : { input }) })
  return {
    async write(path, given) {
      checkInput('path', path, pathScalar)
      const image = checkInput('FAT image', given, fatImageSchema)
      const half = join(dirname(path), `.fat-${randomUUID()}`)
      try {
        await files.write(half, new Uint8Array(sizeOf(image)), 0o600)
        await run('mkfs.vfat', ['-n', image.label, half])
        for (const [name, text] of Object.entries(image.files)) await run('mcopy', ['-i', half, '-', `::${name}`], text)
        await files.rename(half, path)
      } finally {
        await files.remove(half)
      }
    },
    async read(path) {
      if ((await files.stat(checkInput('path', path, pathScalar))) === undefined) return undefined
      const { stdout: said } = await run('mlabel', ['-i', path, '-s', '::'])
      const { stdout: names } = await run('mdir', ['-i', path, '-b', '::'])
      const found: Record<string, string> = {}
      for (const line of names.split('\n')) {
        const name = /^::\/(.+)$/.exec(line)?.[1]
        if (name !== undefined) found[name] = (await run('mcopy', ['-i', path, `::${name}`, '-'])).stdout
      }
      return { label: /^ *Volume label is (.*?) *$/m.exec(said)?.[1] ?? '', files: found }
    },
  }
}
