/** One hash over the files that decide what a build makes. */
import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'

const SKIPPED = new Set(['node_modules', 'dist', 'test', 'cases'])

/** SHA-256, hex, over names and contents; `salt` is what else decides. */
export async function inputHash(root: string, inputs: readonly string[], salt: string): Promise<string> {
  const hash = createHash('sha256').update(salt)
  for (const input of inputs) {
    for (const file of await filesOf(join(root, input))) {
      hash.update(`\0${relative(root, file)}\0`).update(await readFile(file))
    }
  }
  return hash.digest('hex')
}

async function filesOf(path: string): Promise<string[]> {
  if (!(await stat(path)).isDirectory()) return [path]
  const entries = (await readdir(path, { withFileTypes: true })).filter(({ name }) => !SKIPPED.has(name))
  const nested = await Promise.all(
    entries.map((entry) => (entry.isDirectory() ? filesOf(join(path, entry.name)) : [join(path, entry.name)])),
  )
  return nested.flat().sort()
}
