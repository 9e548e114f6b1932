/** The workspace's packages as data, for the checks. */
import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'

export interface SourceFile {
  /** Relative to the root of the repository. */
  path: string
  text: string
}

export interface WorkspacePackage {
  /** Without `@skerry/`. */
  name: string
  /** Relative to the root. */
  folder: string
  dependencies: string[]
  devDependencies: string[]
  src: SourceFile[]
  test: SourceFile[]
}

const TOP = ['controller', 'agent-kvm', 'agent-storage', 'agent-vrouter', 'test']
const SKIPPED = new Set(['node_modules', 'dist', 'cases'])

/** Whole-system suites have no `src`: their folder itself holds the tests. */
export async function readPackages(root: string): Promise<WorkspacePackage[]> {
  const folders = [...(await readdir(join(root, 'packages'))).map((name) => `packages/${name}`), ...TOP]
  return Promise.all(
    folders.map(async (folder) => {
      const manifest = JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8'))
      return {
        name: String(manifest.name).replace('@skerry/', ''),
        folder,
        dependencies: Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies }),
        devDependencies: Object.keys(manifest.devDependencies ?? {}),
        src: folder === 'test' ? [] : await sources(root, join(root, folder, 'src')),
        test: await sources(root, join(root, folder, folder === 'test' ? '' : 'test')),
      }
    }),
  )
}

/** TypeScript below a folder; none if there is no such folder. */
export async function sources(root: string, folder: string): Promise<SourceFile[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const found = await Promise.all(
    entries.map(async (entry): Promise<SourceFile[]> => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : sources(root, path)
      return /\.tsx?$/.test(entry.name) ? [{ path: relative(root, path), text: await readFile(path, 'utf8') }] : []
    }),
  )
  return found.flat()
}
