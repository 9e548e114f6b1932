/**
 * strongSwan's charon, one for each folder: its configuration, socket, log and pid live there, and its command line names that folder's
 * configuration, so that a later agent finds and adopts exactly the process that is ours. It outlives the agent. Connections and keys are
 * given to it over vici only: a key stands in no file and no command line.
 */
import { SkerryError } from '@skerry/contract'
import { type CharonTalk, talkTo } from './charon-talk.ts'
import type { Exec } from './exec.ts'
import type { Files } from './files.ts'
import type { Processes, ProcessIdentity } from './process.ts'

export interface CharonInstance {
  /** Absolute, and short: the path of a unix socket in it has at most 107 bytes. */
  dir: string
  /** The namespace that it serves; absent: the host's own. */
  netns?: string
}

export interface Charon {
  /** Starts it; one that runs already is fine. Resolves when it answers. */
  start(instance: CharonInstance): Promise<void>
  /** The running process of that folder, whoever started it; undefined: none. */
  running(dir: string): Promise<ProcessIdentity | undefined>
  /** Absent is fine. Tunnels end with it; files stay. */
  stop(dir: string): Promise<void>
  /** What the one of that folder holds, and what it is told. */
  at(dir: string): CharonTalk
}

export const charonFiles = (dir: string) => ({
  conf: `${dir}/charon.conf`,
  socket: `${dir}/charon.vici`,
  pid: `${dir}/charon.pid`,
  log: `${dir}/charon.log`,
})

export interface CharonPorts {
  exec: Exec
  files: Files
  processes: Processes
  sleep?(ms: number): Promise<void>
}

const READY_MS = 30_000
const SOCKET_PATH_MAX = 107
const PLUGINS = 'random nonce openssl hmac kdf sha1 sha2 aes des md5 gmp x509 pubkey'

/** The real charon-systemd, which needs no systemd. */
export function charon(ports: CharonPorts): Charon {
  const running = (dir: string) => findProcess(ports, dir)
  return {
    running,
    async start(instance) {
      if (!(await running(instance.dir))) await launch(ports, instance)
    },
    async stop(dir) {
      const found = await running(dir)
      if (found) await end(ports.processes, found, dir)
      await ports.files.remove(charonFiles(dir).pid)
      await ports.files.remove(charonFiles(dir).socket)
    },
    at: (dir) => talkTo(charonFiles(dir).socket),
  }
}

async function end(processes: Processes, found: ProcessIdentity, dir: string): Promise<void> {
  await processes.signal(found, 'SIGTERM')
  if (await processes.waitGone(found, 5_000)) return
  await processes.signal(found, 'SIGKILL')
  if (!(await processes.waitGone(found, 2_000)))
    throw new SkerryError('host-command-failed', 'charon did not end after SIGKILL', { dir, pid: found.pid })
}

/** The program is told its configuration by its environment; its argument, which it doesn't read, lets it be found again. */
async function launch(ports: CharonPorts, { dir, netns }: CharonInstance): Promise<void> {
  const paths = charonFiles(dir)
  if (Buffer.byteLength(paths.socket) > SOCKET_PATH_MAX)
    throw new SkerryError('host-command-failed', 'the folder of charon is too deep for a unix socket', { path: paths.socket })
  await ports.files.makeDir(dir, 0o755)
  await ports.files.remove(paths.socket)
  await ports.files.write(paths.conf, confOf(dir))
  const argv = [`STRONGSWAN_CONF=${paths.conf}`, 'charon-systemd', `--conf=${paths.conf}`]
  const started = await ports.exec.spawn('env', argv, { logFile: paths.log, ...(netns === undefined ? {} : { netns }) })
  await ports.files.write(paths.pid, `${started.pid}\n`)
  await ready(ports, { dir, pid: started.pid, exited: started.exited })
}

async function ready(
  { sleep = (ms) => new Promise<void>((resolve) => setTimeout(resolve, ms)) }: CharonPorts,
  of: { dir: string; pid: number; exited: Promise<unknown> },
): Promise<void> {
  const paths = charonFiles(of.dir)
  let gone = false
  void of.exited.then(() => (gone = true))
  for (let waited = 0; ; waited += 50) {
    try {
      await talkTo(paths.socket).look()
      return
    } catch (cause) {
      if (gone || waited >= READY_MS)
        throw new SkerryError(
          'host-command-failed',
          gone ? 'charon ended while it was starting' : 'charon has started but does not answer',
          {
            dir: of.dir,
            log: paths.log,
            remedy: 'See that charon-systemd and libcharon-extra-plugins are installed on this host.',
          },
          { cause },
        )
      await sleep(50)
    }
  }
}

/** strongswan.conf(5). charon does ESP itself, over the interface `ipsec0`: on every kernel, and in UDP, so that it passes any NAT. */
function confOf(dir: string): string {
  const paths = charonFiles(dir)
  return `charon-systemd {
  load_modular = no
  load = ${PLUGINS} kernel-libipsec kernel-netlink socket-default vici
  install_routes = yes
  process_route = no
  retransmit_timeout = 1.5
  retransmit_base = 1.5
  retransmit_tries = 4
  half_open_timeout = 20
  plugins {
    vici {
      socket = unix://${paths.socket}
    }
  }
  filelog {
    own {
      path = ${paths.log}
      time_format = %b %e %T
      append = no
      flush_line = yes
      default = 0
    }
  }
}
`
}

/** By its pid file, else among all: the note may have been lost in a crash. */
async function findProcess(
  { files, processes }: Pick<CharonPorts, 'files' | 'processes'>,
  dir: string,
): Promise<ProcessIdentity | undefined> {
  const paths = charonFiles(dir)
  const isOurs = (cmdline: readonly string[]) => cmdline.includes(`--conf=${paths.conf}`) && cmdline.includes('charon-systemd')
  const pid = Number((await files.read(paths.pid))?.trim())
  const noted = Number.isInteger(pid) && pid > 0 ? await processes.get(pid) : undefined
  const found = noted && isOurs(noted.cmdline) ? noted : (await processes.list()).find((p) => isOurs(p.cmdline))
  return found && { pid: found.pid, startTicks: found.startTicks }
}
