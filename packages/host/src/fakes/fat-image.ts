/** FAT images in memory: as JSON, in files of the fake disk. */
import { path as pathScalar } from '@skerry/contract'
import { type FatImage, type FatImages, fatImageSchema } from '../fat-image.ts'
import { checkInput } from '../parse-json.ts'
import type { FakeDisk } from './files.ts'
import { commandFailed } from './gate.ts'

const OWN_MODE = 0o600

/** The `FatImages` port over a fake disk. */
export function fakeFatImages(disk: FakeDisk): FatImages {
  return {
    async write(path, given) {
      checkInput('path', path, pathScalar)
      const image = checkInput('FAT image', given, fatImageSchema)
      disk.put(path, Buffer.from(JSON.stringify(image)), { mode: OWN_MODE })
    },
    async read(path) {
      const file = disk.files.get(checkInput('path', path, pathScalar))
      if (!file) return undefined
      const parsed = fatImageSchema.safeParse(jsonOf(Buffer.from(file.data).toString()))
      if (!parsed.success) throw commandFailed(`mlabel: ${path} holds no FAT file system`)
      return parsed.data as FatImage
    },
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // no image of ours: the caller says so
  }
}
