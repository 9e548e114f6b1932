/**
 * The disk as a port: what the log, the manifest and the secret store need, and nothing else. The real one is thin over
 * node:fs; `fake-disk.ts` forgets what was not synced. Paths are absolute; every file is 0600, every folder 0700.
 */
import fs from 'node:fs'
import { promisify } from 'node:util'

export interface DiskFile {
  /** Writes all bytes at the offset. ENOSPC may leave a part written. */
  write(at: number, bytes: Uint8Array): Promise<void>
  /** fdatasync. After an error nothing is known about any byte written since the last success. */
  sync(): Promise<void>
  /** Up to `length` bytes from the offset; shorter at the end of the file. */
  read(at: number, length: number): Promise<Buffer>
  size(): Promise<number>
  truncate(size: number): Promise<void>
  close(): Promise<void>
}

export interface Disk {
  /** `read`: must exist, read only. `write`: must exist. `create`: made, or emptied. A missing file rejects with ENOENT. */
  open(path: string, mode: 'read' | 'write' | 'create'): Promise<DiskFile>
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

/** Writes a file so that after a crash there is either nothing under its name or all of it. */
export async function writeWhole(disk: Disk, dir: string, name: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${dir}/${name}.tmp`
  const file = await disk.open(temporary, 'create')
  try {
    await file.write(0, bytes)
    await file.sync()
  } finally {
    await file.close()
  }
  await disk.rename(temporary, `${dir}/${name}`)
  await disk.syncDir(dir)
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

function realFile(fd: number): DiskFile {
  return {
    async write(at, bytes) {
      for (let done = 0; done < bytes.length; ) done += await writeSome(fd, done === 0 ? bytes : bytes.subarray(done), at + done)
    },
    sync: () => fdatasync(fd),
    async read(at, length) {
      const into = Buffer.allocUnsafe(length)
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
