/** Processes of a benchmark: pinned to a core, watched through /proc, ended by their own id. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync, readFileSync } from 'node:fs'

export { freePort } from '../../../packages/testkit/src/free-port.ts'

/** The server under test has a core of its own; load generator and nats-server share the other. */
export const SERVER_CORE = '0'
export const LOAD_CORE = '1'

/** Clock ticks a second of /proc/PID/stat: 100 on every Linux that Node runs on. */
const TICKS = 100
const PAGE_BYTES = 4096

export interface Usage {
  /** user + system, all threads */
  cpuMs: number
  rssBytes: number
}

export function usageOf(pid: number): Usage {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // The program's name in parentheses may hold spaces: fields are counted from behind it (proc(5)).
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { cpuMs: ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS, rssBytes: Number(fields[21]) * PAGE_BYTES }
}

export interface Pinned {
  core: string
  argv: readonly string[]
  /** stdout and stderr go there; without it stdout is discarded and stderr shown */
  log?: string
  ipc?: boolean
}

const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** `taskset -c CORE node …`; taskset execs, so the pid is node's. */
export function startPinned({ core, argv, log, ipc }: Pinned): ChildProcess {
  const out = log ? openSync(log, 'a') : 'ignore'
  return untilExit(
    spawn('taskset', ['-c', core, process.execPath, ...argv], {
      stdio: ['ignore', out, log ? out : 'inherit', ...(ipc ? (['ipc'] as const) : [])],
      env: { PATH: SYSTEM_PATH, NODE_ENV: 'production' },
    }),
  )
}

/** A benchmark that is stopped half-way leaves none of its processes. */
function untilExit(child: ChildProcess): ChildProcess {
  const kill = () => void child.kill('SIGKILL')
  process.prependOnceListener('exit', kill)
  child.once('exit', () => process.off('exit', kill))
  return child
}

export async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill(signal)
  await ended
}

/** One request by IPC, one answer. Rejects when the process ends first. */
export async function ask<T>(child: ChildProcess, message: object): Promise<T> {
  const answered = new Promise<T>((resolve, reject) => {
    const onExit = (code: number | null) => reject(new Error(`a benchmark process ended with ${code}`))
    child.once('exit', onExit)
    child.once('message', (answer) => {
      child.off('exit', onExit)
      const { error } = answer as { error?: string }
      if (error) reject(new Error(error))
      else resolve(answer as T)
    })
  })
  child.send(message)
  return answered
}

/** Polls a URL until it answers 2xx. Gives the milliseconds that took. */
export async function answering(url: string, child: ChildProcess): Promise<number> {
  const began = performance.now()
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the process behind ${url} ended with ${child.exitCode}`)
    // Refused connections are the ordinary case while it starts.
    const ok = await fetch(url).then(
      (r) => r.ok,
      () => false,
    )
    if (ok) return performance.now() - began
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
