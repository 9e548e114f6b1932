/**
 * Judges a downloaded file before anything trusts it: first our own parser (the image guard: no backing file, no data file,
 * true to its declared format), and only then qemu-img.
 */
import { SkerryError } from '@skerry/contract'
import { GUARD_BYTES, guardImage, type Host } from '@skerry/host'
import type { ImageFormat } from './store.ts'

/** Returns the size that a guest sees. Throws `image-refused`, saying why. */
export async function inspectImage(
  host: Pick<Host, 'files' | 'qemuImg'>,
  image: { path: string; sizeBytes: number; format: ImageFormat },
): Promise<number> {
  const { path, sizeBytes, format } = image
  const refuse = (why: string, cause?: unknown) =>
    new SkerryError('image-refused', `the image is refused: ${why}`, { format }, { cause })
  const head = await host.files.readAt(path, 0, Math.min(GUARD_BYTES, sizeBytes))
  const verdict = guardImage({ head: head ?? new Uint8Array(), fileSizeBytes: sizeBytes, declared: format })
  if (!verdict.ok) throw refuse(verdict.reason)
  if (format !== 'qcow2') return verdict.virtualSizeBytes
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
