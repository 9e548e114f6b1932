/** qemu-img in memory. Its images carry true qcow2 headers, so that the image guard judges them as it judges real ones. */
import { SkerryError } from '@skerry/contract'
import { backingFile, checkHeader, isQcow2 } from '../qcow2-header.ts'
import type { DiskInfo, DiskRef, QemuImg } from '../qemu-img.ts'
import type { FakeDisk } from './files.ts'
import { commandFailed } from './gate.ts'

const CLUSTER_BITS = 16
const CLUSTER = 2 ** CLUSTER_BITS
/** Header cluster, refcount table, refcount block, then the L1 table. */
const L1_AT = 3 * CLUSTER

/** The `QemuImg` port over a fake disk. */
export function fakeQemuImg(disk: FakeDisk): QemuImg {
  const info = (ref: DiskRef): DiskInfo[] => {
    const own = describe(disk, ref)
    if (own.backingPath === undefined) return [own]
    return [own, ...info({ path: own.backingPath, format: own.backingFormat === 'raw' ? 'raw' : 'qcow2' })]
  }
  const requireAbsent = (path: string) => {
    if (disk.files.has(path)) throw new SkerryError('in-use', `${path} exists already, so no disk is made there`, { path })
  }
  const make = (ref: DiskRef, sizeBytes: number, backing?: DiskRef) =>
    ref.format === 'raw' ? disk.put(ref.path, new Uint8Array(), { sizeBytes }) : putQcow2(disk, ref.path, { sizeBytes, backing })
  return {
    info: async (ref) => info(ref),
    async create(spec) {
      requireAbsent(spec.path)
      if (spec.backing && spec.format !== 'qcow2')
        throw new SkerryError('invalid-argument', 'only a qcow2 disk can lie over another')
      const sizeBytes = spec.sizeBytes ?? (spec.backing && info(spec.backing)[0]?.virtualSizeBytes)
      if (sizeBytes === undefined) throw new SkerryError('invalid-argument', 'a disk that lies over nothing needs a size')
      make(spec, sizeBytes, spec.backing)
    },
    async resize(ref, sizeBytes) {
      const own = describe(disk, ref)
      if (sizeBytes < own.virtualSizeBytes)
        throw commandFailed('qemu-img: Use the --shrink option to perform a shrink operation.')
      const backing = own.backingPath
        ? ({ path: own.backingPath, format: own.backingFormat as 'raw' | 'qcow2' } as const)
        : undefined
      make(ref, sizeBytes, backing)
    },
    async convert(spec) {
      requireAbsent(spec.to.path)
      const [from] = info(spec.from)
      if (!from) throw commandFailed(`qemu-img: Could not open '${spec.from.path}'`)
      for (const percent of [0, 50, 100]) spec.onProgress?.(percent)
      make(spec.to, from.virtualSizeBytes)
    },
    async rebase({ disk: ref, onto, onProgress }) {
      const own = describe(disk, ref)
      if (onto) info(onto)
      for (const percent of [0, 50, 100]) onProgress?.(percent)
      putQcow2(disk, ref.path, { sizeBytes: own.virtualSizeBytes, ...(onto ? { backing: onto } : {}) })
    },
    async commit({ disk: ref }) {
      const [own, below] = info(ref)
      if (!own || !below) throw commandFailed(`qemu-img: Image does not have a backing file`)
      if (below.virtualSizeBytes < own.virtualSizeBytes) await this.resize(below as DiskRef, own.virtualSizeBytes)
    },
    async check(ref) {
      describe(disk, ref)
      return { corruptions: 0, leaks: 0 }
    },
  }
}

/** What a hypervisor does to images that its guests have open: for a fake of one. */
export function fakeBlocks(disk: FakeDisk) {
  const refTo = (path: string): DiskRef => ({
    path,
    format: isQcow2(disk.files.get(path)?.data ?? new Uint8Array()) ? 'qcow2' : 'raw',
  })
  return {
    exists: (path: string): boolean => disk.files.has(path),
    /** Null: it lies on nothing. */
    below: (path: string): string | null => describe(disk, refTo(path)).backingPath ?? null,
    put(path: string, below: string | null): void {
      const { virtualSizeBytes } = describe(disk, refTo(path))
      putQcow2(disk, path, { sizeBytes: virtualSizeBytes, ...(below === null ? {} : { backing: refTo(below) }) })
    },
    resize(path: string, sizeBytes: number): void {
      const below = describe(disk, refTo(path)).backingPath
      if (refTo(path).format === 'raw') disk.put(path, new Uint8Array(), { sizeBytes })
      else putQcow2(disk, path, { sizeBytes, ...(below === undefined ? {} : { backing: refTo(below) }) })
    },
  }
}

function describe(disk: FakeDisk, ref: DiskRef): DiskInfo {
  const file = disk.files.get(ref.path)
  if (!file) throw commandFailed(`qemu-img: Could not open '${ref.path}': No such file or directory`)
  const common = { path: ref.path, format: ref.format, allocatedBytes: file.data.length }
  if (ref.format === 'raw') return { ...common, virtualSizeBytes: file.sizeBytes }
  const header = isQcow2(file.data) ? checkHeader(file.data, file.sizeBytes) : { problem: 'Image is not in qcow2 format' }
  if ('problem' in header) throw commandFailed(`qemu-img: Could not open '${ref.path}': ${header.problem}`)
  const backingPath = backingFile(file.data)
  return {
    ...common,
    virtualSizeBytes: header.virtualSizeBytes,
    ...(backingPath !== null
      ? { backingPath, backingFormat: new TextDecoder().decode(file.data.subarray(112, 117)).replace(/\0/g, '') }
      : {}),
  }
}

function putQcow2(disk: FakeDisk, path: string, spec: { sizeBytes: number; backing?: DiskRef }): void {
  const l1Entries = Math.max(1, Math.ceil(spec.sizeBytes / (CLUSTER * (CLUSTER / 8))))
  const bytes = new Uint8Array(512)
  const view = new DataView(bytes.buffer)
  const name = new TextEncoder().encode(spec.backing?.path ?? '')
  if (name.length > 360) throw commandFailed('qemu-img: the fake keeps backing names of at most 360 bytes')
  bytes.set([0x51, 0x46, 0x49, 0xfb])
  view.setUint32(4, 3)
  view.setBigUint64(8, spec.backing ? 136n : 0n)
  view.setUint32(16, name.length)
  view.setUint32(20, CLUSTER_BITS)
  view.setBigUint64(24, BigInt(spec.sizeBytes))
  view.setUint32(36, l1Entries)
  view.setBigUint64(40, BigInt(L1_AT))
  view.setBigUint64(48, BigInt(CLUSTER))
  view.setUint32(56, 1)
  view.setUint32(96, 4)
  view.setUint32(100, 104)
  if (spec.backing) {
    const format = new TextEncoder().encode(spec.backing.format)
    view.setUint32(104, 0xe2792aca)
    view.setUint32(108, format.length)
    bytes.set(format, 112)
    bytes.set(name, 136)
  }
  disk.put(path, bytes, { sizeBytes: L1_AT + Math.ceil((l1Entries * 8) / CLUSTER) * CLUSTER })
}
