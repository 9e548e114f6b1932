/** The pool's copy of an image: made once, checked by its name (SHA-256 of its content) while it is copied. */
import { createHash } from 'node:crypto'
import { SkerryError, type storageDesired } from '@skerry/contract'
import type { FileSink, Host } from '@skerry/host'
import { copyHashing } from '../images/copy.ts'
import { rehash } from '../images/http-source.ts'
import { inspectImage } from '../images/inspect.ts'
import { type AccessPorts, withStore } from '../sftp/access.ts'
import type { RemoteFiles } from '../sftp/remote-files.ts'

/** An image in a store, and where its copy stands; the same for disks and ISO images. */
type Backing = Omit<NonNullable<storageDesired.VolumeSpec['backing']>, 'format'> & { format: 'qcow2' | 'raw' | 'iso' }

export interface CachePorts extends AccessPorts {
  host: Pick<Host, 'files' | 'qemuImg'>
}

const PIECE_BYTES = 4 * 1024 * 1024

export class ImageCache {
  readonly #p: CachePorts
  readonly #files: Host['files']
  /** By path: several volumes of one image are made at once. */
  readonly #filling = new Map<string, Promise<void>>()

  constructor(ports: CachePorts) {
    this.#p = ports
    this.#files = ports.host.files
  }

  /**
   * Throws `image-unreachable` (not in the store), `image-checksum` (the store's copy is damaged), `disk-full`, and for an image on a
   * storage server its errors and `image-refused`.
   */
  async ensure(backing: Backing): Promise<void> {
    if ((await this.#files.stat(backing.cachePath))?.kind === 'file') return
    const going =
      this.#filling.get(backing.cachePath) ?? this.#fill(backing).finally(() => this.#filling.delete(backing.cachePath))
    this.#filling.set(backing.cachePath, going)
    await going
  }

  async #fill(backing: Backing): Promise<void> {
    const { imageUuid, sha256, sourcePath, cachePath, backupStorageUuid } = backing
    const temp = `${cachePath}.tmp`
    try {
      const found =
        backupStorageUuid === undefined ? await this.#copy(backing, temp) : await this.#fetch(backing, temp, backupStorageUuid)
      if (found !== sha256) {
        throw new SkerryError('image-checksum', `the image store's copy at ${sourcePath} is damaged`, {
          imageUuid,
          path: sourcePath,
          wanted: sha256,
          found,
        })
      }
      if (backupStorageUuid !== undefined) await this.#inspect(backing, temp)
      await this.#files.rename(temp, cachePath)
    } catch (error) {
      // What a server gave before the link was lost is gone on with.
      const kept = error instanceof SkerryError && error.code === 'storage-unreachable'
      if (!kept) await this.#files.remove(temp)
      throw error
    }
  }

  async #copy({ imageUuid, sourcePath }: Backing, temp: string): Promise<string> {
    const stat = await this.#files.stat(sourcePath)
    if (stat?.kind !== 'file') throw notThere(imageUuid, sourcePath)
    return (await copyHashing(this.#files, { from: sourcePath, to: temp, sizeBytes: stat.sizeBytes })).sha256
  }

  #fetch({ imageUuid, sourcePath }: Backing, temp: string, backupStorageUuid: string): Promise<string> {
    const { signal } = new AbortController() // the pauses between attempts are its limit
    return withStore(this.#p, { backupStorageUuid, signal }, async (remote) => {
      const stat = await remote.stat(sourcePath)
      if (stat?.kind !== 'file') throw notThere(imageUuid, sourcePath)
      const hash = createHash('sha256')
      const have = Math.min((await this.#files.stat(temp))?.sizeBytes ?? 0, stat.sizeBytes)
      await rehash(this.#files, temp, have, [hash])
      const sink = await this.#files.sink(temp, { append: have > 0 })
      try {
        await this.#pieces(remote, sink, { sourcePath, from: have, to: stat.sizeBytes, heard: (piece) => hash.update(piece) })
      } finally {
        await sink.close()
      }
      return hash.digest('hex')
    })
  }

  async #pieces(
    remote: RemoteFiles,
    sink: FileSink,
    { sourcePath, from, to, heard }: { sourcePath: string; from: number; to: number; heard(piece: Uint8Array): void },
  ): Promise<void> {
    for (let at = from; at < to; ) {
      const piece = await remote.readAt(sourcePath, at, Math.min(PIECE_BYTES, to - at))
      if (!piece?.length)
        throw new SkerryError('image-unreachable', `${sourcePath} became shorter while it was read`, { path: sourcePath, at })
      await sink.write(piece)
      heard(piece)
      at += piece.length
    }
  }

  /** No qemu-img could look at it on its server. */
  async #inspect({ format }: Backing, temp: string): Promise<void> {
    const { sizeBytes = 0 } = (await this.#files.stat(temp)) ?? {}
    await inspectImage(this.#p.host, { path: temp, sizeBytes, format })
  }
}

const notThere = (imageUuid: string, path: string) =>
  new SkerryError('image-unreachable', `the image store has no ${path}`, { imageUuid, path })
