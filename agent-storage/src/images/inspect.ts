/**
 * Judges a downloaded file before anything trusts it: first our own parser (the image guard: no backing file, no data file,
 * true to its declared format), and only then qemu-img.
 */
import { SkerryError } from '@skerry/contract'
import { GUARD_BYTES, guardImage, type Host } from '@skerry/host'
import type { StoreFiles } from '../sftp/remote-files.ts'
import type { ImageFormat } from './store.ts'

interface Image {
  path: string
  sizeBytes: number
  format: ImageFormat
}

const refusal = (format: ImageFormat, why: string, cause?: unknown) =>
  new SkerryError('image-refused', `the image is refused: ${why}`, { format }, { cause })

/** The image guard alone: all that can be told where no qemu-img reaches. Returns the size that a guest sees. */
export async function inspectHead(files: Pick<StoreFiles, 'readAt'>, { path, sizeBytes, format }: Image): Promise<number> {
  const head = await files.readAt(path, 0, Math.min(GUARD_BYTES, sizeBytes))
  const verdict = guardImage({ head: head ?? new Uint8Array(), fileSizeBytes: sizeBytes, declared: format })
  if (!verdict.ok) throw refusal(format, verdict.reason)
  return verdict.virtualSizeBytes
}

/** Returns the size that a guest sees. Throws `image-refused`, saying why. */
export async function inspectImage(host: Pick<Host, 'files' | 'qemuImg'>, image: Image): Promise<number> {
  const { path, format } = image
  const refuse = (why: string, cause?: unknown) => refusal(format, why, cause)
  const virtualSizeBytes = await inspectHead(host.files, image)
  if (format !== 'qcow2') return virtualSizeBytes
  const disk = { path, format } as const
  const chain = await host.qemuImg.info(disk).catch((cause) => {
    throw refuse('qemu-img cannot read it', cause)
  })
  const [info] = chain
  if (chain.length !== 1 || !info || info.format !== 'qcow2') throw refuse('it does not stand alone')
  const found = await host.qemuImg.check(disk).catch((cause) => {
    throw refuse('qemu-img cannot check it', cause)
  })
  if (found.corruptions > 0) throw refuse(`it has ${found.corruptions} corruptions`)
  return info.virtualSizeBytes
}
