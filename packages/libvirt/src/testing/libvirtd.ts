/**
 * A private libvirtd with its own run, state, cache and configuration folders, in a mount namespace of its own: for system
 * tests, and for `up` on a machine where no service manager runs libvirtd. The machine's own libvirt is not touched. Its
 * socket is reachable from outside the namespace through `<dir>/run/libvirt/libvirt-sock`.
 */
import { randomUUID } from 'node:crypto'
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SkerryError } from '@skerry/contract'
import { isRunning, killProcess, runTool, type Started, spawnDaemon, waitFor, whereNone } from './processes.ts'

export interface LibvirtdOptions {
  /** Absolute and short: the socket's path may have 107 characters. */
  dir: string
  hostUuid?: string
  /** Run in this network namespace (`ip netns`) instead of the caller's. */
  netns?: string
  /** The host name that libvirt and its guests see. */
  hostname?: string
  startTimeoutMs?: number
}

export interface LibvirtdHandle {
  readonly uri: string
  readonly socket: string
  pids(): { holder: number; virtlogd: number; libvirtd: number }
  /** The pids of the running qemu processes of this libvirtd, by the name of their pid file (the domain name as libvirt writes it). */
  qemuPids(): Promise<Record<string, number>>
  sigstop(): void
  sigcont(): void
  /** kill -9 of libvirtd alone. */
  kill(): Promise<void>
  /** Starts libvirtd again after `kill`, over the same folders. */
  restart(): Promise<void>
  /** Ends the daemons. Guests go on unless `destroyDomains`. Idempotent. */
  stop(options?: { destroyDomains?: boolean }): Promise<void>
}

const MAX_SOCKET_PATH = 107
const START_TIMEOUT_MS = 20_000

/** What is private, by its path inside the namespace. */
const privateFolders = {
  run: '/run',
  lib: '/var/lib/libvirt',
  cache: '/var/cache/libvirt',
  etc: '/etc/libvirt',
  log: '/var/log/libvirt',
}

const qemuConf = [
  'user = "root"',
  'group = "root"',
  'security_driver = "none"',
  'cgroup_controllers = []',
  'stdio_handler = "logd"',
  // Guests reach their disks as they are; no device nodes of its own per guest.
  'namespaces = []',
  '',
].join('\n')

const libvirtdConf = (hostUuid: string): string =>
  [`host_uuid = "${hostUuid}"`, 'unix_sock_rw_perms = "0700"', 'auth_unix_ro = "none"', 'auth_unix_rw = "none"', ''].join('\n')

