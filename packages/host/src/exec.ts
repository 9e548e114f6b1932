/**
 * The only place where this project starts a program. A command is an argv, never a shell string; its environment holds
 * PATH and the C locale and nothing else; it always ends (deadline, output bound). Secrets must not appear in an argv:
 * every process of the machine can read them there; hand them over by `input` or by a 0600 file.
 */
import { type ChildProcess, spawn as spawnChild } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { SkerryError } from '@skerry/contract'

export interface RunOptions {
  /** The whole process group is killed after this long. */
  timeoutMs: number
  /** Written to stdin, which is then closed. */
  input?: string | Uint8Array
  /** `file`: stdin is an unlinked 0600 file, for programs that open /dev/stdin by name (a pipe of node's is a socket: ENXIO). */
  inputAs?: 'pipe' | 'file'
  /** Name of the network namespace (`ip netns`) to run in. */
  netns?: string
  cwd?: string
  /** Exit codes that are an answer and no failure; default `[0]`. */
  okCodes?: readonly number[]
  /** More output than this kills the command and fails; default 16 MiB. */
  maxOutputBytes?: number
  /** Sees stdout as it comes (progress lines); it is still part of the result. */
  onStdout?: (text: string) => void
  /** The same for stderr. */
  onStderr?: (text: string) => void
  /** Kills the command when aborted. */
  signal?: AbortSignal
}

export interface RunResult {
  code: number
  stdout: string
  stderr: string
}

export interface SpawnOptions {
  /** stdout and stderr are appended here. Its folder must exist. */
  logFile: string
  netns?: string
  cwd?: string
}

/** A daemon that outlives this process: own session, no pipe to us. */
export interface Spawned {
  readonly pid: number
  /** Only while this process lives; a later process finds the daemon by its pid file. */
  readonly exited: Promise<{ code: number | null; signal: string | null }>
  /** Signals the daemon's whole group. False: it was gone already. */
  kill(signal?: 'SIGTERM' | 'SIGKILL' | 'SIGHUP'): boolean
}

/** A program that is a stream of bytes as long as it runs; it ends with this process. */
export interface Opened {
  input: Writable
  output: Readable
  /** After its output was read; the beginning of what it complained about. Never rejects. */
  ended: Promise<{ code: number | null; stderr: string }>
  kill(): void
}

export interface Exec {
  /** Runs to the end. Fails with `host-command-failed` (exit code not in okCodes, not installed) or `deadline-exceeded`. */
  run(cmd: string, argv: readonly string[], opts: RunOptions): Promise<RunResult>
  /** Starts a long-lived daemon, detached. Resolves when the program has been started, not when it is ready. */
  spawn(cmd: string, argv: readonly string[], opts: SpawnOptions): Promise<Spawned>
  /** Starts a filter. Resolves when the program has been started. */
  open(cmd: string, argv: readonly string[], opts: { netns?: string }): Promise<Opened>
}

const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const STDERR_IN_ERROR = 2048

/** The machine's own programs. `path`: where they are searched (default: the system folders). */
export function realExec(config: { path?: string } = {}): Exec {
  const env = { PATH: config.path ?? SYSTEM_PATH, LANG: 'C', LC_ALL: 'C' }
  return {
    async run(cmd, argv, opts) {
      const line = inNamespace(cmd, argv, opts.netns)
      if (opts.inputAs !== 'file') return runToEnd(line, opts, { env, stdin: 'pipe' })
      const file = await unlinkedFile(opts.input ?? '')
      try {
        return await runToEnd(line, opts, { env, stdin: file.fd })
      } finally {
        await file.close()
      }
    },
    spawn: (cmd, argv, opts) => startDetached(inNamespace(cmd, argv, opts.netns), opts, env),
    open: (cmd, argv, opts) => openFilter(inNamespace(cmd, argv, opts.netns), env),
  }
}

/** The same programs seen from inside one namespace: a "host" made of a namespace. A call's own `netns` wins. */
export function execInNetns(exec: Exec, netns: string): Exec {
  return {
    run: (cmd, argv, opts) => exec.run(cmd, argv, { ...opts, netns: opts.netns ?? netns }),
    spawn: (cmd, argv, opts) => exec.spawn(cmd, argv, { ...opts, netns: opts.netns ?? netns }),
    open: (cmd, argv, opts) => exec.open(cmd, argv, { netns: opts.netns ?? netns }),
  }
}

function inNamespace(cmd: string, argv: readonly string[], netns: string | undefined): readonly [string, ...string[]] {
  return netns === undefined ? [cmd, ...argv] : ['ip', 'netns', 'exec', netns, cmd, ...argv]
}

type Line = readonly [string, ...string[]]

/** A file without a name, standing at its beginning. */
async function unlinkedFile(content: string | Uint8Array): Promise<FileHandle> {
  const path = join(tmpdir(), `skerry-input-${randomUUID()}`)
  const writing = await open(path, 'wx', 0o600)
  try {
    await writing.writeFile(content)
    return await open(path, 'r')
  } finally {
    await writing.close()
    await rm(path, { force: true })
  }
}

interface Surroundings {
  env: Record<string, string>
  stdin: 'pipe' | number
}

