/** Verbs of agent-storage. */
import { z } from 'zod'
import { volumeFile } from '../desired/storage.ts'
import { hostKey } from '../resources/backup-storage.ts'
import { sourceUrl } from '../resources/image.ts'
import { bytes, hostname, path, sha256, uuid } from '../scalars.ts'
import { oneTimeAllowance, sessionId } from './session.ts'

/** The storage server on which the paths of a command lie, named by its backup storage; absent: this host. */
const server = { backupStorageUuid: uuid.optional() }

/**
 * `ask.sftp`: an agent-storage asks where a storage server is and how it gets in, each time it opens a connection. `password` is sealed
 * to the agent, with the context.
 */
export const sftpAsk = {
  verb: 'sftp',
  context: (backupStorageUuid: string) => `sftp/${backupStorageUuid}`,
  input: z.object({ backupStorageUuid: uuid }),
  reply: z.object({
    hostname,
    port: z.number().int().min(1).max(65535),
    username: z.string(),
    password: z.string(),
    hostKey: hostKey.nullable(),
  }),
} as const

const format = z.enum(['qcow2', 'raw', 'iso'])
/** An image that is whole and in its store. */
const taken = z.object({ installPath: path, size: bytes, actualSize: bytes, md5: z.string(), sha256, format })
/** Names one upload: the SHA-256 of its token, which itself is on no bus. */
const upload = { storePath: path, tokenHash: oneTimeAllowance.tokenHash, ...server }

export const storageCommands = {
  /** `do.storage.<backupStorageUuid>.connect`: the folder on a storage server is made, or found to be ours; tells who answered */
  connect: {
    input: z.object({ path }),
    output: z.object({ hostKey, totalBytes: bytes, availableBytes: bytes, usedBytes: bytes }),
  },
  /** `do.storage.<backupStorageUuid>.forget`: a folder that holds no image is given back */
  forget: { input: z.object({ path }), output: z.object({ removed: z.boolean() }) },
  /** `do.image.<imageUuid>.download`: source → image store, checked before qemu opens it; resumes a partial file */
  download: {
    input: z.object({
      ...{ storePath: path, url: sourceUrl, format, checksum: z.string().nullable() },
      ...server,
    }),
    output: taken,
  },
  /** `do.image.<imageUuid>.allow-upload`: from now on its bytes may come, by the token with this SHA-256 */
  allowUpload: {
    input: z.object({
      ...{ storePath: path, format, checksum: z.string().nullable(), tokenHash: oneTimeAllowance.tokenHash },
      ...server,
    }),
    output: z.object({}),
  },
  /**
   * `do.image.<imageUuid>.upload`: bytes from `offset` on come as a channel on `io.<session>.{in,out}`; `offset` must be how many are
   * there. Another session of the same image ends.
   */
  upload: { input: z.object({ ...upload, session: sessionId, offset: bytes }), output: z.object({}) },
  /**
   * `do.image.<imageUuid>.uploaded`: how many bytes are there, and how long nothing came. Of a session it waits for the end: all that came by it
   * is on the disk then, or what was in the way is thrown.
   */
  uploaded: {
    input: z.object({ ...upload, session: sessionId.optional() }),
    output: z.object({ offset: bytes, idleMs: z.number().min(0) }),
  },
  /** `do.image.<imageUuid>.receive`: checks what was uploaded, as a download is checked, and takes it in; nothing of a refused one stays */
  receive: { input: z.object({ storePath: path, sizeBytes: bytes, ...server }), output: taken },
  /** `do.image.<imageUuid>.remove`: forget one image; its bytes go when no other image has the same content */
  remove: {
    input: z.object({ storePath: path, sha256: sha256.nullable(), ...server }),
    output: z.object({ removed: z.boolean() }),
  },
  /** `do.volume.<volumeUuid>.sizes`: what each of these files takes on its disk; one that is not there is left out */
  sizes: {
    input: z.object({ poolUuid: uuid, poolPath: path, files: z.array(volumeFile).max(300) }),
    output: z.object({ files: z.array(z.object({ file: volumeFile, sizeBytes: bytes, actualBytes: bytes })) }),
  },
  /**
   * `do.volume.<volumeUuid>.rebase`: whatever of the volume lies on `from` lies from then on on what `from` lies on, with the content that
   * it has; so nothing needs `from` any more. Answers all files of the volume. No guest may have open what is to be moved.
   */
  rebase: {
    input: z.object({ poolUuid: uuid, poolPath: path, from: volumeFile }),
    output: z.object({ files: z.array(z.object({ file: volumeFile, sizeBytes: bytes, actualBytes: bytes })) }),
  },
  /** `do.volume.<volumeUuid>.merge`: what `file` holds is written into what it lies on, `into`; then it goes. No guest may have them open. */
  merge: {
    input: z.object({ poolUuid: uuid, poolPath: path, file: volumeFile, into: volumeFile }),
    output: z.object({ merged: z.boolean() }),
  },
  /**
   * `do.volume.<volumeUuid>.copy`: a volume that stands alone gets the content of `from`, a file of any volume of the pool that nobody
   * writes into, and of all that it lies on. It appears as `as` when it is whole; one that is there is whole.
   */
  copy: {
    input: z.object({ poolUuid: uuid, poolPath: path, from: volumeFile, as: volumeFile }),
    output: z.object({ sizeBytes: bytes, actualBytes: bytes }),
  },
  /**
   * `do.volume.<volumeUuid>.link`: a file in the pool's folder that a guest of somebody else writes into becomes a volume's: it gets the
   * volume's name besides its own. A file that lies on others, or that is not of this format, is refused.
   */
  link: {
    input: z.object({ poolUuid: uuid, poolPath: path, file: path, as: volumeFile }),
    output: z.object({ sizeBytes: bytes }),
  },
  /** `do.volume.<volumeUuid>.unlink`: takes that name away again, if the file has its other one still */
  unlink: {
    input: z.object({ poolUuid: uuid, poolPath: path, file: path, as: volumeFile }),
    output: z.object({ unlinked: z.boolean() }),
  },
  /** `do.storage.<uuid>.capacity` */
  capacity: {
    input: z.object({ path, kind: z.enum(['primary', 'image-store']), storageUuid: uuid }),
    output: z.object({ totalBytes: bytes, availableBytes: bytes, usedBytes: bytes }),
  },
} as const
