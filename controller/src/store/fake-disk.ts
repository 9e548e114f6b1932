/**
 * A disk in memory that behaves as badly as a real one may: what was not synced is lost or torn at a crash, names too;
 * it gets full, its fsync fails, its bits flip. Everything random comes from the number source it is given.
 */
import path from 'node:path'
import type { Disk, DiskFile } from './disk.ts'

interface Inode {
  data: Buffer
  /** What the platter holds for certain. */
  durable: Buffer
  /** Written since the last sync, failed ones included: as on Linux, a failed sync forgets what it could not write. */
  dirty: [from: number, to: number][]
}

/** One atomic change of a folder: names set or removed together. */
interface DirChange {
  dir: string
  names: [name: string, inode: Inode | undefined][]
}

const SECTOR = 512
const failure = (code: string, what: string) => Object.assign(new Error(`${code}: ${what}`), { code })

export interface FakeDisk extends Disk {
  /** Bytes that all files together may hold. */
  capacity: number
  /** Error code that the next syncs answer, until set back. */
  failSync: string | undefined
  /** After so many more operations that write, the machine is dead: everything rejects. */
  dieAfter: number
  /** Operations that write, so far. */
  operations: number
  syncs: number
  /** What is on the platter after power loss: synced bytes, and any part of what was not synced. */
  crash(random: () => number): FakeDisk
  flip(file: string, offset: number, bit?: number): void
  content(file: string): Buffer | undefined
  files(): string[]
}

export function fakeDisk(initial: Iterable<[string, Buffer]> = []): FakeDisk {
  const names = new Map<string, Inode>()
  const durableNames = new Map<string, Inode>()
  let changes: DirChange[] = []
  for (const [name, data] of initial) {
    const inode: Inode = { data, durable: data, dirty: [] }
    names.set(name, inode)
    durableNames.set(name, inode)
  }
  const used = () => [...names.values()].reduce((sum, inode) => sum + inode.data.length, 0)

  /** One boundary at which the machine may die. */
  const step = (what: string) => {
    if (disk.operations >= disk.dieAfter) throw failure('EDEAD', what)
    disk.operations++
  }
  const change = (...entries: DirChange['names']) => {
    apply(names, entries)
    changes.push({ dir: path.dirname(entries[0]![0]), names: entries })
  }
  const find = (file: string): Inode => {
    const inode = names.get(file)
    if (!inode) throw failure('ENOENT', file)
    return inode
  }
  const resize = (inode: Inode, size: number) => {
    const next = Buffer.alloc(size)
    inode.data.copy(next)
    inode.data = next
  }

  const openFile = (inode: Inode): DiskFile => ({
    async write(at, bytes) {
      step('write')
      const grow = Math.max(0, at + bytes.length - inode.data.length)
      const room = Math.max(0, disk.capacity - used())
      const fits = grow <= room ? bytes : bytes.subarray(0, Math.max(0, bytes.length - (grow - room)))
      if (at + fits.length > inode.data.length) resize(inode, at + fits.length)
      else inode.data = Buffer.from(inode.data)
      Buffer.from(fits).copy(inode.data, at)
      inode.dirty.push([at, at + fits.length])
      if (fits.length < bytes.length) throw failure('ENOSPC', 'write')
    },
    async sync() {
      step('sync')
      disk.syncs++
      // A real sync takes its time: without a turn of the event loop here, a writer on this disk would starve all timers.
      await new Promise<void>((done) => setImmediate(done))
      const dirty = inode.dirty.splice(0)
      if (disk.failSync) throw failure(disk.failSync, 'sync')
      const durable = Buffer.alloc(inode.data.length)
      inode.durable.copy(durable)
      for (const [from, to] of dirty) inode.data.copy(durable, from, from, Math.min(to, inode.data.length))
      inode.durable = durable
    },
    async read(at, length, buffer) {
      const bytes = inode.data.subarray(at, at + length)
      if (!buffer) return Buffer.from(bytes)
      buffer.set(bytes)
      return buffer.subarray(0, bytes.length)
    },
    size: async () => inode.data.length,
    async truncate(size) {
      step('truncate')
      resize(inode, size)
    },
    close: async () => undefined,
  })

  const disk: FakeDisk = {
    capacity: Number.POSITIVE_INFINITY,
    failSync: undefined,
    dieAfter: Number.POSITIVE_INFINITY,
    operations: 0,
    syncs: 0,
    async open(file, mode) {
      if (mode !== 'create') return openFile(find(file))
      step('create')
      const known = names.get(file)
      if (known) known.data = Buffer.alloc(0)
      else change([file, { data: Buffer.alloc(0), durable: Buffer.alloc(0), dirty: [] }])
      return openFile(find(file))
    },
    // Its syncs tell the truth.
    openWitnessed: (file, mode) => disk.open(file, mode),
    list: async (dir) => [...names.keys()].filter((name) => path.dirname(name) === dir).map((name) => path.basename(name)),
    async rename(from, to) {
      step('rename')
      change([to, find(from)], [from, undefined])
    },
    async unlink(file) {
      step('unlink')
      find(file)
      change([file, undefined])
    },
    mkdir: async () => undefined,
    async syncDir(dir) {
      step('syncDir')
      for (const done of changes) if (done.dir === dir) apply(durableNames, done.names)
      changes = changes.filter((left) => left.dir !== dir)
    },
    free: async () => disk.capacity - used(),
    crash(random) {
      // Changes of folders reach the disk in order, as with a metadata journal.
      const reached = Math.floor(random() * (changes.length + 1))
      for (const done of changes.slice(0, reached)) apply(durableNames, done.names)
      return fakeDisk([...durableNames].map(([name, inode]) => [name, torn(inode, random)]))
    },
    flip(file, offset, bit = 0) {
      const inode = find(file)
      inode.data = Buffer.from(inode.data)
      inode.data[offset] = inode.data[offset]! ^ (1 << bit)
      inode.durable = inode.data
    },
    content: (file) => names.get(file)?.data,
    files: () => [...names.keys()],
  }
  return disk
}

function apply(names: Map<string, Inode>, entries: DirChange['names']): void {
  for (const [name, inode] of entries) {
    if (inode) names.set(name, inode)
    else names.delete(name)
  }
}

/** Synced bytes, then what the kernel happened to write of the rest: a prefix, or some sectors with holes of zeros. */
function torn(inode: Inode, random: () => number): Buffer {
  const { data, durable } = inode
  if (data.equals(durable)) return Buffer.from(durable)
  const way = random()
  if (way < 0.25) return Buffer.from(durable)
  if (way < 0.5) return Buffer.from(data)
  const cut = durable.length + Math.floor(random() * Math.max(0, data.length - durable.length + 1))
  const out = Buffer.alloc(Math.max(Math.min(cut, data.length), Math.min(durable.length, data.length)))
  for (let at = 0; at < out.length; at += SECTOR) {
    const end = Math.min(at + SECTOR, out.length)
    const written = way < 0.75 || random() < 0.5
    const source = written ? data : durable
    if (at < source.length) source.copy(out, at, at, Math.min(end, source.length))
  }
  return out
}
