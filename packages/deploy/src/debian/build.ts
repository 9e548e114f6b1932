/**
 * Builds a full Debian guest: systemd, cloud-init and an ssh server on a disk that boots by itself. Without loop devices and mounts of
 * the machine: packages are installed by mmdebstrap in a mount namespace of its own, the file system is made from the folder.
 */
import { createHash, randomUUID } from 'node:crypto'
import { dirname } from 'node:path'
import { SkerryError } from '@skerry/contract'
import type { Exec, Files, QemuImg } from '@skerry/host'
import type { GuestImage } from '../guest/build.ts'
import { masterBootRecord, PARTITION_OFFSET, PARTITION_START, SECTOR } from '../guest/disk-layout.ts'
import {
  COMMANDS,
  EARLY_FILES,
  filesOf,
  GRUB_EARLY,
  GRUB_MODULES,
  GRUB_PREFIX,
  KEPT,
  LABEL,
  LEFT_OUT,
  PACKAGES,
  REMOVED,
  SUITE,
} from './contents.ts'
import { type AptSource, aptSources } from './sources.ts'

export interface DebianBuild {
  exec: Exec
  files: Files
  qemuImg: QemuImg
  /** Absolute, without spaces; the image is kept below it. Needs some 2 GB while it is built. */
  cacheDir: string
  /** Named steps, for a progress display. */
  onStep?: (step: string) => void
}

export const DEBIAN_FILE = 'skerry-debian.qcow2'
/** What a guest sees; the file takes what is in it. */
export const DISK_BYTES = 4 * 1024 ** 3
/** Raise it when the steps below change what they make of the same inputs. */
const RECIPE = 1
const INSTALL_MS = 30 * 60_000
const STEP_MS = 10 * 60_000
const BOOT_CODE_BYTES = 440
const GRUB_FOLDER = '/usr/lib/grub/i386-pc'

/** 2 to 4 minutes; under a second when it is there. It is built again when this recipe or apt's sources change. */
export async function buildDebian(build: DebianBuild): Promise<GuestImage> {
  const { files, cacheDir } = build
  build.onStep?.("look at apt's sources")
  const sources = await aptSources(build.exec, SUITE)
  const folder = `${cacheDir}/debian-${keyOf(sources)}`
  const done = await described(files, folder)
  if (done) return { ...done, cached: true }
  const work = `${cacheDir}/build-${randomUUID()}`
  try {
    await files.makeDir(work)
    const root = await install(build, sources, work)
    await furnish(build, sources, root)
    const image = await makeDisk(build, root, work)
    build.onStep?.('keep the image')
    await files.makeDir(folder)
    await files.rename(image, `${folder}/${DEBIAN_FILE}`)
    await removeOlder(files, cacheDir, folder)
  } finally {
    await files.remove(work)
  }
  const made = await described(files, folder)
  if (!made) throw new SkerryError('internal', 'the Debian image vanished after it was built', { folder })
  return { ...made, cached: false }
}

/** Same inputs, same key. */
export function keyOf(sources: readonly AptSource[]): string {
  const inputs = [
    RECIPE,
    DISK_BYTES,
    SUITE,
    PACKAGES,
    LEFT_OUT,
    KEPT,
    EARLY_FILES,
    filesOf(sources),
    REMOVED,
    COMMANDS,
    GRUB_MODULES,
  ]
  return createHash('sha256')
    .update(JSON.stringify([inputs, GRUB_EARLY, sources]))
    .digest('hex')
    .slice(0, 16)
}

async function described(files: Files, folder: string): Promise<Omit<GuestImage, 'cached'> | undefined> {
  const path = `${folder}/${DEBIAN_FILE}`
  const stat = await files.stat(path)
  const sha256 = stat && (await files.sha256(path))
  return stat && sha256 ? { path, sha256, sizeBytes: stat.sizeBytes } : undefined
}

async function removeOlder(files: Files, cacheDir: string, keep: string): Promise<void> {
  for (const name of (await files.list(cacheDir)) ?? []) {
    const path = `${cacheDir}/${name}`
    if (name.startsWith('debian-') && path !== keep) await files.remove(path)
  }
}

async function put(files: Files, root: string, texts: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries(texts)) {
    await files.makeDir(dirname(`${root}${path}`), 0o755)
    await files.write(`${root}${path}`, text, 0o644)
  }
}

/** `I: installing essential packages...` */
const NOTICE = /^I: (.+?)\.*$/gm

