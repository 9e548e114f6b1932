/** The pool's copy of an image: made once, checked by its name (SHA-256 of its content) while it is copied. */
import { SkerryError, type storageDesired } from '@skerry/contract'
import type { Host } from '@skerry/host'
import { copyHashing } from '../images/copy.ts'

type Backing = NonNullable<storageDesired.VolumeSpec['backing']>

export class ImageCache {
  readonly #files: Host['files']
  /** By path: several volumes of one image are made at once. */
  readonly #filling = new Map<string, Promise<void>>()

  constructor(files: Host['files']) {
    this.#files = files
  }

  /** Throws `image-unreachable` (not in the store), `image-checksum` (the store's copy is damaged), `disk-full`. */
  async ensure(backing: Backing): Promise<void> {
    if ((await this.#files.stat(backing.cachePath))?.kind === 'file') return
    const going =
      this.#filling.get(backing.cachePath) ?? this.#fill(backing).finally(() => this.#filling.delete(backing.cachePath))
    this.#filling.set(backing.cachePath, going)
    await going
  }

  async #fill({ imageUuid, sha256, sourcePath, cachePath }: Backing): Promise<void> {
    const stat = await this.#files.stat(sourcePath)
    if (stat?.kind !== 'file')
      throw new SkerryError('image-unreachable', `the image store has no ${sourcePath}`, { imageUuid, path: sourcePath })
    const temp = `${cachePath}.tmp`
    try {
      const { sha256: found } = await copyHashing(this.#files, { from: sourcePath, to: temp, sizeBytes: stat.sizeBytes })
      if (found !== sha256) {
        throw new SkerryError('image-checksum', `the image store's copy at ${sourcePath} is damaged`, {
          imageUuid,
          path: sourcePath,
          wanted: sha256,
          found,
        })
      }
      await this.#files.rename(temp, cachePath)
    } catch (error) {
      await this.#files.remove(temp)
      throw error
    }
  }
}
