/** Makes, grows and removes volume files. A volume appears under its name only when it is whole and on the disk. */
import { SkerryError } from '@skerry/contract'
import type { Host } from '@skerry/host'
import { readMarker } from '../pools/folder.ts'
import type { ImageCache } from './cache.ts'
import type { VolumeChange } from './plan.ts'

export interface VolumePorts {
  files: Host['files']
  qemuImg: Host['qemuImg']
  cache: ImageCache
  /** Notes that this agent made the volume, so that its loss isn't taken for "not yet made". */
  setFacts(uuid: string, facts: Record<string, unknown>): Promise<void>
}

export async function apply(ports: VolumePorts, change: VolumeChange): Promise<void> {
  const { files, qemuImg } = ports
  switch (change.op) {
    case 'make':
      return make(ports, change)
    case 'grow':
      return naming(change.path, () => qemuImg.resize({ path: change.path, format: change.format }, change.sizeBytes))
    case 'remove':
      for (const path of change.paths) await files.remove(path)
      return
  }
}

async function make(ports: VolumePorts, change: Extract<VolumeChange, { op: 'make' }>): Promise<void> {
  const { files, qemuImg, cache, setFacts } = ports
  const { uuid, poolPath, poolUuid, path, format, sizeBytes, backing } = change
  if ((await readMarker(files, poolPath))?.uuid !== poolUuid) {
    throw new SkerryError('host-command-failed', `there is no storage ${poolUuid} at ${poolPath}`, {
      volumeUuid: uuid,
      poolUuid,
      path: poolPath,
    })
  }
  if (backing) await cache.ensure(backing)
  const temp = `${path}.tmp`
  await files.remove(temp)
  try {
    const below = backing ? { backing: { path: backing.cachePath, format: backing.format } } : {}
    await naming(path, () => qemuImg.create({ path: temp, format, sizeBytes, ...below }))
    // Closing a sink puts on the disk what qemu-img wrote: an empty volume must not be shorter after a power cut.
    await (await files.sink(temp, { append: true })).close()
    await files.rename(temp, path)
  } catch (error) {
    await files.remove(temp)
    throw error
  }
  await setFacts(uuid, { madeAt: path })
}

/** qemu-img says a full disk only in its text. */
async function naming(path: string, act: () => Promise<void>): Promise<void> {
  try {
    await act()
  } catch (cause) {
    const stderr = cause instanceof SkerryError ? String(cause.details['stderr'] ?? '') : ''
    if (!/No space left on device|Disk quota exceeded/.test(stderr)) throw cause
    throw new SkerryError('disk-full', `cannot write ${path}`, { path }, { cause })
  }
}
