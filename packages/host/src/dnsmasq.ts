/**
 * dnsmasq instances. One folder is one instance: its configuration, hosts, leases, log and pid live there, and the command
 * line names that folder's configuration, so that a later agent finds and adopts exactly the process that is ours.
 * The daemon detaches by itself and outlives the agent.
 */
import { SkerryError } from '@skerry/contract'
import { type DnsmasqConfig, type DnsmasqHost, dnsmasqFiles, renderConf, renderHosts, renderNames } from './dnsmasq-config.ts'
import { parseLeases6 } from './dnsmasq-v6.ts'
import type { Exec } from './exec.ts'
import type { Files } from './files.ts'
import type { Processes, ProcessIdentity } from './process.ts'

export interface DnsmasqLease {
  /** Epoch seconds; 0: never ends. */
  expiresAt: number
  mac: string
  ip: string
  /** What the guest or the host entry called it; null: unknown. */
  hostname: string | null
}

export interface DnsmasqInstance {
  /** Absolute; every parent must be open to `others` (x), because the daemon gives up root. */
  dir: string
  /** The namespace that it serves; absent: the host's own. */
  netns?: string
}

/** What `write` changed, hence what has to follow: `hosts` → reload, `config` → restart. */
export type DnsmasqChange = 'nothing' | 'hosts' | 'config'

export interface Dnsmasq {
  /** Brings the files to this content. Touches no process. */
  write(dir: string, config: DnsmasqConfig, hosts: readonly DnsmasqHost[]): Promise<DnsmasqChange>
  /** Starts it on the written files; one that runs already is fine. Resolves when it serves. */
  start(instance: DnsmasqInstance): Promise<void>
  /** The running process of that folder, whoever started it; undefined: none. */
  running(dir: string): Promise<ProcessIdentity | undefined>
  /** Makes it read hosts and names again. */
  reload(dir: string): Promise<void>
  /** Absent is fine. Files stay. */
  stop(dir: string): Promise<void>
  leases(dir: string): Promise<DnsmasqLease[]>
  /**
   * Forgets leases of addresses, so that another MAC can have them: dnsmasq refuses a listed address while an old lease
   * holds it. It has to be stopped for that (some 30 ms); nothing happens if none of them is leased.
   */
  forget(instance: DnsmasqInstance, addresses: readonly string[]): Promise<void>
}

export interface DnsmasqPorts {
  exec: Exec
  files: Files
  processes: Processes
}

/** The real dnsmasq. */
export function dnsmasq(ports: DnsmasqPorts): Dnsmasq {
  const running = (dir: string) => findProcess(ports, dir)
  const stop = async (dir: string) => {
    const found = await running(dir)
    if (!found) return
    await ports.processes.signal(found, 'SIGTERM')
    if (await ports.processes.waitGone(found, 3_000)) return
    await ports.processes.signal(found, 'SIGKILL')
    if (!(await ports.processes.waitGone(found, 2_000)))
      throw new SkerryError('host-command-failed', 'dnsmasq did not end after SIGKILL', { dir, pid: found.pid })
  }
  const start = async (instance: DnsmasqInstance) => {
    if (await running(instance.dir)) return
    await launch(ports, instance)
  }
  const leases = async (dir: string) => parseLeases((await ports.files.read(dnsmasqFiles(dir).leases)) ?? '')
  return {
    write: (dir, config, hosts) => writeFiles(ports.files, dir, { config, hosts }),
    start,
    running,
    stop,
    leases,
    async reload(dir) {
      const found = await running(dir)
      if (!found || !(await ports.processes.signal(found, 'SIGHUP')))
        throw new SkerryError('host-command-failed', 'dnsmasq is not running, so it cannot read its hosts again', { dir })
    },
    async forget(instance, addresses) {
      const gone = new Set(addresses)
      const text = (await ports.files.read(dnsmasqFiles(instance.dir).leases)) ?? ''
      if (![...parseLeases(text), ...parseLeases6(text)].some((lease) => gone.has(lease.ip))) return
      const wasRunning = (await running(instance.dir)) !== undefined
      // dnsmasq holds the leases in memory and rewrites the file: it must be down while we do.
      await stop(instance.dir)
      const path = dnsmasqFiles(instance.dir).leases
      const kept = ((await ports.files.read(path)) ?? '').split('\n').filter((line) => !gone.has(line.split(' ')[2] ?? ''))
      await ports.files.write(path, kept.join('\n'))
      if (wasRunning) await start(instance)
    },
  }
}