async function runToEnd(line: Line, opts: RunOptions, around: Surroundings): Promise<RunResult> {
  const [cmd, ...argv] = line
  return new Promise<RunResult>((resolve, reject) => {
    // detached: a process group of its own, so that a time-out also reaches what the command started
    const child = spawnChild(cmd, argv, { env: around.env, cwd: opts.cwd, detached: true, stdio: [around.stdin, 'pipe', 'pipe'] })
    const out: Buffer[] = []
    const err: Buffer[] = []
    let stopped: SkerryError | undefined
    const stop = (reason: SkerryError) => {
      stopped ??= reason
      killGroup(child, 'SIGKILL')
    }
    const onAbort = () => stop(new SkerryError('deadline-exceeded', `${cmd} was cancelled`, { argv: line }))
    const timer = setTimeout(
      () => stop(new SkerryError('deadline-exceeded', `${cmd} did not end within ${opts.timeoutMs} ms`, { argv: line })),
      opts.timeoutMs,
    )
    if (opts.signal?.aborted) onAbort()
    opts.signal?.addEventListener('abort', onAbort, { once: true })
    const collect = bounded(opts.maxOutputBytes ?? 16 * 1024 * 1024, (limit) =>
      stop(new SkerryError('host-command-failed', `${cmd} wrote more than ${limit} bytes`, { argv: line })),
    )
    child.stdout?.on('data', collect(out))
    if (opts.onStdout) child.stdout?.on('data', (chunk: Buffer) => opts.onStdout?.(chunk.toString('utf8')))
    child.stderr?.on('data', collect(err))
    if (opts.onStderr) child.stderr?.on('data', (chunk: Buffer) => opts.onStderr?.(chunk.toString('utf8')))
    // A command may end without reading its input (EPIPE): its exit code tells the story.
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(opts.input)
    const finish = () => {
      clearTimeout(timer)
      opts.signal?.removeEventListener('abort', onAbort)
    }
    child.on('error', (cause) => {
      finish()
      reject(stopped ?? startFailure(line, cause))
    })
    child.on('close', (code, signal) => {
      finish()
      const result = {
        code: code ?? -1,
        stdout: Buffer.concat(out).toString('utf8'),
        stderr: Buffer.concat(err).toString('utf8'),
      }
      if (stopped) reject(stopped)
      else if (code !== null && (opts.okCodes ?? [0]).includes(code)) resolve(result)
      else reject(exitFailure(line, { code, signal, stderr: result.stderr }))
    })
  })
}

/** Listeners that gather chunks, until all of them together have seen more than `limit` bytes. */
function bounded(limit: number, onTooMuch: (limit: number) => void): (into: Buffer[]) => (chunk: Buffer) => void {
  let bytes = 0
  return (into) => (chunk) => {
    bytes += chunk.length
    if (bytes > limit) onTooMuch(limit)
    else into.push(chunk)
  }
}

async function startDetached(line: Line, opts: SpawnOptions, env: Record<string, string>): Promise<Spawned> {
  const [cmd, ...argv] = line
  const log = await open(opts.logFile, constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW, 0o600)
  try {
    const child = spawnChild(cmd, argv, { env, cwd: opts.cwd ?? '/', detached: true, stdio: ['ignore', log.fd, log.fd] })
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', (cause) => reject(startFailure(line, cause)))
    })
    const exited = new Promise<{ code: number | null; signal: string | null }>((resolve) =>
      child.once('exit', (code, signal) => resolve({ code, signal })),
    )
    child.unref()
    return { pid: child.pid as number, exited, kill: (signal = 'SIGTERM') => killGroup(child, signal) }
  } finally {
    await log.close()
  }
}

async function openFilter(line: Line, env: Record<string, string>): Promise<Opened> {
  const [cmd, ...argv] = line
  const child = spawnChild(cmd, argv, { env, stdio: ['pipe', 'pipe', 'pipe'] })
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr = (stderr + chunk.toString('utf8')).slice(0, STDERR_IN_ERROR)))
  // It may end without reading its input (EPIPE): its end tells the story.
  child.stdin.on('error', () => undefined)
  const ended = new Promise<{ code: number | null; stderr: string }>((resolve) =>
    child.once('close', (code) => resolve({ code, stderr: stderr.trim() })),
  )
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', (cause) => reject(startFailure(line, cause)))
  })
  return { input: child.stdin, output: child.stdout, ended, kill: () => void child.kill('SIGKILL') }
}

/** Negative pid: the group. ESRCH only says that it is gone already. */
function killGroup(child: ChildProcess, signal: NodeJS.Signals): boolean {
  if (child.pid === undefined) return false
  try {
    return process.kill(-child.pid, signal)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw cause
  }
}

function startFailure(line: Line, cause: Error): SkerryError {
  const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT'
  const message = missing ? `${line[0]} is not installed on this host` : `${line[0]} could not be started`
  return new SkerryError(
    'host-command-failed',
    message,
    { argv: line, code: (cause as NodeJS.ErrnoException).code ?? null },
    { cause },
  )
}

function exitFailure(line: Line, exit: { code: number | null; signal: string | null; stderr: string }): SkerryError {
  const how = exit.code === null ? `was killed by ${exit.signal}` : `ended with code ${exit.code}`
  const stderr = exit.stderr.slice(0, STDERR_IN_ERROR)
  const first = stderr.split('\n').find((text) => text.trim() !== '')
  return new SkerryError('host-command-failed', `${line[0]} ${how}${first ? `: ${first.trim()}` : ''}`, {
    argv: line,
    code: exit.code,
    ...(exit.signal ? { signal: exit.signal } : {}),
    stderr,
  })
}
