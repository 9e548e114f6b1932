/** The two Debian packages that the guest is made of, fetched with apt (which checks their signatures) and unpacked, not installed. */
import { SkerryError } from '@skerry/contract'
import type { Exec, Files } from '@skerry/host'

/** What has to be installed on the building machine. */
export const BUILD_PACKAGES = ['mtools', 'syslinux', 'syslinux-common', 'qemu-utils'] as const

const KERNEL_META = 'linux-image-cloud-amd64'
const BUSYBOX = 'busybox-static'

export interface PackageFile {
  name: string
  /** As apt names it on disk: `busybox-static_1%3a1.35.0-4_amd64.deb` */
  fileName: string
  sha256: string
}

export interface GuestPackages {
  kernel: PackageFile
  busybox: PackageFile
}

const APT_TIMEOUT_MS = 300_000

/** Which versions apt would fetch now; nothing is fetched. `emptyDir`: apt leaves out what lies in its working folder. */
export async function findPackages(exec: Exec, emptyDir: string): Promise<GuestPackages> {
  const ask = async (): Promise<GuestPackages> => {
    const kernelName = await kernelPackage(exec)
    const { stdout } = await exec.run('apt-get', ['download', '--print-uris', kernelName, BUSYBOX], {
      timeoutMs: APT_TIMEOUT_MS,
      cwd: emptyDir,
    })
    const found = parseUris(stdout)
    return { kernel: pick(found, kernelName), busybox: pick(found, BUSYBOX) }
  }
  try {
    return await ask()
  } catch {
    // Fresh machines and containers have no package lists; a failure after the update is the true one.
    await exec.run('apt-get', ['update', '-q'], { timeoutMs: APT_TIMEOUT_MS })
    return ask()
  }
}

/** Fetches what isn't in the folder yet. */
export async function fetchPackages(ports: { exec: Exec; files: Files }, packages: GuestPackages, dir: string): Promise<void> {
  await ports.files.makeDir(dir)
  for (const wanted of [packages.kernel, packages.busybox]) {
    const path = `${dir}/${wanted.fileName}`
    if ((await ports.files.sha256(path)) === wanted.sha256) continue
    await ports.files.remove(path)
    await ports.exec.run('apt-get', ['download', '-q', wanted.name], { timeoutMs: APT_TIMEOUT_MS, cwd: dir })
    if ((await ports.files.sha256(path)) !== wanted.sha256)
      throw new SkerryError('image-checksum', `apt fetched another ${wanted.name} than it announced`, {
        path,
        expected: wanted.sha256,
      })
  }
}

/** The meta package depends on exactly one kernel, whose name holds its version. */
async function kernelPackage(exec: Exec): Promise<string> {
  const { stdout } = await exec.run('apt-cache', ['depends', '--important', KERNEL_META], { timeoutMs: APT_TIMEOUT_MS })
  const name = stdout.match(/^\s*Depends:\s+(linux-image-\S+-cloud-amd64)\s*$/m)?.[1]
  if (name === undefined) throw missing(KERNEL_META)
  return name
}

/** Lines of `apt-get download --print-uris`: `'uri' file size SHA256:hash`. */
export function parseUris(text: string): PackageFile[] {
  return text.split('\n').flatMap((line) => {
    const [, fileName, sha256] = line.match(/^'[^']+' (\S+) \d+ SHA256:([0-9a-f]{64})$/) ?? []
    return fileName && sha256 ? [{ name: fileName.split('_')[0] ?? '', fileName, sha256 }] : []
  })
}

function pick(found: readonly PackageFile[], name: string): PackageFile {
  const file = found.find((candidate) => candidate.name === name)
  if (!file) throw missing(name)
  return file
}

const missing = (name: string) =>
  new SkerryError('image-unreachable', `apt does not offer the package ${name}`, {
    remedy:
      'The guest image is built from Debian 12 (amd64) packages: add its main archive to /etc/apt/sources.list.d and run apt-get update.',
  })
