/** Which files of volumes lie over which, by their own headers: each folder is read at most once in a pass. */
import { type kvmDesired, volumeOfFile } from '@skerry/contract'
import { backingFile, type Host } from '@skerry/host'

const HEAD_BYTES = 4096

export class Layers {
  readonly #files: Host['files']
  readonly #names = new Map<string, Promise<readonly string[]>>()

  constructor(files: Host['files']) {
    this.#files = files
  }

  /** Of these disks those that another file of the same volume lies over. */
  async over(disks: readonly { path: string; volumeUuid: string }[]): Promise<{ path: string; over: string }[]> {
    const found = await Promise.all(disks.map((disk) => this.#of(disk)))
    return found.flat()
  }

  async #of({ path, volumeUuid }: { path: string; volumeUuid: string }): Promise<{ path: string; over: string }[]> {
    const folder = path.slice(0, path.lastIndexOf('/'))
    const layers = (await this.#layersIn(folder)).filter((name) => volumeOfFile(name) === volumeUuid)
    const paths = layers.map((name) => `${folder}/${name}`).filter((one) => one !== path)
    const below = await Promise.all(
      paths.map(async (one) => backingFile((await this.#files.readAt(one, 0, HEAD_BYTES)) ?? new Uint8Array())),
    )
    return paths.filter((_, n) => below[n] === path).map((over) => ({ path, over }))
  }

  #layersIn(folder: string): Promise<readonly string[]> {
    const known =
      this.#names.get(folder) ??
      this.#files.list(folder).then((names) => (names ?? []).filter((name) => name.split('.').length === 3))
    this.#names.set(folder, known)
    return known
  }
}

/** Paths of a VM's disks, and of its ISO, that are not there, or no regular files. */
export async function missingDisks(files: Host['files'], { disks, cdrom }: kvmDesired.VmSpec): Promise<string[]> {
  const paths = [...disks.map(({ path }) => path), ...(cdrom?.path ? [cdrom.path] : [])]
  const kinds = await Promise.all(paths.map(async (path) => ({ path, stat: await files.stat(path) })))
  return kinds.filter(({ stat }) => stat?.kind !== 'file').map(({ path }) => path)
}
