/**
 * [format] What is known of an upload, beside its partial file (`<image>.part.json`): so that it outlives the agent, and on a storage
 * server any agent can go on with it. Of its token only the SHA-256 is known here.
 */
import { SkerryError } from '@skerry/contract'
import { z } from 'zod'
import { type ImageStore, imageFormat } from '../images/store.ts'
import type { StoreFiles } from '../sftp/remote-files.ts'

const allowed = z.object({
  v: z.literal(1),
  upload: z.object({ tokenHash: z.string(), format: imageFormat, checksum: z.string().nullable() }),
})
export type Allowed = z.infer<typeof allowed>['upload']

const pathOf = (store: ImageStore, imageUuid: string) => `${store.partPath(imageUuid)}.json`

/** Begins it, with no bytes; what is there of the same upload stays. */
export async function allow(files: StoreFiles, store: ImageStore, imageUuid: string, upload: Allowed): Promise<void> {
  const known = await find(files, store, imageUuid)
  if (known?.tokenHash === upload.tokenHash) return
  const part = await files.sink(store.partPath(imageUuid))
  await part.close()
  await files.write(pathOf(store, imageUuid), `${JSON.stringify({ v: 1, upload } satisfies z.infer<typeof allowed>)}\n`)
}

/** Throws `not-found` where no upload was begun, or it is over; `session-invalid` for another one's token. */
export async function needAllowed(
  files: StoreFiles,
  store: ImageStore,
  { imageUuid, tokenHash }: { imageUuid: string; tokenHash?: string },
): Promise<Allowed> {
  const known = await find(files, store, imageUuid)
  if (!known) throw new SkerryError('not-found', `there is no upload of image ${imageUuid} here`, { imageUuid })
  if (tokenHash !== undefined && tokenHash !== known.tokenHash)
    throw new SkerryError('session-invalid', 'this token is not the one of this upload', { imageUuid })
  return known
}

export async function forget(files: StoreFiles, store: ImageStore, imageUuid: string): Promise<void> {
  await files.remove(store.partPath(imageUuid))
  await files.remove(pathOf(store, imageUuid))
}

async function find(files: StoreFiles, store: ImageStore, imageUuid: string): Promise<Allowed | undefined> {
  const text = await files.read(pathOf(store, imageUuid))
  if (text === undefined) return undefined
  try {
    return allowed.safeParse(JSON.parse(text)).data?.upload
  } catch {
    return undefined // no upload of ours was written like that
  }
}
