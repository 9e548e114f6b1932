/**
 * lighttpd instances that give each client the folder of its own address. One folder is one instance, as with dnsmasq: its configuration,
 * pid and content live there, and the command line names that folder's configuration. The daemon detaches by itself and outlives the agent.
 */
import { ipv4, SkerryError } from '@skerry/contract'
import { z } from 'zod'
import type { Exec } from './exec.ts'
import type { Files } from './files.ts'
import { checkInput } from './parse-json.ts'
import type { Processes, ProcessIdentity } from './process.ts'

export interface LighttpdInstance {
  /** Absolute; every parent must be open to `others` (x), because the daemon gives up root. */
  dir: string
  /** The namespace that it serves. */
  netns: string
  /** Of this namespace: it answers port 80 there, and nowhere else. */
  address: string
}

export interface Lighttpd {
  /** Writes its configuration and starts it; one that runs already is fine. Resolves when it listens. */
  start(instance: LighttpdInstance): Promise<void>
  /** The running process of that folder, whoever started it; undefined: none. */
  running(dir: string): Promise<ProcessIdentity | undefined>
  /** Absent is fine. Files stay. */
  stop(dir: string): Promise<void>
}

/** Paths of one instance. What a client at 10.0.0.5 asks for as `/a` is `<root>/10.0.0.5/a`; a folder shows its file `index`. */
export const lighttpdFiles = (dir: string) => ({
  conf: `${dir}/lighttpd.conf`,
  pid: `${dir}/lighttpd.pid`,
  root: `${dir}/www`,
})

/** Versions of the EC2 metadata service, which clients put first: all are one. */
const VERSION = '(?:latest|\\d{4}-\\d{2}-\\d{2})'

/** All that the daemon reads, which is the same whoever its clients are: it never has to be told anything. */
export function lighttpdConf({ dir, address }: Pick<LighttpdInstance, 'dir' | 'address'>): string {
  const { pid, root } = lighttpdFiles(dir)
  checkInput('address', address, ipv4)
  // a quote would end the text that it stands in
  checkInput('folder of lighttpd', dir, z.string().regex(/^\/[\w./-]+$/))
  return `server.modules = ("mod_rewrite")
server.document-root = "${root}"
server.bind = "${address}"
server.port = 80
server.pid-file = "${pid}"
server.errorlog-use-syslog = "enable"
server.username = "nobody"
server.groupname = "nogroup"
server.tag = ""
server.follow-symlink = "disable"
server.max-connections = 256
server.max-request-size = 4
server.max-keep-alive-idle = 2
server.max-read-idle = 10
index-file.names = ("index")
mimetype.assign = ("" => "text/plain; charset=utf-8")
$HTTP["remoteip"] =~ "^(.*)$" {
  url.rewrite-once = (
    "^/?(?:\\?.*)?$" => "/%1/index",
    "^/${VERSION}/?(?:\\?.*)?$" => "/%1/latest/index",
    "^/${VERSION}/meta-data/?(?:\\?.*)?$" => "/%1/latest/meta-data/index",
    "^/${VERSION}/(.*)$" => "/%1/latest/$1",
    "^/(.*)$" => "/%1/$1"
  )
}
`
}

export interface LighttpdPorts {
  exec: Exec
  files: Files
  processes: Processes
}

/** The real lighttpd. */
export function lighttpd(ports: LighttpdPorts): Lighttpd {
  const { exec, files, processes } = ports
  const running = (dir: string) => findProcess(ports, dir)
  return {
    running,
    async start(instance) {
      const { dir, netns } = instance
      if (await running(dir)) return
      const paths = lighttpdFiles(dir)
      await files.makeDir(paths.root, 0o711)
      const conf = lighttpdConf(instance)
      if ((await files.read(paths.conf)) !== conf) await files.write(paths.conf, conf)
      // not ours to signal, as `running` has seen
      await files.remove(paths.pid)
      // it returns when it listens, or with what kept it from that
      await exec.run('lighttpd', ['-f', paths.conf], { timeoutMs: 10_000, netns, cwd: '/' })
      if (!(await running(dir))) throw new SkerryError('host-command-failed', 'lighttpd started but is gone again', { dir })
    },
    async stop(dir) {
      const found = await running(dir)
      if (!found) return
      await processes.signal(found, 'SIGTERM')
      if (await processes.waitGone(found, 3_000)) return
      await processes.signal(found, 'SIGKILL')
      if (!(await processes.waitGone(found, 2_000)))
        throw new SkerryError('host-command-failed', 'lighttpd did not end after SIGKILL', { dir, pid: found.pid })
    },
  }
}

async function findProcess({ files, processes }: Omit<LighttpdPorts, 'exec'>, dir: string) {
  const paths = lighttpdFiles(dir)
  const pid = Number((await files.read(paths.pid))?.trim())
  if (!Number.isInteger(pid) || pid <= 0) return undefined
  const info = await processes.get(pid)
  return info?.cmdline.includes(paths.conf) ? { pid: info.pid, startTicks: info.startTicks } : undefined
}