/** Debian's packages, installed into a folder. */
async function install(build: DebianBuild, sources: readonly AptSource[], work: string): Promise<string> {
  const { exec, files } = build
  const [root, early] = [`${work}/root`, `${work}/early`]
  await put(files, early, EARLY_FILES)
  const options = [
    ...['--mode=root', '--variant=minbase', '--format=directory', `--include=${PACKAGES.join(',')}`],
    ...LEFT_OUT.map((path) => `--dpkgopt=path-exclude=${path}`),
    ...KEPT.map((path) => `--dpkgopt=path-include=${path}`),
    `--essential-hook=sync-in ${early} /`,
  ]
  build.onStep?.('install Debian')
  // what it mounts below the folder goes with the namespace, whatever becomes of it
  const argv = ['--mount', '--propagation', 'private', 'mmdebstrap', ...options, SUITE, root, '-']
  const input = `${sources.map(({ line }) => line).join('\n')}\n`
  const onStderr = (text: string) => {
    for (const [, notice] of text.matchAll(NOTICE)) build.onStep?.(`install Debian: ${notice}`)
  }
  try {
    await exec.run('unshare', argv, { timeoutMs: INSTALL_MS, input, onStderr })
  } catch (cause) {
    throw new SkerryError('image-unreachable', 'the packages of the Debian guest could not be installed', WHAT_HELPS, { cause })
  }
  return root
}

const WHAT_HELPS = {
  remedy:
    "apt-get install mmdebstrap; does apt-get update work? The guest comes from the same places as this machine's own packages.",
}

/** Configuration, and what must not be the same in two guests. */
async function furnish(build: DebianBuild, sources: readonly AptSource[], root: string): Promise<void> {
  const { exec, files } = build
  build.onStep?.('configure')
  for (const path of REMOVED) await files.remove(`${root}${path}`)
  await put(files, root, filesOf(sources))
  for (const [cmd, ...argv] of COMMANDS) await inside(exec, root, cmd, argv)
}

const inside = (exec: Exec, root: string, cmd: string, argv: readonly string[]) =>
  exec.run('chroot', [root, cmd, ...argv], { timeoutMs: STEP_MS })

/** GRUB in the first megabyte, then one ext4 partition. Returns the path of the finished image. */
async function makeDisk(build: DebianBuild, root: string, work: string): Promise<string> {
  const { exec, files, qemuImg } = build
  build.onStep?.('make boot disk')
  const [disk, image] = [`${work}/disk.raw`, `${work}/${DEBIAN_FILE}`]
  await files.write(disk, await bootArea(build, root))
  await qemuImg.resize({ path: disk, format: 'raw' }, DISK_BYTES)
  const kib = (DISK_BYTES - PARTITION_OFFSET) / 1024
  const extended = `offset=${PARTITION_OFFSET},root_owner=0:0,lazy_itable_init=1`
  await exec.run('mke2fs', ['-q', '-F', '-t', 'ext4', '-L', LABEL, '-E', extended, '-d', root, disk, `${kib}k`], {
    timeoutMs: STEP_MS,
  })
  build.onStep?.('compress image')
  await qemuImg.convert({
    from: { path: disk, format: 'raw' },
    to: { path: image, format: 'qcow2' },
    compress: true,
    timeoutMs: STEP_MS,
  })
  return image
}

/** The boot sector and, right behind it, GRUB's core with all that it needs to read the partition. */
async function bootArea({ exec, files }: DebianBuild, root: string): Promise<Uint8Array> {
  const made = '/boot/grub/core.img'
  await files.write(`${root}/boot/grub/early.cfg`, GRUB_EARLY, 0o644)
  const argv = ['-O', 'i386-pc', '-o', made, '-p', GRUB_PREFIX, '-c', '/boot/grub/early.cfg', ...GRUB_MODULES]
  await inside(exec, root, 'grub-mkimage', argv)
  const [boot, core] = [await bytesOf(files, `${root}${GRUB_FOLDER}/boot.img`), await bytesOf(files, `${root}${made}`)]
  for (const path of [made, '/boot/grub/early.cfg']) await files.remove(`${root}${path}`)
  if (core.length > (PARTITION_START - 1) * SECTOR)
    throw new SkerryError('internal', "GRUB's core does not fit before the partition", { bytes: core.length })
  const sectors = DISK_BYTES / SECTOR - PARTITION_START
  return Buffer.concat([masterBootRecord(boot.subarray(0, BOOT_CODE_BYTES), { kind: 'linux', sectors }), core])
}

async function bytesOf(files: Files, path: string): Promise<Uint8Array> {
  const stat = await files.stat(path)
  const bytes = stat && (await files.readAt(path, 0, stat.sizeBytes))
  if (!bytes) throw new SkerryError('image-unreachable', `${path} is not in its package`, { path })
  return bytes
}
