/** Daemons started and ended by pid. */
import { execFile, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { SkerryError } from '@skerry/contract'

export interface Started {
  readonly pid: number
}

const POLL_MS = 50
const TERM_PATIENCE_MS = 5_000
const TOOL_TIMEOUT_MS = 20_000

/** Runs argv to its end; fails with its stderr. */
export function runTool(argv: readonly string[]): Promise<string> {
  const [file, ...args] = argv
  return new Promise((resolve, reject) => {
    execFile(file!, args, { timeout: TOOL_TIMEOUT_MS, killSignal: 'SIGKILL' }, (cause, stdout, stderr) => {
      if (!cause) return resolve(stdout)
      reject(new SkerryError('host-command-failed', `${file} failed`, { argv, stderr: stderr.slice(-2000) }, { cause }))
    })
  })
}

/** Starts argv in a session of its own; it outlives this process. Its output goes to the file. */
export function spawnDaemon(argv: readonly string[], outputFile: string): Started {
  const [file, ...args] = argv
  const output = openSync(outputFile, 'a')
  try {
    const child = spawn(file!, args, { detached: true, stdio: ['ignore', output, output] })
    child.unref()
    if (child.pid === undefined) throw new SkerryError('host-command-failed', `${file} could not be started`, { argv })
    return { pid: child.pid }
  } finally {
    closeSync(output)
  }
}

/** For `catch`: this value where a file or folder isn't there. */
export const whereNone =
  <T>(value: T) =>
  (error: NodeJS.ErrnoException): T => {
    if (error.code === 'ENOENT') return value
    throw error
  }

/** False for a zombie too: it has ended, its parent merely did not ask yet. */
export function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat[stat.lastIndexOf(')') + 2] !== 'Z'
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || (error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}

/** Polls until true; false when the time is over. */
export async function waitFor(holds: () => Promise<boolean> | boolean, timeoutMs: number): Promise<boolean> {
  for (let waited = 0; waited < timeoutMs; waited += POLL_MS) {
    if (await holds()) return true
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  return false
}

/** Signals the process and waits until it is gone; after some seconds with SIGKILL. */
export async function killProcess(pid: number, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (!isRunning(pid)) return
  process.kill(pid, signal)
  if (await waitFor(() => !isRunning(pid), TERM_PATIENCE_MS)) return
  process.kill(pid, 'SIGKILL')
  await waitFor(() => !isRunning(pid), TERM_PATIENCE_MS)
}
