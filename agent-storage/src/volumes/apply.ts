/** Makes, grows and removes volume files. A volume appears under its name only when it is whole and on the disk. */
import { fileNameOf, SkerryError } from '@skerry/contract'
import type { Host } from '@skerry/host'
import { readMarker } from '../pools/folder.ts'
import type { ImageCache } from './cache.ts'
import type { VolumeChange } from './plan.ts'

export interface VolumePorts {
  files: Host['files']
  qemuImg: Host['qemuImg']
  cache: ImageCache
  /** Notes that this agent made the volume, so that its loss isn't taken for "not yet made"; null forgets. */
  setFacts(uuid: string, facts: Record<string, unknown>): Promise<void>
}

export async function apply(ports: VolumePorts, change: VolumeChange): Promise<void> {
  const { files, qemuImg } = ports
  switch (change.op) {
    case 'make':
      return make(ports, change)
    case 'grow':
      return naming(change.path, () => qemuImg.resize({ path: change.path, format: change.format }, change.sizeBytes))
    case 'layer':
      return layer(ports, change)
    case 'drop':
      // Forgotten first, as below.
      if (change.forget) await ports.setFacts(change.uuid, { nextAt: null })
      return files.remove(change.path)
    case 'remove':
      // Forgotten first: the volume may be wanted again, made anew, and then its file is not lost.
      await ports.setFacts(change.uuid, { madeAt: null, nextAt: null })
      for (const path of change.paths) await files.remove(path)
      return
  }
}

async function make(ports: VolumePorts, change: Extract<VolumeChange, { op: 'make' }>): Promise<void> {
  const { files, qemuImg, cache, setFacts } = ports
  const { uuid, path, format, sizeBytes, backing } = change
  await needPool(files, change)
  if (backing) await cache.ensure(backing)
  const below = backing ? { backing: { path: backing.cachePath, format: backing.format } } : {}
  await appear(files, path, (temp) => qemuImg.create({ path: temp, format, sizeBytes, ...below }))
  await setFacts(uuid, { madeAt: path })
}

async function layer({ files, qemuImg, setFacts }: VolumePorts, change: Extract<VolumeChange, { op: 'layer' }>): Promise<void> {
  const { uuid, path, over, sizeBytes } = change
  await needPool(files, change)
  await appear(files, path, (temp) => qemuImg.create({ path: temp, format: 'qcow2', sizeBytes, backing: over }))
  await setFacts(uuid, { nextAt: fileNameOf(path) })
}

async function needPool(files: Host['files'], at: { uuid: string; poolPath: string; poolUuid: string }): Promise<void> {
  const { uuid, poolPath, poolUuid } = at
  if ((await readMarker(files, poolPath))?.uuid === poolUuid) return
  throw new SkerryError('host-command-failed', `there is no storage ${poolUuid} at ${poolPath}`, {
    volumeUuid: uuid,
    poolUuid,
    path: poolPath,
  })
}

/** Under its name when it is whole and on the disk. */
export async function appear(files: Host['files'], path: string, create: (temp: string) => Promise<void>): Promise<void> {
  const temp = `${path}.tmp`
  await files.remove(temp)
  try {
    await naming(path, () => create(temp))
    // Closing a sink puts on the disk what qemu-img wrote: an empty volume must not be shorter after a power cut.
    await (await files.sink(temp, { append: true })).close()
    await files.rename(temp, path)
  } catch (error) {
    await files.remove(temp)
    throw error
  }
}

/** qemu-img says a full disk, and a disk that a guest has open, only in its text. */
export async function naming(path: string, act: () => Promise<void>): Promise<void> {
  try {
    await act()
  } catch (cause) {
    const stderr = cause instanceof SkerryError ? String(cause.details['stderr'] ?? '') : ''
    if (/Failed to get .*lock/.test(stderr)) throw new SkerryError('in-use', `${path} is open in a guest`, { path }, { cause })
    if (!/No space left on device|Disk quota exceeded/.test(stderr)) throw cause
    throw new SkerryError('disk-full', `cannot write ${path}`, { path }, { cause })
  }
}
