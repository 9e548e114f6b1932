/** Files in memory. A file may be larger than its bytes (sparse), so that a 10 GiB disk costs nothing. */
import { createHash } from 'node:crypto'
import { dirname, isAbsolute } from 'node:path'
import { SkerryError } from '@skerry/contract'
import type { FileStat, Files } from '../files.ts'
import { commandFailed } from './gate.ts'
import { PathMap } from './tree.ts'

export interface FakeFile {
  data: Uint8Array
  sizeBytes: number
  mode: number
  modifiedMs: number
}

/** What stands behind the fake files; qemu-img's fake works on it too. */
export class FakeDisk {
  readonly files = new PathMap<FakeFile>((before, after) => {
    this.#usedBytes += (after?.data.length ?? 0) - (before?.data.length ?? 0)
  })
  readonly folders = new PathMap<number>().set('/', 0o755)
  totalBytes = 100 * 1024 ** 3
  /** Raised by every change that goes through these methods. */
  changes = 0
  #usedBytes = 0
  private readonly nowMs: () => number

  constructor(nowMs: () => number) {
    this.nowMs = nowMs
  }

  usedBytes(): number {
    return this.#usedBytes
  }

  put(path: string, data: Uint8Array, opts: { mode?: number; sizeBytes?: number } = {}): void {
    this.changes += 1
    if (!this.folders.has(dirname(path))) throw commandFailed(`cannot write ${path}`, 'ENOENT')
    if (this.folders.has(path)) throw commandFailed(`cannot write ${path}`, 'EISDIR')
    const old = this.files.get(path)
    if (this.usedBytes() - (old?.data.length ?? 0) + data.length > this.totalBytes)
      throw new SkerryError('disk-full', `cannot write ${path}`, { path, code: 'ENOSPC' })
    this.files.set(path, {
      data,
      sizeBytes: opts.sizeBytes ?? data.length,
      mode: opts.mode ?? old?.mode ?? 0o644,
      modifiedMs: this.nowMs(),
    })
  }

  makeDir(path: string, mode: number): void {
    this.changes += 1
    for (let folder = path; !this.folders.has(folder); folder = dirname(folder)) {
      if (this.files.has(folder)) throw commandFailed(`cannot make ${path}`, 'ENOTDIR')
      this.folders.set(folder, mode)
    }
    this.folders.set(path, mode)
  }

  remove(path: string): void {
    this.changes += 1
    this.files.delete(path)
    if (!this.folders.has(path)) return
    for (const file of [...this.files.in(path)]) this.files.delete(file)
    for (const folder of [...this.folders.in(path)]) if (folder !== path) this.remove(folder)
    if (path !== '/') this.folders.delete(path)
  }

  rename(from: string, to: string): void {
    this.changes += 1
    const file = this.files.get(from)
    if (!file || !this.folders.has(dirname(to))) throw commandFailed(`cannot rename ${from}`, 'ENOENT')
    this.files.delete(from)
    this.files.set(to, file)
  }
}

/** A second name is the same file until one of the two is replaced. */
function linkOn(disk: FakeDisk, from: string, to: string): void {
  const [file, there] = [disk.files.get(from), disk.files.get(to)]
  if (!file || !disk.folders.has(dirname(to))) throw commandFailed(`cannot link ${from}`, 'ENOENT')
  if (disk.folders.has(to) || (there && there !== file))
    throw new SkerryError('in-use', `${to} is another file than ${from}`, { path: to, from })
  disk.changes += 1
  if (!there) disk.files.set(to, file)
}

/** The `Files` port over a fake disk. */
export function fakeFiles(disk: FakeDisk): Files {
  const absolute = (path: string) => {
    if (!isAbsolute(path)) throw new SkerryError('invalid-argument', 'cannot use a path that is not absolute', { path })
    return path
  }
  const bytes = (content: string | Uint8Array) =>
    typeof content === 'string' ? new TextEncoder().encode(content) : content.slice()
  const file = (path: string) => disk.files.get(absolute(path))
  return {
    write: async (path, content, mode = 0o644) => disk.put(absolute(path), bytes(content), { mode }),
    read: async (path) => {
      const found = file(path)
      return found && new TextDecoder().decode(found.data)
    },
    readAt: async (path, offset, length) => {
      const found = file(path)
      if (!found) return undefined
      const view = new Uint8Array(Math.max(0, Math.min(length, found.sizeBytes - offset)))
      view.set(found.data.subarray(offset, offset + view.length))
      return view
    },
    sink: async (path, opts = {}) => {
      const old = opts.append ? file(path) : undefined
      disk.put(absolute(path), old?.data ?? new Uint8Array(), { mode: opts.mode, sizeBytes: old?.sizeBytes })
      return {
        write: async (chunk) => disk.put(path, Buffer.concat([file(path)?.data ?? new Uint8Array(), chunk])),
        close: async () => undefined,
      }
    },
    sha256: async (path) => {
      const found = file(path)
      return found && createHash('sha256').update(found.data).digest('hex')
    },
    makeDir: async (path, mode = 0o755) => disk.makeDir(absolute(path), mode),
    list: async (path) => {
      if (!disk.folders.has(absolute(path))) return undefined
      const all = [...disk.files.in(path), ...disk.folders.in(path)].filter((known) => known !== '/')
      return all.map((known) => known.slice(path === '/' ? 1 : path.length + 1)).sort()
    },
    stat: async (path) => statOf(disk, absolute(path)),
    rename: async (from, to) => disk.rename(absolute(from), absolute(to)),
    link: async (from, to) => linkOn(disk, absolute(from), absolute(to)),
    remove: async (path) => disk.remove(absolute(path)),
    capacity: async (path) => {
      if (!statOf(disk, absolute(path))) throw commandFailed(`cannot measure ${path}`, 'ENOENT')
      return { totalBytes: disk.totalBytes, availableBytes: Math.max(0, disk.totalBytes - disk.usedBytes()) }
    },
  }
}

function statOf(disk: FakeDisk, path: string): FileStat | undefined {
  const folder = disk.folders.get(path)
  if (folder !== undefined) return { kind: 'folder', sizeBytes: 0, allocatedBytes: 0, mode: folder, modifiedMs: 0 }
  const file = disk.files.get(path)
  return (
    file && {
      kind: 'file',
      sizeBytes: file.sizeBytes,
      allocatedBytes: file.data.length,
      mode: file.mode,
      modifiedMs: file.modifiedMs,
    }
  )
}
