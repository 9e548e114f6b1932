/** Starts the backend process of libvirt and speaks its messages. */
import { type ChildProcess, fork } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { FfiName } from './ffi/native.ts'
import type { FromChild, ToChild } from './port.ts'

/** The backend process as source; a bundle passes the path of its own built file instead. */
export const libvirtChildPath = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './child.ts' : './child.js', import.meta.url),
)

/** Pool threads beside the lanes: the event loop, an open, and room for liveness questions. */
const SPARE_THREADS = 4

export interface ChildOptions {
  uri: string
  childPath: string
  lanes: number
  /** `auto`: the first FFI library that loads. */
  ffi: FfiName | 'auto'
  /** The whole environment of the process; UV_THREADPOOL_SIZE is added. */
  env: Record<string, string>
  /** Gets what the process writes to stderr. */
  log: (text: string) => void
}

export interface ChildHandlers {
  onMessage(message: FromChild): void
  /** Once, also when the process could not be started. */
  onExit(reason: string): void
}

export interface Child {
  readonly pid: number | undefined
  send(message: ToChild): void
  kill(): void
}

export function startChild(options: ChildOptions, handlers: ChildHandlers): Child {
  const { childPath, uri, lanes, ffi, env, log } = options
  const child: ChildProcess = fork(childPath, [uri, String(lanes), ffi], {
    execArgv: childPath.endsWith('.ts') ? ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href] : [],
    env: { ...env, UV_THREADPOOL_SIZE: String(lanes * 2 + SPARE_THREADS) },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    serialization: 'json',
  })
  let ended = false
  const end = (reason: string): void => {
    if (ended) return
    ended = true
    handlers.onExit(reason)
  }
  child.stderr?.setEncoding('utf8').on('data', log)
  child.on('message', (message) => {
    if (!ended) handlers.onMessage(message as FromChild)
  })
  child.on('error', (error) => {
    child.kill('SIGKILL')
    end(error.message)
  })
  child.on('exit', (code, signal) => end(signal ? `killed by ${signal}` : `exit code ${code}`))
  return {
    pid: child.pid,
    // A failed send means that the process is ending; `exit` follows and rejects what waits.
    send: (message) => void child.send(message, (error) => error && log(`libvirt backend: ${error.message}\n`)),
    kill: () => void child.kill('SIGKILL'),
  }
}
