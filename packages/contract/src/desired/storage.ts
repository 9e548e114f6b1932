/** [format] What agent-storage keeps true: storage folders and volumes. */
import { z } from 'zod'
import { bytes, path, sha256, uuid } from '../scalars.ts'

/** Noun `pool`; uuid = primary storage or backup storage. A folder of ours, marked with a file that holds the uuid. */
export const pool = { noun: 'pool', schema: 1, spec: z.object({ path, kind: z.enum(['primary', 'image-store']) }) } as const
export type PoolSpec = z.infer<typeof pool.spec>
/** `status.observed` of a pool */
export const poolObserved = z.object({ totalBytes: bytes, availableBytes: bytes, usedBytes: bytes })

/** Noun `volume`; uuid = volume. */
export const volume = {
  noun: 'volume',
  schema: 1,
  spec: z.object({
    poolUuid: uuid,
    path,
    format: z.enum(['qcow2', 'raw']),
    sizeBytes: bytes,
    /** the image below it: taken from the image store into the pool's cache, then an overlay on it */
    backing: z
      .object({ imageUuid: uuid, sha256, format: z.enum(['qcow2', 'raw']), sourcePath: path, cachePath: path })
      .nullable(),
    /**
     * `create`: it has never been Ready, the agent makes it. `exists`: it holds data; a missing file is a loss to report
     * (`volume-lost`), never a reason to make an empty one.
     */
    birth: z.enum(['create', 'exists']),
  }),
} as const
export type VolumeSpec = z.infer<typeof volume.spec>
/** `status.observed` of a volume */
export const volumeObserved = z.object({ sizeBytes: bytes, actualBytes: bytes })
