/** Copies a local file in pieces, hashing on the way, so that what was hashed is what was written. */
import { createHash } from 'node:crypto'
import { SkerryError } from '@skerry/contract'
import type { StoreFiles } from '../sftp/remote-files.ts'

const PIECE_BYTES = 4 * 1024 * 1024

export interface CopySpec {
  from: string
  to: string
  sizeBytes: number
  signal?: AbortSignal
  onProgress?: (doneBytes: number) => void
}

/** The target is on the disk when this resolves; on failure it is the caller's to remove. Digests in lower-case hex. */
export async function copyHashing(files: StoreFiles, spec: CopySpec): Promise<{ md5: string; sha256: string }> {
  const hashes = [createHash('md5'), createHash('sha256')] as const
  const sink = await files.sink(spec.to)
  try {
    for (let at = 0; at < spec.sizeBytes; ) {
      spec.signal?.throwIfAborted()
      const piece = await files.readAt(spec.from, at, Math.min(PIECE_BYTES, spec.sizeBytes - at))
      if (!piece || piece.length === 0)
        throw new SkerryError('image-unreachable', `${spec.from} became shorter while it was copied`, { path: spec.from, at })
      for (const hash of hashes) hash.update(piece)
      await sink.write(piece)
      at += piece.length
      spec.onProgress?.(at)
    }
  } finally {
    await sink.close()
  }
  return { md5: hashes[0].digest('hex'), sha256: hashes[1].digest('hex') }
}
