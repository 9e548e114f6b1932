/**
 * Records golden folders of the formats as this version writes them: once a version, never over what stands there. Tests
 * replay them from then on. Of a version that was never released a folder may be removed by hand and recorded anew.
 */
import { mkdir, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { recorders } from './golden/recorders.ts'

const root = join(import.meta.dirname, '../..')

const exists = (path: string) =>
  stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false
      throw error
    },
  )

for (const { folder, record } of recorders) {
  if (await exists(join(root, folder))) {
    console.log(`is there  ${folder}`)
    continue
  }
  const files = await record()
  for (const [name, bytes] of files) {
    const path = join(root, folder, name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, bytes)
  }
  console.log(`recorded  ${folder} (${files.size} files)`)
}
