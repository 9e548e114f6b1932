/** `scripts/build [name…]`: makes the bundles, skips those whose inputs have not changed. */
import { createHash } from 'node:crypto'
import { copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'tsup'
import { type Bundle, bundleOptions, bundles, CONSOLE_PAGE, consolePageOptions, INPUTS } from './bundles.ts'
import { inputHash } from './input-hash.ts'
import { copyNative } from './native.ts'

const root = join(import.meta.dirname, '../..')
const STAMP = '.inputs'

async function main(names: readonly string[]): Promise<void> {
  const unknown = names.filter((name) => !bundles.some((bundle) => bundle.name === name))
  if (unknown.length > 0)
    throw new Error(`no such bundle: ${unknown.join(', ')}; there are ${bundles.map((b) => b.name).join(', ')}`)
  const inputs = await inputHash(root, INPUTS, process.version)
  const wanted = bundles.filter(({ name }) => names.length === 0 || names.includes(name))
  const stale: Bundle[] = []
  for (const bundle of wanted) if ((await stampOf(bundle)) !== inputs) stale.push(bundle)
  if (stale.length === 0) return console.log('bundles are up to date')
  for (const bundle of stale) await make(bundle, inputs)
  console.log(`built ${stale.map(({ name }) => name).join(', ')}`)
}

const folderOf = ({ name }: Bundle) => join(root, 'dist', name)

async function stampOf(bundle: Bundle): Promise<string | undefined> {
  return readFile(join(folderOf(bundle), STAMP), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
}

/** Beside the old one, which stays until the new one is complete. Two builds at once are fine: one of them stays. */
async function make(bundle: Bundle, inputs: string): Promise<void> {
  const next = join(root, 'dist', `.${bundle.name}.${process.pid}`)
  try {
    await mkdir(next, { recursive: true })
    await build({ ...bundleOptions(bundle), outDir: next, config: false })
    if (bundle.consolePage) await makeConsolePage(join(next, 'console-page'))
    if (bundle.native) {
      const absent = await copyNative(join(root, bundle.native.from), bundle.native.names, next)
      if (absent.length > 0) console.log(`${bundle.name}: built without ${absent.join(', ')}, not installed on this machine`)
    }
    const manifest = { name: `skerry-${bundle.name}`, private: true, type: 'module' }
    await writeFile(join(next, 'package.json'), `${JSON.stringify(manifest)}\n`)
    await writeFile(join(next, '.content'), await contentHash(next))
    await writeFile(join(next, STAMP), inputs)
    await rm(folderOf(bundle), { recursive: true, force: true })
    await rename(next, folderOf(bundle)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error // else another build was first
    })
  } finally {
    await rm(next, { recursive: true, force: true })
  }
}

async function makeConsolePage(folder: string): Promise<void> {
  await build({ ...consolePageOptions(folder), config: false })
  await copyFile(join(root, CONSOLE_PAGE, 'index.html'), join(folder, 'index.html'))
}

/** What the bundle is, whatever it was made from: a service restarts only when this changes. Source maps don't count. */
async function contentHash(folder: string): Promise<string> {
  const hash = createHash('sha256')
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter(
    (f) => f.isFile() && !f.name.endsWith('.map'),
  )
  const paths = files.map((file) => join(file.parentPath, file.name)).sort()
  for (const path of paths) hash.update(`\0${path.slice(folder.length)}\0`).update(await readFile(path))
  return hash.digest('hex')
}

process.chdir(root)
try {
  await main(process.argv.slice(2))
} catch (error) {
  // what esbuild found it has already shown
  console.error(`the build failed: ${error instanceof Error ? error.message : String(error)}`)
  process.exit(1)
}
