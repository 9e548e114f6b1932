/** [format] What agent-storage keeps true: storage folders and volumes. */
import { z } from 'zod'
import { bytes, path, sha256, uuid } from '../scalars.ts'

/** Noun `pool`; uuid = primary storage or backup storage. A folder of ours, marked with a file that holds the uuid. */
export const pool = { noun: 'pool', schema: 1, spec: z.object({ path, kind: z.enum(['primary', 'image-store']) }) } as const
export type PoolSpec = z.infer<typeof pool.spec>
/** `status.observed` of a pool */
export const poolObserved = z.object({ totalBytes: bytes, availableBytes: bytes, usedBytes: bytes })

/** In a source, `backupStorageUuid` says that `sourcePath` lies on the server of that sftp backup storage; absent: on this host. */

/** Noun `iso`; uuid = CD drive of a VM. A host's own copy of an ISO image, in the cache of a pool; drives of the same content share it. */
export const iso = {
  noun: 'iso',
  schema: 1,
  spec: z.object({
    poolUuid: uuid,
    imageUuid: uuid,
    sha256,
    sourcePath: path,
    cachePath: path,
    backupStorageUuid: uuid.optional(),
  }),
} as const
export type IsoSpec = z.infer<typeof iso.spec>

/** Name of a file of a volume, in the folder of the volume's `path`. */
export const volumeFile = z
  .string()
  .regex(/^[0-9a-f]{32}(\.[0-9a-f]{32})?\.(qcow2|raw)$/, 'must be the name of a file of a volume')

/**
 * Noun `volume`; uuid = volume. Schema 2 can say `layers`, `next`, `drop` and `backing.backupStorageUuid`: all may be absent, and mean then what schema 1 means, a
 * volume of one file.
 */
export const volume = {
  noun: 'volume',
  schema: 2,
  spec: z.object({
    poolUuid: uuid,
    path,
    format: z.enum(['qcow2', 'raw']),
    sizeBytes: bytes,
    /** the image below it: taken from the image store into the pool's cache, then an overlay on it */
    backing: z
      .object({
        ...{ imageUuid: uuid, sha256, format: z.enum(['qcow2', 'raw']), sourcePath: path, cachePath: path },
        backupStorageUuid: uuid.optional(),
      })
      .nullable(),
    /**
     * `create`: it has never been Ready, the agent makes it. `exists`: it holds data; a missing file is a loss to report
     * (`volume-lost`), never a reason to make an empty one.
     */
    birth: z.enum(['create', 'exists']),
    /** The files of its snapshots: none of them may be missing, and nobody writes into them. */
    layers: z.array(z.object({ snapshotUuid: uuid, file: volumeFile })).optional(),
    /** Made as an empty disk over `over`: it is about to take the place of `path`. */
    next: z.object({ file: volumeFile, over: volumeFile }).optional(),
    /** No longer needed, so to be removed, unless something lies over it. A file that is not named stays. */
    drop: z.array(volumeFile).optional(),
  }),
} as const
export type VolumeSpec = z.infer<typeof volume.spec>
/** `status.observed` of a volume */
export const volumeObserved = z.object({ sizeBytes: bytes, actualBytes: bytes })
