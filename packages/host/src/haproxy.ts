/**
 * haproxy instances. One folder is one instance: configuration, lists of addresses, certificates, socket and pid live there, and the
 * command line names the folder, so that a later agent finds and adopts exactly the process that is ours. The daemon outlives the agent.
 * Servers, lists and certificates are changed in the running process (runtime API), which cuts no connection; only another
 * configuration is a reload, where the process before it serves its connections to their end.
 */
import { SkerryError } from '@skerry/contract'
import type { Exec } from './exec.ts'
import type { Files } from './files.ts'
import { type HaproxyHealth, type HaproxyServer, haproxyFiles } from './haproxy-config.ts'
import { runtimeOf } from './haproxy-runtime.ts'
import type { Processes, ProcessIdentity } from './process.ts'

export interface HaproxyInstance {
  /** Absolute. */
  dir: string
  /** The namespace that it serves; absent: the host's own. */
  netns?: string
}

export interface HaproxyServerView {
  name: string
  ip: string
  port: number
  weight: number
  /** As its checks say; null: it has none, or none has ended yet. */
  up: boolean | null
}

export interface HaproxyView {
  /** `haproxyDigest` of the configuration that it runs. */
  digest: string
  /** By listener. */
  servers: Record<string, HaproxyServerView[]>
}

/** What is changed in the running process. All fail with `host-command-failed` when it does not answer or refuses. */
export interface HaproxyRuntime {
  /** Undefined: nobody answers. */
  view(): Promise<HaproxyView | undefined>
  addServer(listener: string, server: HaproxyServer, health: HaproxyHealth | null): Promise<void>
  setWeight(listener: string, server: string, weight: number): Promise<void>
  /** With its connections. Absent is fine. */
  removeServer(listener: string, server: string): Promise<void>
  /** Addresses and networks of a list of addresses, in its order. */
  list(file: string): Promise<string[]>
  /** The whole list, at once. */
  setList(file: string, entries: readonly string[]): Promise<void>
  /** From the next connection on. */
  setCertificate(file: string, pem: string): Promise<void>
}

export interface Haproxy {
  /** Brings the file to this text, if haproxy understands it; else the one before stays. Touches no process. */
  configure(dir: string, conf: string): Promise<void>
  /** Starts it on the written files; one that runs already is fine. Resolves when it listens. */
  start(instance: HaproxyInstance): Promise<void>
  /** The running process of that folder, whoever started it; undefined: none. */
  running(dir: string): Promise<ProcessIdentity | undefined>
  /** Resolves when a process with this digest answers. Connections of the one before go on. */
  reload(dir: string, digest: string): Promise<void>
  /** With all connections. Absent is fine. Files stay. */
  stop(dir: string): Promise<void>
  at(dir: string): HaproxyRuntime
}

export interface HaproxyPorts {
  exec: Exec
  files: Files
  processes: Processes
  sleep?: (ms: number) => Promise<void>
}

const RELOAD_MS = 15_000
const STEP_MS = 20

/** The real haproxy. */
export function haproxy(ports: HaproxyPorts): Haproxy {
  const { exec, files, processes } = ports
  const sleep = ports.sleep ?? ((ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)))
  const running = (dir: string) => findProcess(ports, dir)
  const at = (dir: string) => runtimeOf(dir, sleep)
  const end = async (dir: string, who: ProcessIdentity) => {
    await processes.signal(who, 'SIGTERM')
    if (await processes.waitGone(who, 3_000)) return
    await processes.signal(who, 'SIGKILL')
    if (!(await processes.waitGone(who, 2_000)))
      throw new SkerryError('host-command-failed', 'haproxy did not end after SIGKILL', { dir, pid: who.pid })
  }
  const strays = async (dir: string) => (await processes.list()).filter(({ cmdline }) => isOf(cmdline, dir))
  return {
    at,
    running,
    async configure(dir, conf) {
      const fresh = `${dir}/${haproxyFiles.conf}.new`
      await files.write(fresh, conf, 0o600)
      await exec.run('haproxy', ['-c', '-q', '-C', dir, '-f', fresh], { timeoutMs: 20_000, cwd: '/' })
      await files.rename(fresh, `${dir}/${haproxyFiles.conf}`)
    },
    async start({ dir, netns }) {
      if (await running(dir)) return
      // what a killed master left: they would take connections with what is configured no more
      for (const stray of await strays(dir)) await end(dir, stray)
      await files.remove(`${dir}/${haproxyFiles.pid}`)
      const argv = ['-D', '-W', '-C', dir, '-f', haproxyFiles.conf, '-p', haproxyFiles.pid]
      await exec.run('haproxy', argv, { timeoutMs: 20_000, cwd: '/', ...(netns === undefined ? {} : { netns }) })
      for (let waited = 0; waited < RELOAD_MS; waited += STEP_MS) {
        if ((await running(dir)) && (await at(dir).view())) return
        await sleep(STEP_MS)
      }
      throw new SkerryError('host-command-failed', 'haproxy started but does not answer', { dir })
    },
    async reload(dir, digest) {
      const found = await running(dir)
      if (!found || !(await processes.signal(found, 'SIGHUP')))
        throw new SkerryError('host-command-failed', 'haproxy is not running, so it cannot read its configuration again', { dir })
      for (let waited = 0; waited < RELOAD_MS; waited += STEP_MS) {
        if ((await at(dir).view())?.digest === digest) return
        await sleep(STEP_MS)
      }
      throw new SkerryError('host-command-failed', 'haproxy has not taken its new configuration', { dir })
    },
    async stop(dir) {
      const found = await running(dir)
      if (found) await end(dir, found)
      for (const stray of await strays(dir)) await end(dir, stray)
    },
  }
}

const isOf = (cmdline: readonly string[], dir: string) => cmdline[0] === 'haproxy' && cmdline[cmdline.indexOf('-C') + 1] === dir

async function findProcess({ files, processes }: Pick<HaproxyPorts, 'files' | 'processes'>, dir: string) {
  const pid = Number((await files.read(`${dir}/${haproxyFiles.pid}`))?.trim())
  if (!Number.isInteger(pid) || pid <= 0) return undefined
  const info = await processes.get(pid)
  return info && isOf(info.cmdline, dir) ? { pid: info.pid, startTicks: info.startTicks } : undefined
}
