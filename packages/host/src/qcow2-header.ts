/** The header of a qcow2 image, read from its bytes. Pure. Layout: qemu docs/interop/qcow2.txt; limits: qemu block/qcow2.c (7.2). */

export interface Qcow2Header {
  version: number
  virtualSizeBytes: number
  clusterBits: number
}

const MIB = 1024 * 1024
const MAX_L1_BYTES = 32 * MIB
const MAX_REFTABLE_BYTES = 8 * MIB
const MAX_SNAPSHOTS = 65_536
const INCOMPATIBLE = { dirty: 1n, corrupt: 2n, dataFile: 4n, compression: 8n, extendedL2: 16n }
const KNOWN_INCOMPATIBLE = 31n
const EXTENSION_END = 0
const EXTENSION_DATA_FILE = 0x44415441
const EXTENSION_ENCRYPTION = 0x0537be77

export function isQcow2(head: Uint8Array): boolean {
  return head[0] === 0x51 && head[1] === 0x46 && head[2] === 0x49 && head[3] === 0xfb
}

/** The backing file's name as written; null: none. `?` stands for bytes that aren't printable or lie outside of `head`. */
export function backingFile(head: Uint8Array): string | null {
  if (head.length < 72) return null
  const view = viewOf(head)
  const offset = view.getBigUint64(8)
  const length = view.getUint32(16)
  if (offset === 0n && length === 0) return null
  const end = offset + BigInt(Math.min(length, 1023))
  if (end > BigInt(head.length)) return '?'
  return String.fromCharCode(...head.subarray(Number(offset), Number(end))).replace(/[^\x20-\x7e]/g, '?') || '?'
}

/** How many snapshots lie inside the image, where only qemu sees them. */
export const innerSnapshots = (head: Uint8Array): number => (head.length < 72 ? 0 : viewOf(head).getUint32(60))

/** The header's facts, or what is wrong with it. The backing file is the caller's to judge. */
export function checkHeader(head: Uint8Array, fileSizeBytes: number): Qcow2Header | { problem: string } {
  if (head.length < 72) return { problem: 'its header is cut off' }
  const view = viewOf(head)
  const version = view.getUint32(4)
  if (version !== 2 && version !== 3) return { problem: `its version is ${version}; 2 and 3 are known` }
  const clusterBits = view.getUint32(20)
  if (clusterBits < 9 || clusterBits > 21) return { problem: `its cluster size of 2^${clusterBits} bytes is not allowed` }
  const virtualSize = view.getBigUint64(24)
  if (virtualSize > BigInt(Number.MAX_SAFE_INTEGER)) return { problem: 'its virtual size is absurd' }
  if (view.getUint32(32) !== 0) return { problem: 'it is encrypted' }
  const problem =
    (version === 3 ? checkVersion3(view, clusterBits) : null) ??
    checkTables(view, { version, clusterBits, virtualSize, fileSizeBytes }) ??
    checkExtensions(view, version === 3 ? view.getUint32(100) : 72, clusterBits)
  return problem === null ? { version, virtualSizeBytes: Number(virtualSize), clusterBits } : { problem }
}

const viewOf = (head: Uint8Array) => new DataView(head.buffer, head.byteOffset, head.byteLength)

function checkVersion3(view: DataView, clusterBits: number): string | null {
  if (view.byteLength < 104) return 'its header is cut off'
  const incompatible = view.getBigUint64(72)
  if (incompatible & INCOMPATIBLE.dataFile) return 'it names an external data file'
  if (incompatible & INCOMPATIBLE.corrupt) return 'it is marked as corrupt'
  if (incompatible & ~KNOWN_INCOMPATIBLE) return `it needs features that are not known (0x${incompatible.toString(16)})`
  if (view.getUint32(96) > 6) return 'its refcount width is not allowed'
  const headerLength = view.getUint32(100)
  if (headerLength < 104 || headerLength % 8 !== 0 || headerLength > 2 ** clusterBits || headerLength > view.byteLength)
    return `its header length of ${headerLength} is not allowed`
  const compression = headerLength > 104 ? view.getUint8(104) : 0
  if (compression > 1) return 'its compression is not known'
  if ((compression !== 0) !== ((incompatible & INCOMPATIBLE.compression) !== 0n))
    return 'its compression type contradicts its features'
  if (incompatible & INCOMPATIBLE.extendedL2 && clusterBits < 14) return 'its clusters are too small for extended L2 entries'
  return null
}

interface Geometry {
  version: number
  clusterBits: number
  virtualSize: bigint
  fileSizeBytes: number
}

function checkTables(view: DataView, g: Geometry): string | null {
  const clusterSize = 2 ** g.clusterBits
  const inside = (offset: bigint, bytes: number) =>
    offset % BigInt(clusterSize) === 0n && offset + BigInt(bytes) <= BigInt(g.fileSizeBytes)
  const l1Bytes = view.getUint32(36) * 8
  const extended = g.version === 3 && (view.getBigUint64(72) & INCOMPATIBLE.extendedL2) !== 0n
  // One L1 entry covers one cluster full of L2 entries (8 bytes, 16 if extended), each of which covers one cluster.
  const covered = (BigInt(clusterSize) / (extended ? 16n : 8n)) * BigInt(clusterSize)
  const wanted = (g.virtualSize + covered - 1n) / covered
  if (l1Bytes > MAX_L1_BYTES || wanted * 8n > BigInt(MAX_L1_BYTES)) return 'its L1 table is absurdly large'
  if (BigInt(l1Bytes) < wanted * 8n) return 'its L1 table is too small for its virtual size'
  if (l1Bytes > 0 && !inside(view.getBigUint64(40), l1Bytes)) return 'its L1 table lies outside of the file'
  const refBytes = view.getUint32(56) * clusterSize
  if (refBytes === 0 || refBytes > MAX_REFTABLE_BYTES) return 'its refcount table is of an absurd size'
  if (!inside(view.getBigUint64(48), refBytes)) return 'its refcount table lies outside of the file'
  const snapshots = view.getUint32(60)
  if (snapshots > MAX_SNAPSHOTS) return 'it holds an absurd number of snapshots'
  // a snapshot's entry takes at least 40 bytes; what it holds is never loaded
  if (!inside(view.getBigUint64(64), snapshots * 40)) return 'its snapshot table lies outside of the file'
  return null
}

/** Extensions follow the header, up to the end of the first cluster: type, length, data padded to 8. */
function checkExtensions(view: DataView, from: number, clusterBits: number): string | null {
  const end = Math.min(2 ** clusterBits, view.byteLength)
  for (let at = from; at + 8 <= end; ) {
    const type = view.getUint32(at)
    const length = view.getUint32(at + 4)
    if (type === EXTENSION_END) return null
    if (type === EXTENSION_DATA_FILE) return 'it names an external data file'
    if (type === EXTENSION_ENCRYPTION) return 'it is encrypted'
    if (length > end - at - 8) return 'a header extension runs past the first cluster'
    at += 8 + Math.ceil(length / 8) * 8
  }
  return null
}
