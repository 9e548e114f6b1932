/**
 * The kernel lab's kernel and initramfs: Debian's full kernel, fetched with apt (which checks its signature) and unpacked, never
 * installed: installing it would run hooks that build an initramfs for this machine. Cached by version.
 */
import { randomUUID } from 'node:crypto'
import { copyFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SkerryError } from '@skerry/contract'
import { type Exec, realExec } from '@skerry/host'
import { INIT, MODULES, RECIPE } from './init.ts'

export interface LabKernel {
  vmlinuz: string
  initrd: string
  /** `lib/modules` of the package: every module of Debian's kernel. */
  modules: string
}

const META = 'linux-image-amd64'
const TIMEOUT_MS = 300_000

const found = new Map<string, Promise<LabKernel>>()

/** Some 10 s and 70 MB of download the first time, under a second after. Two at once are fine: the first to finish stays. */
export function labKernel(cacheDir: string, exec: Exec = realExec()): Promise<LabKernel> {
  const known = found.get(cacheDir) ?? find(cacheDir, exec)
  found.set(cacheDir, known)
  known.catch(() => found.delete(cacheDir)) // the next one tries again
  return known
}

async function find(cacheDir: string, exec: Exec): Promise<LabKernel> {
  await mkdir(cacheDir, { recursive: true })
  const name = await packageName(exec, cacheDir)
  const folder = join(cacheDir, `${name}-${RECIPE}`)
  if (!(await exists(folder))) await make(exec, name, folder)
  return { vmlinuz: join(folder, 'vmlinuz'), initrd: join(folder, 'initrd'), modules: join(folder, 'root/lib/modules') }
}

/** The meta package depends on exactly one kernel. */
async function packageName(exec: Exec, cwd: string): Promise<string> {
  const ask = async () => {
    const { stdout } = await exec.run('apt-cache', ['depends', '--important', META], { timeoutMs: TIMEOUT_MS, cwd })
    return stdout.match(/Depends:\s+(linux-image-\S+-amd64)\s*$/m)?.[1]
  }
  const known = await ask().catch(() => undefined) // without package lists apt-cache fails
  if (known) return known
  await exec.run('apt-get', ['update', '-q'], { timeoutMs: TIMEOUT_MS })
  const found = await ask()
  if (found) return found
  throw new SkerryError('image-unreachable', `apt does not offer the package ${META}`, {
    remedy: "add Debian 12's main archive to /etc/apt/sources.list.d and run apt-get update",
  })
}

async function make(exec: Exec, name: string, folder: string): Promise<void> {
  const work = `${folder}.${randomUUID()}`
  const run = (cmd: string, argv: string[], cwd = work) => exec.run(cmd, argv, { timeoutMs: TIMEOUT_MS, cwd })
  await mkdir(work)
  try {
    await run('apt-get', ['download', '-q', name])
    const file = (await readdir(work)).find((entry) => entry.endsWith('.deb'))
    if (!file) throw new SkerryError('image-unreachable', `apt fetched no ${name}`, { work })
    await run('dpkg-deb', ['-x', file, 'root'])
    await rm(join(work, file))
    const boot = join(work, 'root/boot')
    const image = (await readdir(boot)).find((entry) => entry.startsWith('vmlinuz-'))
    const release = image?.slice('vmlinuz-'.length)
    if (!image || !release) throw new SkerryError('image-unreachable', `${name} holds no kernel`, { boot })
    await run('depmod', ['-b', join(work, 'root'), release])
    await rename(join(boot, image), join(work, 'vmlinuz'))
    await initramfs(exec, join(work, 'root/lib/modules', release), work)
    await rename(work, folder).catch(async (error: NodeJS.ErrnoException) => {
      if (!(await exists(folder))) throw error // else another one was first
    })
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** Not compressed: an emulated processor unpacks slowly, and QEMU hands over plain bytes at once. */
async function initramfs(exec: Exec, modules: string, work: string): Promise<void> {
  const tree = join(work, 'initramfs')
  const files = inOrder(await readFile(join(modules, 'modules.dep'), 'utf8'))
  const folders = ['bin', 'modules', 'proc', 'sys', 'dev', 'lower', 'upper', 'new']
  for (const folder of folders) await mkdir(join(tree, folder), { recursive: true })
  await copyFile('/bin/busybox', join(tree, 'bin/busybox'))
  const names = files.map((_, i) => `modules/${String(i).padStart(2, '0')}.ko`)
  for (const [i, path] of files.entries()) await copyFile(join(modules, path), join(tree, names[i]!))
  await writeFile(join(tree, 'init'), INIT, { mode: 0o755 })
  const list = [...folders, 'bin/busybox', 'init', ...names].join('\n')
  await exec.run('cpio', ['-o', '-H', 'newc', '--quiet', '-D', tree, '-F', join(work, 'initrd')], {
    timeoutMs: TIMEOUT_MS,
    input: `${list}\n`,
  })
  await rm(tree, { recursive: true })
}

/** Paths of MODULES and of what they need, each after what it needs. `deps`: modules.dep, one `path: needs…` a line. Pure. */
export function inOrder(deps: string, wanted: readonly string[] = MODULES): string[] {
  const needs = new Map<string, string[]>()
  const byName = new Map<string, string>()
  for (const line of deps.split('\n')) {
    const [path = '', rest = ''] = line.split(':')
    needs.set(path, rest.split(' ').filter(Boolean))
    byName.set((path.split('/').at(-1) ?? '').replace(/\.ko.*$/, '').replaceAll('-', '_'), path)
  }
  const order = new Set<string>()
  const add = (path: string): void => {
    for (const needed of needs.get(path) ?? []) add(needed)
    order.add(path)
  }
  for (const name of wanted) {
    const path = byName.get(name)
    if (path === undefined) throw new SkerryError('image-unreachable', `the kernel package has no module ${name}`)
    add(path)
  }
  return [...order]
}

const exists = (path: string) =>
  stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false
      throw error
    },
  )
