/**
 * Builds `skerry-guest.qcow2`, the small bootable guest that shows that a site works: kernel and busybox from Debian
 * packages, put together without root rights, mounts or loop devices. Cached by what goes into it.
 */
import { createHash, randomUUID } from 'node:crypto'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { SkerryError } from '@skerry/contract'
import type { Exec, Files, QemuImg } from '@skerry/host'
import { cpio } from './cpio.ts'
import {
  DISK_SECTORS,
  masterBootRecord,
  PARTITION_OFFSET,
  PARTITION_SECTORS,
  PARTITION_START,
  SECTOR,
  SYSLINUX_CFG,
} from './disk-layout.ts'
import { fetchPackages, findPackages, type GuestPackages } from './packages.ts'
import { CD_MODULES, guestTexts, MODULES, rootfs } from './rootfs.ts'

export interface GuestBuild {
  exec: Exec
  files: Files
  qemuImg: QemuImg
  /** Absolute; packages and images are kept below it. */
  cacheDir: string
  /** Named steps, for a progress display. */
  onStep?: (step: string) => void
}

export interface GuestImage {
  path: string
  sha256: string
  sizeBytes: number
  /** True: it was there, nothing was built. */
  cached: boolean
}

export const GUEST_FILE = 'skerry-guest.qcow2'
/** Where syslinux-common keeps its boot sector. */
const MBR_CODE = '/usr/lib/syslinux/mbr/mbr.bin'
/** Raise it when the steps below change what they make of the same inputs. */
const RECIPE = 1
const TIMEOUT_MS = 120_000

/** Some 5 s, without the download; under 2 s when cached. Two builds at once are fine: the first to finish stays. */
export async function buildGuest(build: GuestBuild): Promise<GuestImage> {
  const { files, cacheDir } = build
  const work = `${cacheDir}/build-${randomUUID()}`
  await files.makeDir(work)
  try {
    build.onStep?.('find packages')
    const packages = await findPackages(build.exec, work)
    const folder = `${cacheDir}/guest-${keyOf(packages)}`
    const done = await describe(files, `${folder}/${GUEST_FILE}`)
    if (done) return { ...done, cached: true }
    build.onStep?.('fetch packages')
    await fetchPackages(build, packages, `${cacheDir}/packages`)
    const image = await assemble(build, packages, work)
    await files.makeDir(folder)
    await files.rename(image, `${folder}/${GUEST_FILE}`)
    await removeOlder(files, cacheDir, folder)
    const made = await describe(files, `${folder}/${GUEST_FILE}`)
    if (!made) throw new SkerryError('internal', 'the guest image vanished after it was built', { folder })
    return { ...made, cached: false }
  } finally {
    await files.remove(work)
  }
}

/** Same inputs, same key: packages by hash, our texts, layout and recipe. */
function keyOf({ kernel, busybox }: GuestPackages): string {
  const inputs = [RECIPE, kernel.sha256, busybox.sha256, guestTexts(), SYSLINUX_CFG, DISK_SECTORS]
  return createHash('sha256').update(JSON.stringify(inputs)).digest('hex').slice(0, 16)
}

async function describe(files: Files, path: string): Promise<Omit<GuestImage, 'cached'> | undefined> {
  const stat = await files.stat(path)
  const sha256 = stat && (await files.sha256(path))
  return stat && sha256 ? { path, sha256, sizeBytes: stat.sizeBytes } : undefined
}

async function removeOlder(files: Files, cacheDir: string, keep: string): Promise<void> {
  for (const name of (await files.list(cacheDir)) ?? []) {
    const path = `${cacheDir}/${name}`
    if (name.startsWith('guest-') && path !== keep) await files.remove(path)
  }
}

