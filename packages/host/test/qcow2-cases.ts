/** A sound qcow2 image, byte by byte as qemu-img 7.2 lays it out, and every way to spoil it that must be refused. */

export type Bend = (view: DataView, bytes: Uint8Array) => void

const ascii = (text: string) => [...text].map((letter) => letter.charCodeAt(0))

/** 10 MiB virtual, 64 KiB clusters, version 3, 112-byte header, feature name table left out. */
export function soundQcow2(): Uint8Array {
  const bytes = new Uint8Array(262_144)
  const view = new DataView(bytes.buffer)
  bytes.set([0x51, 0x46, 0x49, 0xfb])
  view.setUint32(4, 3)
  view.setUint32(20, 16)
  view.setBigUint64(24, 10n * 1024n * 1024n)
  view.setUint32(36, 1)
  view.setBigUint64(40, 0x30000n)
  view.setBigUint64(48, 0x10000n)
  view.setUint32(56, 1)
  view.setUint32(96, 4)
  view.setUint32(100, 112)
  return bytes
}

export function bend(bytes: Uint8Array, change: Bend): Uint8Array {
  change(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), bytes)
  return bytes
}

const extension =
  (type: number, length: number): Bend =>
  (view) => {
    const at = view.getUint32(4) === 3 ? view.getUint32(100) : 72
    view.setUint32(at, type)
    view.setUint32(at + 4, length)
  }
const backing =
  (name: string): Bend =>
  (view, bytes) => {
    view.setBigUint64(8, 0x210n)
    view.setUint32(16, name.length)
    bytes.set(ascii(name), 0x210)
  }

export const mutations: { name: string; change: Bend; reason: string }[] = [
  { name: 'a backing file', change: backing('/etc/passwd'), reason: 'backing file (/etc/passwd)' },
  { name: 'a backing URL', change: backing('nbd://10.0.0.1/x'), reason: 'backing file (nbd://10.0.0.1/x)' },
  { name: 'a backing json', change: backing('json:{"driver":"file"}'), reason: 'backing file (json:' },
  { name: 'a backing name outside of the file', change: (view) => view.setBigUint64(8, 1n << 40n), reason: 'backing file (?)' },
  { name: 'a backing name without a length', change: (view) => view.setBigUint64(8, 0x210n), reason: 'backing file' },
  { name: 'an external data file by feature bit', change: (view) => view.setBigUint64(72, 4n), reason: 'external data file' },
  { name: 'an external data file by extension', change: extension(0x44415441, 16), reason: 'external data file' },
  { name: 'encryption by method', change: (view) => view.setUint32(32, 2), reason: 'encrypted' },
  { name: 'encryption by extension', change: extension(0x0537be77, 16), reason: 'encrypted' },
  { name: 'an extension that runs past its cluster', change: extension(0x12345678, 0xfffffff0), reason: 'extension' },
  { name: 'unknown features', change: (view) => view.setBigUint64(72, 1n << 40n), reason: 'features that are not known' },
  { name: 'the corrupt bit', change: (view) => view.setBigUint64(72, 2n), reason: 'corrupt' },
  { name: 'tiny clusters', change: (view) => view.setUint32(20, 8), reason: 'cluster size' },
  { name: 'huge clusters', change: (view) => view.setUint32(20, 22), reason: 'cluster size' },
  { name: 'an unknown version', change: (view) => view.setUint32(4, 4), reason: 'version' },
  { name: 'an absurd virtual size', change: (view) => view.setBigUint64(24, 1n << 60n), reason: 'absurd' },
  {
    name: 'a virtual size that its L1 table can’t hold',
    change: (view) => view.setBigUint64(24, 1n << 40n),
    reason: 'too small',
  },
  { name: 'a huge L1 table', change: (view) => view.setUint32(36, 0x7fffffff), reason: 'L1 table' },
  {
    name: 'an L1 table outside of the file',
    change: (view) => view.setBigUint64(40, 1n << 50n),
    reason: 'L1 table lies outside',
  },
  { name: 'an L1 table that is not aligned', change: (view) => view.setBigUint64(40, 0x30001n), reason: 'L1 table lies outside' },
  { name: 'no refcount table', change: (view) => view.setUint32(56, 0), reason: 'refcount' },
  { name: 'a huge refcount table', change: (view) => view.setUint32(56, 0xffffff), reason: 'refcount' },
  { name: 'a refcount table outside of the file', change: (view) => view.setBigUint64(48, 1n << 50n), reason: 'refcount' },
  { name: 'an odd refcount width', change: (view) => view.setUint32(96, 7), reason: 'refcount width' },
  { name: 'too many snapshots', change: (view) => view.setUint32(60, 70_000), reason: 'snapshots' },
  {
    name: 'snapshots outside of the file',
    change: (view) => {
      view.setUint32(60, 1)
      view.setBigUint64(64, 1n << 40n)
    },
    reason: 'snapshot table',
  },
  { name: 'a short header', change: (view) => view.setUint32(100, 96), reason: 'header length' },
  { name: 'a header longer than its cluster', change: (view) => view.setUint32(100, 0x20000), reason: 'header length' },
  { name: 'unknown compression', change: (view) => view.setUint8(104, 9), reason: 'compression' },
  { name: 'compression without its feature', change: (view) => view.setUint8(104, 1), reason: 'compression' },
]