async function launch(ports: DnsmasqPorts, instance: DnsmasqInstance): Promise<void> {
  const paths = dnsmasqFiles(instance.dir)
  await requireOpenParents(ports.files, instance.dir)
  // Not ours to signal: findProcess has looked. A stale pid file would only mislead the next look.
  await ports.files.remove(paths.pid)
  await ports.exec.run('dnsmasq', [`--conf-file=${paths.conf}`], { timeoutMs: 10_000, netns: instance.netns, cwd: '/' })
  if (!(await findProcess(ports, instance.dir)))
    throw new SkerryError('host-command-failed', 'dnsmasq started but is gone again', { dir: instance.dir, log: paths.log })
}

/** After start dnsmasq is `nobody` and reads hosts at each reload: a closed parent folder would make it serve nobody, silently. */
async function requireOpenParents(files: Files, dir: string): Promise<void> {
  const parts = dir.split('/').filter(Boolean)
  for (let depth = 1; depth <= parts.length; depth++) {
    const folder = `/${parts.slice(0, depth).join('/')}`
    const stat = await files.stat(folder)
    if (stat?.kind === 'folder' && (stat.mode & 0o001) === 0)
      throw new SkerryError('host-command-failed', `dnsmasq, which gives up root, cannot enter ${folder}`, {
        folder,
        remedy: `chmod o+x ${folder}`,
      })
  }
}

async function findProcess({ files, processes }: Pick<DnsmasqPorts, 'files' | 'processes'>, dir: string) {
  const paths = dnsmasqFiles(dir)
  const pid = Number((await files.read(paths.pid))?.trim())
  if (!Number.isInteger(pid) || pid <= 0) return undefined
  const info = await processes.get(pid)
  return info?.cmdline.includes(`--conf-file=${paths.conf}`) ? { pid: info.pid, startTicks: info.startTicks } : undefined
}

/** Shared with the fake, which runs no process but keeps the same files. */
export async function writeFiles(
  files: Files,
  dir: string,
  content: { config: DnsmasqConfig; hosts: readonly DnsmasqHost[] },
): Promise<DnsmasqChange> {
  const paths = dnsmasqFiles(dir)
  const conf = renderConf(content.config, paths)
  const hosts = renderHosts(content.hosts)
  const names = renderNames(content.hosts)
  const before = await Promise.all([paths.conf, paths.hosts, paths.names].map((path) => files.read(path)))
  await files.makeDir(dir, 0o755)
  if (before[1] !== hosts) await files.write(paths.hosts, hosts)
  if (before[2] !== names) await files.write(paths.names, names)
  if (before[0] !== conf) await files.write(paths.conf, conf)
  return before[0] !== conf ? 'config' : before[1] !== hosts || before[2] !== names ? 'hosts' : 'nothing'
}

/** dnsmasq's lease file: `<expiry> <mac> <ip> <name|*> <client-id|*>` a line; other lines (DHCPv6 `duid`) are not ours. */
export function parseLeases(text: string): DnsmasqLease[] {
  return text.split('\n').flatMap((line) => {
    const [expires, mac, ip, name] = line.split(' ')
    if (!expires || !/^\d+$/.test(expires) || !mac || !ip || !/^[\d.]+$/.test(ip)) return []
    return [{ expiresAt: Number(expires), mac, ip, hostname: !name || name === '*' ? null : name }]
  })
}
