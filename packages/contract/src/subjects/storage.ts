/** Verbs of agent-storage. */
import { z } from 'zod'
import { imageUrl } from '../resources/image.ts'
import { bytes, path, sha256, uuid } from '../scalars.ts'

export const storageCommands = {
  /** `do.image.<imageUuid>.download`: source → image store, checked before qemu opens it; resumes a partial file */
  download: {
    input: z.object({ storePath: path, url: imageUrl, format: z.enum(['qcow2', 'raw', 'iso']), checksum: z.string().nullable() }),
    output: z.object({
      installPath: path,
      size: bytes,
      actualSize: bytes,
      md5: z.string(),
      sha256,
      format: z.enum(['qcow2', 'raw', 'iso']),
    }),
  },
  /** `do.image.<imageUuid>.remove`: forget one image; its bytes go when no other image has the same content */
  remove: { input: z.object({ storePath: path, sha256: sha256.nullable() }), output: z.object({ removed: z.boolean() }) },
  /** `do.storage.<uuid>.capacity` */
  capacity: {
    input: z.object({ path, kind: z.enum(['primary', 'image-store']), storageUuid: uuid }),
    output: z.object({ totalBytes: bytes, availableBytes: bytes, usedBytes: bytes }),
  },
} as const
