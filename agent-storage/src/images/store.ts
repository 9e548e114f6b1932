/**
 * [format] An image store: content under `images/<sha256>.<format>`, and for each image `refs/<imageUuid>.json`. The
 * reference is written before the content appears, so that nothing is ever in the store that no reference names.
 */
import { SkerryError, storePath } from '@skerry/contract'
import { z } from 'zod'
import { readMarker } from '../pools/folder.ts'
import type { StoreFiles } from '../sftp/remote-files.ts'

export const imageFormat = z.enum(['qcow2', 'raw', 'iso'])
export type ImageFormat = z.infer<typeof imageFormat>

export const imageRef = z.object({
  v: z.literal(1),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  md5: z.string(),
  format: imageFormat,
  /** what a guest sees */
  size: z.number(),
  /** of the file */
  actualSize: z.number(),
})
export type ImageRef = z.infer<typeof imageRef>

const FORMATS = imageFormat.options

export class ImageStore {
  readonly path: string
  readonly #files: StoreFiles
  readonly #locks: Map<string, Promise<unknown>>

  /** `locks` is shared by all who open stores of one agent: adding and removing take turns. */
  constructor(files: StoreFiles, path: string, locks: Map<string, Promise<unknown>>) {
    this.#files = files
    this.path = path
    this.#locks = locks
  }

  /** Throws unless a pool of ours stands there: nothing is written into a folder that isn't. */
  async requireOurs(): Promise<void> {
    if ((await readMarker(this.#files, this.path))?.kind === 'image-store') return
    throw new SkerryError('no-backup-storage', `there is no image store at ${this.path}`, { path: this.path })
  }

  partPath(imageUuid: string): string {
    return `${this.path}/images/${imageUuid}.part`
  }

  blobPath(ref: Pick<ImageRef, 'sha256' | 'format'>): string {
    return storePath(this.path, ref.sha256, ref.format)
  }

  /** The image, if its content is there too. */
  async find(imageUuid: string): Promise<ImageRef | undefined> {
    const ref = await this.#readRef(imageUuid)
    const stat = ref && (await this.#files.stat(this.blobPath(ref)))
    return ref && stat?.kind === 'file' && stat.sizeBytes === ref.actualSize ? ref : undefined
  }

  /** Takes the finished partial file in; its bytes are dropped when the store has the same content already. */
  async take(imageUuid: string, ref: ImageRef): Promise<void> {
    await this.#inTurn(async () => {
      await this.#files.write(this.#refPath(imageUuid), `${JSON.stringify(ref)}\n`)
      const blob = this.blobPath(ref)
      const same = (await this.#files.stat(blob))?.sizeBytes === ref.actualSize
      if (same) await this.#files.remove(this.partPath(imageUuid))
      else await this.#files.rename(this.partPath(imageUuid), blob)
    })
  }

  /**
   * Forgets an image; `sha256` helps where the reference is lost. True: something was there. The content goes with its last
   * reference.
   */
  async remove(imageUuid: string, sha256: string | null): Promise<boolean> {
    return this.#inTurn(async () => {
      const part = this.partPath(imageUuid)
      await this.#files.remove(part)
      await this.#files.remove(`${part}.json`)
      const refPath = this.#refPath(imageUuid)
      const had = (await this.#files.stat(refPath)) !== undefined
      const content = (await this.#readRef(imageUuid))?.sha256 ?? sha256
      const others = (await this.refs()).filter((r) => r.imageUuid !== imageUuid && r.ref?.sha256 === content)
      let dropped = false
      if (content && others.length === 0) {
        for (const format of FORMATS) {
          const blob = this.blobPath({ sha256: content, format })
          if (!(await this.#files.stat(blob))) continue
          await this.#files.remove(blob)
          dropped = true
        }
      }
      await this.#files.remove(refPath) // last: cut off before, the removal finds its content again
      return had || dropped
    })
  }

  async refs(): Promise<{ imageUuid: string; path: string; ref: ImageRef | undefined }[]> {
    const names = ((await this.#files.list(`${this.path}/refs`)) ?? []).flatMap(
      (name) => name.match(/^([0-9a-f]{32})\.json$/)?.[1] ?? [],
    )
    return Promise.all(
      names.map(async (imageUuid) => ({ imageUuid, path: this.#refPath(imageUuid), ref: await this.#readRef(imageUuid) })),
    )
  }

  #refPath(imageUuid: string): string {
    return `${this.path}/refs/${imageUuid}.json`
  }

  async #readRef(imageUuid: string): Promise<ImageRef | undefined> {
    const text = await this.#files.read(this.#refPath(imageUuid))
    if (text === undefined) return undefined
    try {
      return imageRef.safeParse(JSON.parse(text)).data
    } catch {
      return undefined // damaged: counts as absent; a new download writes it again, a removal drops it
    }
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const turn = (this.#locks.get(this.path) ?? Promise.resolve()).then(act)
    this.#locks.set(
      this.path,
      turn.catch(() => undefined),
    ) // the caller is told
    return turn
  }
}
