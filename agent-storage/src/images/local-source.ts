/** Which local files may become images. ZStack's own blacklist (zstack-core, image.download.localPath.blacklist), and no links. */
import { SkerryError } from '@skerry/contract'
import type { StoreFiles } from '../sftp/remote-files.ts'

const BLACKLIST = ['/etc', '/usr/local/zstack', '/var/log', '/dev', '/proc', '/sys']

/** The path behind `file://…` and its size. Throws `image-refused` (may not be read) or `image-unreachable` (isn't there). */
export async function localSource(files: Pick<StoreFiles, 'stat'>, url: string): Promise<{ path: string; sizeBytes: number }> {
  const path = decodeURIComponent(new URL(url).pathname)
  const parts = path.split('/').slice(1)
  const refuse = (why: string) => new SkerryError('image-refused', `an image may not be read from ${path}: ${why}`, { url, path })
  if (BLACKLIST.some((b) => path === b || path.startsWith(`${b}/`))) throw refuse('it is below a protected folder')
  if (parts.some((part) => part === '' || part.startsWith('.') || part.startsWith('~'))) throw refuse('it has hidden parts')
  // Each folder on the way must be a real one: a link would lead around the list above.
  for (let n = 1; n < parts.length; n++) {
    const folder = `/${parts.slice(0, n).join('/')}`
    const kind = (await files.stat(folder))?.kind
    if (kind !== undefined && kind !== 'folder') throw refuse(`${folder} is not a folder`)
  }
  const stat = await files.stat(path)
  if (!stat) throw new SkerryError('image-unreachable', `there is no file ${path} on this host`, { url, path })
  if (stat.kind !== 'file') throw refuse('it is not a regular file')
  return { path, sizeBytes: stat.sizeBytes }
}
