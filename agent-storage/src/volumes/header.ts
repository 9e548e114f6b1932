/**
 * Size and backing file of one of our own volumes, from its first bytes: a pass looks at every volume, and a qemu-img process
 * for each would cost 1000 volumes half a minute. qcow2 header: qemu docs/interop/qcow2.txt (offsets 8 backing, 16 its length,
 * 24 virtual size). Only for files that this agent made; images from outside are judged by the host's image guard.
 */
import type { Host } from '@skerry/host'

const HEAD_BYTES = 4096
const MAGIC = 0x514649fb

export interface VolumeHeader {
  /** What the guest sees. */
  sizeBytes: number
  backingPath: string | undefined
}

/** Undefined: not a qcow2 file (torn, or overwritten). */
export async function readHeader(files: Host['files'], path: string): Promise<VolumeHeader | undefined> {
  const head = await files.readAt(path, 0, HEAD_BYTES)
  if (!head || head.length < 32) return undefined
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength)
  if (view.getUint32(0) !== MAGIC) return undefined
  const at = Number(view.getBigUint64(8))
  const length = view.getUint32(16)
  const named = at > 0 && at + length <= head.length
  return {
    sizeBytes: Number(view.getBigUint64(24)),
    backingPath: named ? new TextDecoder().decode(head.subarray(at, at + length)) : undefined,
  }
}