/** Returns the path of the finished image, inside `work`. */
async function assemble(build: GuestBuild, packages: GuestPackages, work: string): Promise<string> {
  const { exec, files } = build
  build.onStep?.('unpack packages')
  for (const [part, file] of Object.entries(packages))
    await exec.run('dpkg-deb', ['-x', `${build.cacheDir}/packages/${file.fileName}`, `${work}/${part}`], {
      timeoutMs: TIMEOUT_MS,
    })
  build.onStep?.('make initramfs')
  const initramfs = cpio(
    rootfs({ busybox: await bytesOf(files, `${work}/busybox/bin/busybox`), modules: await readModules(files, `${work}/kernel`) }),
  )
  await files.write(`${work}/initrd`, await promisify(gzip)(initramfs, { level: 9 }))
  await files.write(`${work}/syslinux.cfg`, SYSLINUX_CFG)
  build.onStep?.('make boot disk')
  const disk = `${work}/disk.raw`
  await makeDisk(build, disk, { kernel: await kernelImage(files, `${work}/kernel/boot`), work })
  build.onStep?.('convert image')
  const to = `${work}/${GUEST_FILE}`
  await build.qemuImg.convert({
    from: { path: disk, format: 'raw' },
    to: { path: to, format: 'qcow2' },
    compress: true,
    timeoutMs: TIMEOUT_MS,
  })
  return to
}

async function readModules(files: Files, kernelDir: string): Promise<Map<string, Uint8Array>> {
  const releases = await files.list(`${kernelDir}/lib/modules`)
  const folder = `${kernelDir}/lib/modules/${releases?.[0]}`
  const order = ((await files.read(`${folder}/modules.order`)) ?? '').split('\n')
  const found = new Map<string, Uint8Array>()
  for (const name of [...MODULES, ...CD_MODULES]) {
    const path = order.find((line) => line.endsWith(`/${name}.ko`))
    // A later kernel may have it built in: then there is nothing to load.
    const builtin = path === undefined && ((await files.read(`${folder}/modules.builtin`)) ?? '').includes(`/${name}.ko`)
    if (path === undefined && !builtin)
      throw new SkerryError('image-unreachable', `the kernel package has no module ${name}`, { folder })
    if (path !== undefined) found.set(name, await bytesOf(files, `${folder}/${path}`))
  }
  return found
}

async function kernelImage(files: Files, boot: string): Promise<string> {
  const name = (await files.list(boot))?.find((entry) => entry.startsWith('vmlinuz-'))
  if (name === undefined) throw new SkerryError('image-unreachable', 'the kernel package holds no vmlinuz', { boot })
  return `${boot}/${name}`
}

async function makeDisk(build: GuestBuild, disk: string, parts: { kernel: string; work: string }): Promise<void> {
  const { exec, files } = build
  const run = (cmd: string, args: string[]) => exec.run(cmd, args, { timeoutMs: TIMEOUT_MS })
  const code = await files.readAt(MBR_CODE, 0, SECTOR)
  if (!code) throw new SkerryError('host-command-failed', `${MBR_CODE} is missing`, { remedy: 'apt-get install syslinux-common' })
  await files.write(disk, masterBootRecord(code))
  await build.qemuImg.resize({ path: disk, format: 'raw' }, DISK_SECTORS * SECTOR)
  // mtools reads and writes a file system inside a file: no mount, no loop device
  const partition = `${disk}@@${PARTITION_OFFSET}`
  const geometry = ['-h', '16', '-s', '63', '-H', String(PARTITION_START), '-T', String(PARTITION_SECTORS), '-c', '4']
  await run('mformat', ['-i', partition, ...geometry, '-N', '534b5259', '-v', 'SKERRY', '::'])
  await run('syslinux', ['--install', '--offset', String(PARTITION_OFFSET), disk])
  await run('mcopy', ['-i', partition, parts.kernel, '::vmlinuz'])
  await run('mcopy', ['-i', partition, `${parts.work}/initrd`, `${parts.work}/syslinux.cfg`, '::'])
}

async function bytesOf(files: Files, path: string): Promise<Uint8Array> {
  const stat = await files.stat(path)
  const bytes = stat && (await files.readAt(path, 0, stat.sizeBytes))
  if (!bytes) throw new SkerryError('image-unreachable', `${path} is not in its package`, { path })
  return bytes
}
