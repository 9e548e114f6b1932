/**
 * Files as the agents need them: a written file is whole and on the disk, or the old one is still there. Absent files are
 * an answer (`undefined`), a full disk is `disk-full`, everything else is an error that names the path.
 */
import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { chmod, link, lstat, mkdir, open, readdir, readFile, rename, rm, statfs } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'
import { SkerryError } from '@skerry/contract/errors'

export interface FileStat {
  kind: 'file' | 'folder' | 'other'
  sizeBytes: number
  /** What it really takes on the disk (sparse files take less than their size). */
  allocatedBytes: number
  mode: number
  modifiedMs: number
}

/** Capacity of the file system that holds a path. */
export interface Capacity {
  totalBytes: number
  /** What a process that isn't root may still write. */
  availableBytes: number
}

/** A file being written piece by piece, for content too large for memory. */
export interface FileSink {
  write(chunk: Uint8Array): Promise<void>
  /** What was written is on the disk when this resolves. */
  close(): Promise<void>
}

export interface FileContent {
  /** Replaces the file atomically and durably: temp file, fsync, rename, fsync of the folder. Mode is octal, default 0644. */
  write(path: string, content: string | Uint8Array, mode?: number): Promise<void>
  read(path: string): Promise<string | undefined>
  /** Up to `length` bytes from `offset`; fewer at the end of the file. */
  readAt(path: string, offset: number, length: number): Promise<Uint8Array | undefined>
  /** `append`: goes on at the end of a file that is there (a resumed download); else begins anew. Not atomic. */
  sink(path: string, opts?: { append?: boolean; mode?: number }): Promise<FileSink>
  /** Lower-case hex; the file is streamed. */
  sha256(path: string): Promise<string | undefined>
}

export interface FileTree {
  /** With parents; an existing folder gets the mode too. Default 0755. */
  makeDir(path: string, mode?: number): Promise<void>
  /** Names in a folder, sorted; undefined if there is no such folder. */
  list(path: string): Promise<string[] | undefined>
  /** Does not follow a symbolic link. */
  stat(path: string): Promise<FileStat | undefined>
  /** Atomic and durable; replaces a file at `to`. Both on one file system. */
  rename(from: string, to: string): Promise<void>
  /**
   * A second name for a file, durable; done already is fine. Both on one file system. `in-use`: `to` is another file. A symbolic link is
   * not followed.
   */
  link(from: string, to: string): Promise<void>
  /** A file, or a folder with all in it. Absent is fine. */
  remove(path: string): Promise<void>
  capacity(path: string): Promise<Capacity>
}

export type Files = FileContent & FileTree

/** The machine's own file system. */
export function files(): Files {
  return { ...content(), ...tree() }
}

function content(): FileContent {
  return {
    write: (path, data, mode = 0o644) => naming('write', path, () => writeAtomically(path, data, mode)),
    read: (path) => naming('read', path, () => ifThere(() => readFile(path, 'utf8'))),
    readAt: (path, offset, length) =>
      naming('read', path, () =>
        ifThere(async () => {
          const handle = await open(path, 'r')
          try {
            const buffer = new Uint8Array(length)
            let filled = 0
            while (filled < length) {
              const { bytesRead } = await handle.read(buffer, filled, length - filled, offset + filled)
              if (bytesRead === 0) break
              filled += bytesRead
            }
            return buffer.subarray(0, filled)
          } finally {
            await handle.close()
          }
        }),
      ),
    sink: (path, opts = {}) => naming('write', path, () => openSink(path, opts)),
    sha256: (path) =>
      naming('hash', path, () =>
        ifThere(async () => {
          const hash = createHash('sha256')
          for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) hash.update(chunk as Buffer)
          return hash.digest('hex')
        }),
      ),
  }
}

function tree(): FileTree {
  return {
    makeDir: (path, mode = 0o755) =>
      naming('make', path, async () => {
        await mkdir(path, { recursive: true, mode })
        await chmod(path, mode)
      }),
    list: (path) => naming('list', path, () => ifThere(async () => (await readdir(path)).sort())),
    stat: (path) =>
      naming('look at', path, () =>
        ifThere(async (): Promise<FileStat> => {
          const s = await lstat(path)
          const kind = s.isFile() ? 'file' : s.isDirectory() ? 'folder' : 'other'
          return {
            kind,
            sizeBytes: s.size,
            allocatedBytes: s.blocks * 512,
            mode: s.mode & 0o7777,
            modifiedMs: Math.floor(s.mtimeMs),
          }
        }),
      ),
    rename: (from, to) =>
      naming('rename', from, async () => {
        await rename(from, to)
        await syncFolder(dirname(to))
        if (dirname(from) !== dirname(to)) await syncFolder(dirname(from))
      }),
    link: (from, to) => naming('link', from, () => linkOnce(from, to)),
    remove: (path) => naming('remove', path, () => rm(path, { recursive: true, force: true })),
    capacity: (path) =>
      naming('measure', path, async () => {
        const fs = await statfs(path)
        return { totalBytes: fs.blocks * fs.bsize, availableBytes: fs.bavail * fs.bsize }
      }),
  }
}

async function linkOnce(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause
    const [one, other] = await Promise.all([lstat(from), lstat(to)])
    if (one.dev !== other.dev || one.ino !== other.ino)
      throw new SkerryError('in-use', `${to} is another file than ${from}`, { path: to, from }, { cause })
  }
  await syncFolder(dirname(to))
}

async function openSink(path: string, opts: { append?: boolean; mode?: number }): Promise<FileSink> {
  const handle = await open(path, opts.append ? 'a' : 'w', opts.mode ?? 0o644)
  return {
    // writeFile on a handle writes all of it from where the handle stands
    write: (chunk) => naming('write', path, () => handle.writeFile(chunk)),
    close: () =>
      naming('write', path, async () => {
        try {
          await handle.sync()
        } finally {
          await handle.close()
        }
      }),
  }
}

async function writeAtomically(path: string, data: string | Uint8Array, mode: number): Promise<void> {
  // Random name: two writers at once never share a temp file; a crash leaves `.tmp-…` beside the target, never a torn target.
  const temp = join(dirname(path), `.tmp-${randomUUID()}`)
  try {
    const handle = await open(temp, 'wx', mode)
    try {
      await handle.writeFile(data)
      await handle.chmod(mode)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temp, path)
  } catch (cause) {
    await rm(temp, { force: true })
    throw cause
  }
  await syncFolder(dirname(path))
}

/** Without it, a rename may be lost at power-off although the file's bytes are there. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function ifThere<T>(act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act()
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw cause
  }
}

async function naming<T>(verb: string, path: string, act: () => Promise<T>): Promise<T> {
  if (!isAbsolute(path)) throw new SkerryError('invalid-argument', `cannot ${verb} a path that is not absolute`, { path })
  try {
    return await act()
  } catch (cause) {
    if (cause instanceof SkerryError) throw cause
    const code = (cause as NodeJS.ErrnoException).code
    const full = code === 'ENOSPC' || code === 'EDQUOT'
    throw new SkerryError(
      full ? 'disk-full' : 'host-command-failed',
      `cannot ${verb} ${path}`,
      { path, code: code ?? null },
      { cause },
    )
  }
}
