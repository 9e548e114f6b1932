/** Where plugins are: one file, or a folder of them. Beside `name.mjs` its configuration may lie, as `name.json`. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, extname, join, resolve } from 'node:path'
import { SkerryError } from '@skerry/contract'
import { type PluginProcess, type ProcessHandlers, startProcess } from './process.ts'

export interface Found {
  name: string
  config: Record<string, unknown>
  start(handlers: ProcessHandlers): PluginProcess
}

const isModule = (file: string) => ['.mjs', '.js'].includes(extname(file))

/** In the order of their names. Throws `invalid-argument` where there is nothing to load, or a configuration is no JSON object. */
export async function findPlugins(given: string): Promise<Found[]> {
  const path = resolve(given)
  const bad = (why: string, cause?: unknown) =>
    new SkerryError('invalid-argument', `--plugins: ${why}`, { path }, ...(cause ? [{ cause }] : []))
  const there = await stat(path).catch((error: unknown) => {
    throw bad(`${path} can't be read`, error)
  })
  const files = there.isDirectory()
    ? (await readdir(path))
        .filter(isModule)
        .sort()
        .map((name) => join(path, name))
    : [path]
  if (files.length === 0) throw bad(`there is no plugin (*.mjs, *.js) in ${path}`)
  return Promise.all(files.map((file) => found(file, bad)))
}

async function found(file: string, bad: (why: string, cause?: unknown) => SkerryError): Promise<Found> {
  const name = basename(file, extname(file))
  const beside = `${file.slice(0, -extname(file).length)}.json`
  let text: string
  try {
    text = await readFile(beside, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw bad(`${beside} can't be read`, error)
    text = '{}'
  }
  let config: unknown
  try {
    config = JSON.parse(text)
  } catch (error) {
    throw bad(`${beside} is no JSON`, error)
  }
  if (config === null || typeof config !== 'object' || Array.isArray(config)) throw bad(`${beside} must hold one JSON object`)
  return { name, config: config as Record<string, unknown>, start: (handlers) => startProcess(file, handlers) }
}
