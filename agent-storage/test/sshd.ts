/**
 * A stock sshd on a free port of the loopback, with keys and a password of its own. Needs root and a mount namespace of its own: the
 * password stands in a copy of /etc/shadow that only this namespace sees.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { realHost } from '@skerry/host'
import { freePort } from '@skerry/testkit'

const { exec } = realHost()
const SFTP_SERVER = '/usr/lib/openssh/sftp-server'
const run = (program: string, argv: string[]) => exec.run(program, argv, { timeoutMs: 20_000 })

export interface Sshd {
  port: number
  dir: string
  password: string
  /** Ends every session; the server stays. */
  hangUp(): Promise<void>
  /** Another host key, as after an installation. */
  rekey(): Promise<void>
  /** Ends the server and its sessions; `start` begins it again on the same port. */
  halt(): Promise<void>
  start(): Promise<void>
  stop(): Promise<void>
}

export async function startSshd(): Promise<Sshd> {
  const dir = await mkdtemp(join(tmpdir(), 'skerry-sshd-'))
  const password = `password-${process.pid}-of-this-test`
  const port = await freePort()
  const shadow = await hidden(dir, password)
  await mkdir('/run/sshd', { recursive: true })
  const key = async () => {
    await rm(join(dir, 'key'), { force: true })
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, 'key')])
  }
  await key()
  const config = {
    Port: port,
    ListenAddress: '127.0.0.1',
    HostKey: join(dir, 'key'),
    PidFile: 'none',
    UsePAM: 'no',
    StrictModes: 'no',
  }
  const login = { PermitRootLogin: 'yes', PasswordAuthentication: 'yes', MaxStartups: '100', Subsystem: `sftp ${SFTP_SERVER}` }
  const lines = Object.entries({ ...config, ...login }).map(([name, value]) => `${name} ${value}\n`)
  await writeFile(join(dir, 'config'), lines.join(''))
  let child: ChildProcess | undefined
  const start = async () => {
    child = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', join(dir, 'config')], { stdio: 'ignore' })
    await listening(port)
  }
  const hangUp = async () => {
    for (const pid of await descendants(child!.pid!)) kill(pid)
  }
  const halt = async () => {
    if (child?.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    const sessions = await descendants(child.pid!)
    child.kill('SIGTERM')
    for (const pid of sessions) kill(pid)
    await ended
  }
  await start()
  return {
    ...{ port, dir, password, hangUp, halt, start },
    async rekey() {
      await halt()
      await key()
      await start()
    },
    async stop() {
      await halt()
      await run('umount', [shadow])
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** Root's password, seen in this mount namespace only. */
async function hidden(dir: string, password: string): Promise<string> {
  const { stdout } = await run('openssl', ['passwd', '-6', password])
  const lines = (await readFile('/etc/shadow', 'utf8')).split('\n').map((line) => {
    const [name, , ...rest] = line.split(':')
    return name === 'root' ? [name, stdout.trim(), ...rest].join(':') : line
  })
  const path = join(dir, 'shadow')
  await writeFile(path, lines.join('\n'), { mode: 0o600 })
  await chmod(path, 0o600)
  await run('mount', ['--bind', path, '/etc/shadow'])
  return '/etc/shadow'
}

/** Processes below it: sshd forks two for each session, and sftp-server below them. */
async function descendants(root: number): Promise<number[]> {
  const { stdout } = await run('ps', ['-e', '-o', 'pid=,ppid='])
  const pairs = stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number) as [number, number])
  const found: number[] = []
  for (let at = [root]; at.length > 0; ) {
    at = pairs.filter(([, parent]) => at.includes(parent)).map(([pid]) => pid)
    found.push(...at)
  }
  return found
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error // it ended meanwhile
  }
}

async function listening(port: number): Promise<void> {
  const until = Date.now() + 20_000
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    const there = await Promise.race([once(socket, 'connect').then(() => true), once(socket, 'error').then(() => false)]).catch(
      () => false,
    )
    socket.destroy()
    if (there) return
    if (Date.now() > until) throw new Error(`sshd does not listen on ${port}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
