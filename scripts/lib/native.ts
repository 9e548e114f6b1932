/** Copies native packages with what they need at run time into a bundle's `node_modules`: plain files, no symbolic links. */
import { cp, mkdir, readdir, readFile, realpath, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

interface Manifest {
  name: string
  version: string
  dependencies?: Record<string, string>
  /** pnpm leaves out those that could not be built, or are for another platform. */
  optionalDependencies?: Record<string, string>
}

/** Of a package with an addon, by the file that says how it is compiled: what is needed only for that. */
const COMPILING: Readonly<Record<string, ReadonlySet<string>>> = {
  'binding.gyp': new Set(['src', 'deps', 'test', 'example', 'docs', 'types', 'binding.gyp', 'appveyor.yml']),
  'cnoke.cjs': new Set(['lib', 'vendor', 'doc', 'cnoke.cjs']),
}
const SOURCES = /\.(cc|hh|inc|S|asm|def)$/

/** `from`: folder of the package whose `node_modules` hold the names. Gives the optional ones that are not installed. */
export async function copyNative(from: string, names: readonly string[], bundle: string): Promise<string[]> {
  const copied = new Map<string, string>()
  const { optionalDependencies = {} } = await manifestOf(from)
  const absent: string[] = []
  for (const name of names) {
    if (name in optionalDependencies && (await lookUp(name, from)) === undefined) absent.push(name)
    else await copyPackage({ name, from, top: bundle, into: bundle, copied })
  }
  return absent
}

interface Copying {
  name: string
  /** Real folder of the package that asks for it. */
  from: string
  /** The bundle's folder. */
  top: string
  /** Folder of the copy of the package that asks for it. */
  into: string
  /** name → version of what lies in the bundle's own `node_modules` */
  copied: Map<string, string>
}

/** Into the bundle's own `node_modules`; another version of what is there already goes below whoever asks for it. */
async function copyPackage({ name, from, top, into, copied }: Copying): Promise<void> {
  const source = await find(name, from)
  const manifest = await manifestOf(source)
  if (name !== manifest.name) await writeAlias(join(top, 'node_modules', name), name, manifest.name)
  const have = copied.get(manifest.name)
  if (have === manifest.version) return
  if (have === undefined) copied.set(manifest.name, manifest.version)
  const target = join(have === undefined ? top : into, 'node_modules', manifest.name)
  await copyFiles(source, target)
  for (const dependency of Object.keys(manifest.dependencies ?? {})) {
    await copyPackage({ name: dependency, from: source, top, into: target, copied })
  }
  for (const dependency of Object.keys(manifest.optionalDependencies ?? {})) {
    if ((await lookUp(dependency, source)) === undefined) continue
    await copyPackage({ name: dependency, from: source, top, into: target, copied })
  }
}

async function manifestOf(folder: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Manifest
}

/**
 * An alias hands on the one copy: two copies of one addon in a process would not know each other's types.
 */
async function writeAlias(folder: string, name: string, real: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'package.json'), `${JSON.stringify({ name, version: '0.0.0', main: 'index.js' })}\n`)
  await writeFile(join(folder, 'index.js'), `module.exports = require('${real}')\n`)
}

async function find(name: string, from: string): Promise<string> {
  const found = await lookUp(name, from)
  if (found === undefined) throw new Error(`${name} is not installed (looked upwards from ${from}); run pnpm install`)
  return found
}

/** As Node resolves: upwards through `node_modules`, beginning at the real folder (pnpm's links). */
async function lookUp(name: string, from: string): Promise<string | undefined> {
  for (let folder = await realpath(from); ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name)
    if (await exists(join(candidate, 'package.json'))) return realpath(candidate)
    if (folder === dirname(folder)) return undefined
  }
}

async function copyFiles(source: string, target: string): Promise<void> {
  await mkdir(target, { recursive: true })
  const entries = await readdir(source)
  const recipe = Object.keys(COMPILING).find((file) => entries.includes(file))
  const skipped = recipe === undefined ? new Set<string>() : COMPILING[recipe]!
  for (const entry of entries) {
    if (entry === 'node_modules' || skipped.has(entry)) continue
    if (entry === 'build' && recipe !== undefined) await copyAddons(join(source, 'build/Release'), join(target, 'build/Release'))
    else {
      const filter = (path: string) => recipe === undefined || !SOURCES.test(path)
      await cp(join(source, entry), join(target, entry), { recursive: true, dereference: true, filter })
    }
  }
}

async function copyAddons(source: string, target: string): Promise<void> {
  await mkdir(target, { recursive: true })
  for (const entry of await readdir(source)) {
    if (entry.endsWith('.node')) await cp(join(source, entry), join(target, entry))
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return false
      throw error
    },
  )
}
