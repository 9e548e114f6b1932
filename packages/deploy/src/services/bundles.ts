/**
 * Copies bundles from the clone to `<state>/app/<name>-<content>`, owned by root: services don't depend on the clone, and
 * nobody who may write to it becomes root through it. Another content is another folder, so a service restarts exactly when
 * its own program changed.
 */
import { SkerryError } from '@skerry/contract'
import type { Exec, Files } from '@skerry/host'
import type { Layout } from '../layout.ts'

const NAMES = ['controller', 'agent-kvm', 'agent-storage', 'agent-vrouter', 'cli', 'deploy', 'supervisor'] as const
export type BundleName = (typeof NAMES)[number]
export type Bundles = Record<BundleName, string>

export interface InstallPorts {
  exec: Exec
  files: Files
  layout: Layout
  /** The clone's `dist`. */
  dist: string
}

export async function installBundles(ports: InstallPorts): Promise<Bundles> {
  const found = await Promise.all(NAMES.map(async (name) => [name, await install(ports, name)] as const))
  return Object.fromEntries(found) as Bundles
}

async function install({ exec, files, layout, dist }: InstallPorts, name: BundleName): Promise<string> {
  const content = await files.read(`${dist}/${name}/.content`)
  if (content === undefined) {
    throw new SkerryError('internal', `the bundle ${name} is not built`, { remedy: 'run scripts/build and look at what it says' })
  }
  const target = `${layout.app}/${name}-${content.slice(0, 16)}`
  if (await files.stat(target)) return target
  const half = `${target}.new`
  await files.remove(half)
  await exec.run('cp', ['-r', '--no-preserve=ownership', `${dist}/${name}`, half], { timeoutMs: 60_000 })
  await exec.run('chown', ['-R', 'root:root', half], { timeoutMs: 60_000 })
  await files.rename(half, target)
  return target
}

/** Undefined where none is installed. */
export async function installedBundle(files: Files, layout: Layout, name: BundleName): Promise<string | undefined> {
  const names = ((await files.list(layout.app)) ?? []).filter((entry) => entry.startsWith(`${name}-`) && !entry.endsWith('.new'))
  const folders = await Promise.all(names.map(async (entry) => ({ entry, stat: await files.stat(`${layout.app}/${entry}`) })))
  const newest = folders.sort((a, b) => (b.stat?.modifiedMs ?? 0) - (a.stat?.modifiedMs ?? 0))[0]
  return newest && `${layout.app}/${newest.entry}`
}

/** Removes what no service runs from any more. */
export async function removeOldBundles(files: Files, layout: Layout, keep: Bundles): Promise<void> {
  const kept = new Set<string>(Object.values(keep))
  for (const entry of (await files.list(layout.app)) ?? []) {
    const path = `${layout.app}/${entry}`
    if (!kept.has(path)) await files.remove(path)
  }
}
