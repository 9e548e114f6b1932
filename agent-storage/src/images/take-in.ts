/** The end of every way in which an image comes: checked, judged and named by its content. */
import { SkerryError } from '@skerry/contract'
import type { Host } from '@skerry/host'
import type { StoreFiles } from '../sftp/remote-files.ts'
import type { Fetched } from './http-source.ts'
import { inspectHead, inspectImage } from './inspect.ts'
import type { ImageFormat, ImageRef, ImageStore } from './store.ts'

export interface Whole {
  imageUuid: string
  /** size and digests of its partial file */
  got: Fetched
  format: ImageFormat
  /** `md5:<hex>` or `sha256:<hex>` */
  checksum: string | null
  /** of what the checksum doesn't fit, for the error */
  from: string
  signal: AbortSignal
}

export interface Place {
  host: Pick<Host, 'files' | 'qemuImg'>
  store: ImageStore
  /** where the store is */
  files: StoreFiles
}

/** Throws `image-checksum` or `image-refused`; then the partial file is the caller's to remove. */
export async function takeIn({ host, store, files }: Place, whole: Whole): Promise<ImageRef> {
  const { imageUuid, got, format, checksum, from, signal } = whole
  if (!matches(checksum, got)) {
    const found = checksum?.startsWith('md5:') ? `md5:${got.md5}` : `sha256:${got.sha256}`
    throw new SkerryError('image-checksum', `the bytes ${from} are not those of the checksum`, { wanted: checksum, found })
  }
  const image = { path: store.partPath(imageUuid), sizeBytes: got.sizeBytes, format }
  // On a server the guard reads its first bytes; qemu-img looks at the copy that a host makes, before a guest does.
  const size = files === host.files ? await inspectImage(host, image) : await inspectHead(files, image)
  signal.throwIfAborted()
  const ref: ImageRef = { v: 1, sha256: got.sha256, md5: got.md5, format, size, actualSize: got.sizeBytes }
  await store.take(imageUuid, ref)
  return ref
}

export function matches(checksum: string | null, found: { md5: string; sha256: string }): boolean {
  return checksum === null || checksum === `md5:${found.md5}` || checksum === `sha256:${found.sha256}`
}

/** As a command answers it. */
export const takenOf = (store: ImageStore, ref: ImageRef) => ({
  installPath: store.blobPath(ref),
  size: ref.size,
  actualSize: ref.actualSize,
  md5: ref.md5,
  sha256: ref.sha256,
  format: ref.format,
})