async function prepare(dir: string, hostUuid: string): Promise<void> {
  for (const folder of Object.keys(privateFolders)) await mkdir(join(dir, folder), { recursive: true })
  await mkdir(join(dir, 'run/libvirt'), { recursive: true })
  await mkdir(join(dir, 'run/lock'), { recursive: true })
  await mkdir(join(dir, 'etc/qemu'), { recursive: true })
  // Network filters are the one piece of stock configuration that interface definitions refer to.
  await cp('/etc/libvirt/nwfilter', join(dir, 'etc/nwfilter'), { recursive: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
  await writeFile(join(dir, 'etc/qemu.conf'), qemuConf)
  await writeFile(join(dir, 'etc/libvirtd.conf'), libvirtdConf(hostUuid))
  await writeFile(join(dir, 'etc/virtlogd.conf'), '')
}

class PrivateLibvirtd implements LibvirtdHandle {
  readonly socket: string
  readonly uri: string
  readonly #options: LibvirtdOptions
  #holder: Started | null = null
  #virtlogd: Started | null = null
  #libvirtd: Started | null = null

  constructor(options: LibvirtdOptions) {
    this.#options = options
    this.socket = join(options.dir, 'run/libvirt/libvirt-sock')
    if (!options.dir.startsWith('/') || this.socket.length > MAX_SOCKET_PATH) {
      throw new SkerryError('invalid-argument', 'the folder of a private libvirtd must be absolute and short', {
        socket: this.socket,
      })
    }
    this.uri = `qemu+unix:///system?socket=${encodeURIComponent(this.socket)}`
  }

  async start(): Promise<void> {
    const { dir, hostname } = this.#options
    try {
      this.#holder = await this.#holdNamespaces()
      for (const [folder, target] of Object.entries(privateFolders)) {
        await mkdir(target, { recursive: true })
        await runTool(this.#inside('mount', '--bind', join(dir, folder), target))
      }
      if (hostname !== undefined) await runTool(this.#inside('hostname', hostname))
      this.#virtlogd = spawnDaemon(this.#inside('virtlogd', '-p', '/run/virtlogd.pid'), join(dir, 'log/virtlogd.out'))
      await this.restart()
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  async restart(): Promise<void> {
    const { dir, startTimeoutMs = START_TIMEOUT_MS } = this.#options
    // libvirtd leaves its socket behind when killed: that it exists again says that it listens again.
    await rm(this.socket, { force: true })
    const libvirtd = spawnDaemon(this.#inside('libvirtd', '-p', '/run/libvirtd.pid'), join(dir, 'log/libvirtd.out'))
    this.#libvirtd = libvirtd
    const answers = async (): Promise<boolean> => {
      if (!isRunning(libvirtd.pid)) throw await this.#didNotStart('it ended')
      return runTool(['virsh', '-c', this.uri, 'version']).then(
        () => true,
        () => false, // not yet: the socket is not there or not served
      )
    }
    if (!(await waitFor(answers, startTimeoutMs))) throw await this.#didNotStart(`no answer within ${startTimeoutMs} ms`)
  }

  pids(): { holder: number; virtlogd: number; libvirtd: number } {
    return { holder: this.#pid(this.#holder), virtlogd: this.#pid(this.#virtlogd), libvirtd: this.#pid(this.#libvirtd) }
  }

  async qemuPids(): Promise<Record<string, number>> {
    const folder = join(this.#options.dir, 'run/libvirt/qemu')
    const files = await readdir(folder).catch(whereNone([])) // no guest was ever started here
    const found: Record<string, number> = {}
    for (const file of files.filter((f) => f.endsWith('.pid') && f !== 'driver.pid')) {
      // a guest may end between the two looks
      const pid = Number((await readFile(join(folder, file), 'utf8').catch(whereNone(''))).trim())
      if (pid > 0 && isRunning(pid)) found[file.slice(0, -'.pid'.length)] = pid
    }
    return found
  }

  sigstop(): void {
    process.kill(this.#pid(this.#libvirtd), 'SIGSTOP')
  }

  sigcont(): void {
    process.kill(this.#pid(this.#libvirtd), 'SIGCONT')
  }

  async kill(): Promise<void> {
    await killProcess(this.#pid(this.#libvirtd), 'SIGKILL')
  }

  async stop({ destroyDomains = false }: { destroyDomains?: boolean } = {}): Promise<void> {
    // libvirtd first: it would note a dying guest and might restart nothing, but it also holds their monitors.
    for (const daemon of [this.#libvirtd, this.#virtlogd]) {
      if (!daemon || !isRunning(daemon.pid)) continue
      process.kill(daemon.pid, 'SIGCONT') // a stopped process does not see SIGTERM
      await killProcess(daemon.pid, 'SIGTERM')
    }
    if (destroyDomains) for (const pid of Object.values(await this.qemuPids())) await killProcess(pid, 'SIGTERM')
    if (this.#holder) await killProcess(this.#holder.pid, 'SIGKILL')
    this.#libvirtd = this.#virtlogd = this.#holder = null
  }

  /** A process that does nothing but keep the namespaces, so that libvirtd may die and come back into the same ones. */
  async #holdNamespaces(): Promise<Started> {
    const { dir, netns } = this.#options
    const into = netns === undefined ? [] : ['ip', 'netns', 'exec', netns]
    const argv = [...into, 'unshare', '--mount', '--uts', '--propagation', 'private', 'sleep', 'infinity']
    const holder = spawnDaemon(argv, join(dir, 'log/holder.out'))
    const own = async (): Promise<boolean> => {
      if (!isRunning(holder.pid)) throw await this.#didNotStart('the namespaces could not be made')
      // `sleep` runs only after the namespaces were made.
      return (await readFile(`/proc/${holder.pid}/comm`, 'utf8')).trim() === 'sleep'
    }
    await waitFor(own, START_TIMEOUT_MS)
    return holder
  }

  #inside(...argv: string[]): string[] {
    return ['nsenter', '--target', String(this.#pid(this.#holder)), '--mount', '--uts', '--net', ...argv]
  }

  #pid(process: Started | null): number {
    if (!process) throw new SkerryError('illegal-state', 'this libvirtd is not running', { dir: this.#options.dir })
    return process.pid
  }

  async #didNotStart(why: string): Promise<SkerryError> {
    const read = async (file: string): Promise<string> =>
      (await readFile(join(this.#options.dir, 'log', file), 'utf8').catch(() => '')).slice(-2000)
    const output = `${await read('holder.out')}${await read('libvirtd.out')}`
    return new SkerryError('host-command-failed', `libvirtd did not start: ${why}`, { dir: this.#options.dir, output })
  }
}

/** Starts virtlogd and libvirtd, and waits until libvirtd answers. Needs root; on failure nothing is left running. */
export async function startLibvirtd(options: LibvirtdOptions): Promise<LibvirtdHandle> {
  const libvirtd = new PrivateLibvirtd(options)
  await prepare(options.dir, options.hostUuid ?? randomUUID())
  await libvirtd.start()
  return libvirtd
}
