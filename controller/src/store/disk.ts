/**
 * The disk as a port: what the log, the manifest and the secret store need, and nothing else. The real one is thin over
 * node:fs; `fake-disk.ts` forgets what was not synced. Paths are absolute; every file is 0600, every folder 0700.
 */
import fs from 'node:fs'
import { promisify } from 'node:util'
import { SkerryError } from '@skerry/contract'

export interface DiskFile {
  /** Writes all bytes at the offset. ENOSPC may leave a part written. */
  write(at: number, bytes: Uint8Array): Promise<void>
  /** fdatasync. After an error nothing is known about any byte written since the last success. */
  sync(): Promise<void>
  /**
   * Up to `length` bytes from the offset; shorter at the end of the file. With `buffer`, which holds that many, they are in it:
   * who reads much would otherwise leave so much memory behind that the collector stops everything.
   */
  read(at: number, length: number, buffer?: Buffer): Promise<Buffer>
  size(): Promise<number>
  truncate(size: number): Promise<void>
  close(): Promise<void>
}

export interface Disk {
  /** `read`: must exist, read only. `write`: must exist. `create`: made, or emptied. A missing file rejects with ENOENT. */
  open(path: string, mode: 'read' | 'write' | 'create'): Promise<DiskFile>
  /** As `open`; `sync` succeeds only while the file system takes changes (see `makeWitness`). For what is synced again and again. */
  openWitnessed(path: string, mode: 'write' | 'create'): Promise<DiskFile>
  /** File names in a folder; none when there is no such folder. */
  list(dir: string): Promise<string[]>
  rename(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
  /** Makes the folder and its parents. */
  mkdir(dir: string): Promise<void>
  /** Makes creations, renames and removals in the folder durable. */
  syncDir(dir: string): Promise<void>
  /** Bytes that may still be written below this folder. */
  free(dir: string): Promise<number>
}

export const errno = (thrown: unknown): string | undefined => (thrown as NodeJS.ErrnoException | undefined)?.code

/** No room, or the quota is used up. */
export const isFull = (thrown: unknown): boolean => errno(thrown) === 'ENOSPC' || errno(thrown) === 'EDQUOT'

const WHY: Record<string, string> = {
  EIO: 'the disk reports an error',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota is used up',
}

/** What an error of the disk is to a caller: `disk-full`, or `store-stopped` with the disk's own words. */
export function writeFailure(thrown: unknown, path: string): SkerryError {
  if (thrown instanceof SkerryError) return thrown
  const code = errno(thrown)
  const why = WHY[code ?? ''] ?? (thrown instanceof Error ? thrown.message : String(thrown))
  const details = { path, ...(code ? { errno: code } : {}) }
  return new SkerryError(isFull(thrown) ? 'disk-full' : 'store-stopped', `cannot write ${path}: ${why}`, details, {
    cause: thrown,
  })
}

/** Size of a file, or undefined when there is none. */
export async function sizeOf(disk: Disk, path: string): Promise<number | undefined> {
  let file: DiskFile
  try {
    file = await disk.open(path, 'read')
  } catch (thrown) {
    if (errno(thrown) === 'ENOENT') return undefined
    throw thrown
  }
  try {
    return await file.size()
  } finally {
    await file.close()
  }
}

/** Whole content of a file, or undefined when there is none. */
export async function readWhole(disk: Disk, path: string): Promise<Buffer | undefined> {
  let file: DiskFile
  try {
    file = await disk.open(path, 'read')
  } catch (thrown) {
    if (errno(thrown) === 'ENOENT') return undefined
    throw thrown
  }
  try {
    return await file.read(0, await file.size())
  } finally {
    await file.close()
  }
}

/**
 * Writes a file so that after a crash there is either nothing new under its name or all of it. Throws `disk-full` or
 * `store-stopped` with nothing changed.
 */
export async function writeWhole(disk: Disk, dir: string, name: string, bytes: Uint8Array): Promise<void> {
  try {
    const temporary = await writeTemporary(disk, `${dir}/${name}`, bytes)
    await disk.rename(temporary, `${dir}/${name}`)
    await disk.syncDir(dir)
  } catch (thrown) {
    throw writeFailure(thrown, `${dir}/${name}`)
  }
}

/** Writes and syncs `<path>.tmp`, and gives that name. What could not be finished is removed: on a full disk its room is needed. */
export async function writeTemporary(disk: Disk, path: string, bytes: Uint8Array): Promise<string> {
  const temporary = `${path}.tmp`
  const file = await disk.open(temporary, 'create')
  try {
    await file.write(0, bytes)
    await file.sync()
  } catch (thrown) {
    await abandon(disk, file, temporary)
    throw thrown
  }
  await file.close()
  return temporary
}

/** Closes and removes a file whose writing failed. The first error is the one to tell, so a second one is not thrown. */
export async function abandon(disk: Disk, file: DiskFile, path: string): Promise<void> {
  await file.close().catch(() => undefined)
  await disk.unlink(path).catch(() => undefined)
}

const open = promisify(fs.open)
const close = promisify(fs.close)
const fdatasync = promisify(fs.fdatasync)
const ftruncate = promisify(fs.ftruncate)
const fstat = promisify(fs.fstat)
const flags = { read: 'r', write: 'r+', create: 'w+' } as const

// Callbacks of node:fs rather than FileHandle: one hop less for each group of commits.
const writeSome = (fd: number, bytes: Uint8Array, at: number) =>
  new Promise<number>((resolve, reject) =>
    fs.write(fd, bytes, 0, bytes.length, at, (error, n) => (error ? reject(error) : resolve(n))),
  )
const readSome = (fd: number, into: Buffer, from: number, at: number) =>
  new Promise<number>((resolve, reject) =>
    fs.read(fd, into, from, into.length - from, at, (error, n) => (error ? reject(error) : resolve(n))),
  )

/**
 * ext4 can answer fdatasync with success in the moment in which its journal is aborted by an error of the disk, though what was
 * written is not in the journal and is gone after the repair (seen with Linux 6.18: the waiting call takes the end of the aborted
 * transaction for its commit). A change of some other file's size needs the journal too, tells of an aborted one, and takes no
 * room on the disk. The file has no name, so it is gone with the process.
 */
async function makeWitness(path: string): Promise<Pick<DiskFile, 'sync' | 'close'>> {
  const name = `${path}.witness`
  const fd = await open(name, 'w', 0o600)
  await fs.promises.unlink(name)
  let size = 0
  return {
    sync: () => {
      size = 1 - size
      return ftruncate(fd, size)
    },
    close: () => close(fd),
  }
}

async function witnessed(path: string, mode: 'write' | 'create'): Promise<DiskFile> {
  const witness = await makeWitness(path)
  try {
    const file = realFile(await open(path, flags[mode], 0o600))
    const sync = async () => {
      await file.sync()
      await witness.sync()
    }
    return { ...file, sync, close: () => Promise.all([file.close(), witness.close()]).then(() => undefined) }
  } catch (error) {
    await witness.close()
    throw error
  }
}

function realFile(fd: number): DiskFile {
  return {
    async write(at, bytes) {
      for (let done = 0; done < bytes.length; ) done += await writeSome(fd, done === 0 ? bytes : bytes.subarray(done), at + done)
    },
    sync: () => fdatasync(fd),
    async read(at, length, buffer) {
      const into = buffer?.subarray(0, length) ?? Buffer.allocUnsafe(length)
      let have = 0
      while (have < length) {
        const n = await readSome(fd, into, have, at + have)
        if (n === 0) break
        have += n
      }
      return have === length ? into : into.subarray(0, have)
    },
    size: async () => (await fstat(fd)).size,
    truncate: (size) => ftruncate(fd, size),
    close: () => close(fd),
  }
}

/** The machine's own disk. */
export const realDisk: Disk = {
  open: async (path, mode) => realFile(await open(path, flags[mode], 0o600)),
  openWitnessed: witnessed,
  async list(dir) {
    try {
      return await fs.promises.readdir(dir)
    } catch (thrown) {
      if (errno(thrown) === 'ENOENT') return []
      throw thrown
    }
  },
  rename: (from, to) => fs.promises.rename(from, to),
  unlink: (path) => fs.promises.unlink(path),
  mkdir: async (dir) => void (await fs.promises.mkdir(dir, { recursive: true, mode: 0o700 })),
  async syncDir(dir) {
    const fd = await open(dir, 'r')
    try {
      await promisify(fs.fsync)(fd)
    } finally {
      await close(fd)
    }
  },
  async free(dir) {
    const { bavail, bsize } = await fs.promises.statfs(dir)
    return bavail * bsize
  },
}
