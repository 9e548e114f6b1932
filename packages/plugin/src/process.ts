/**
 * A plugin's process, and the socket to it. Whatever it does there costs the controller a bounded amount: what it says is counted
 * before it is read, what it holds is looked at from outside, and it is killed rather than asked to end.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { setPriority } from 'node:os'
import type { Duplex } from 'node:stream'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { type Answer, type Ask, answer, LINE_BYTES, LOG_LINES } from './messages.ts'

/** The program that loads a plugin: as source, or beside the bundle. */
export const pluginChildPath = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './child.ts' : './child.js', import.meta.url),
)

/** Heap of a plugin, and all that it may hold beside. */
const HEAP_MIB = 128
export const MEMORY_BYTES = 320 * 1024 ** 2
const LOOK_EVERY_MS = 200
const PAGE_BYTES = 4096
/** Of the scheduler: everything else goes first. */
const NICE = 10

export interface ProcessHandlers {
  onAnswer(message: Exclude<Answer, { log: string }>): void
  onLog(line: string): void
  /** Once: how it ended, in words. */
  onEnd(reason: string): void
}

export interface PluginProcess {
  readonly pid: number | undefined
  send(ask: Ask): void
  kill(reason: string): void
}

function start(file: string): ChildProcess {
  const tsx = pluginChildPath.endsWith('.ts')
    ? ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href]
    : []
  const argv = [`--max-old-space-size=${HEAP_MIB}`, ...tsx, pluginChildPath, file]
  // Nothing of the controller's environment: it may hold what a plugin has no business to know.
  return spawn(process.execPath, argv, { stdio: ['ignore', 'ignore', 'ignore', 'pipe'], env: {}, cwd: '/' })
}

/** Bytes that a process holds; undefined when it has ended. */
function residentBytes(pid: number): number | undefined {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * PAGE_BYTES
  } catch {
    // It has ended between two looks; `exit` says how.
    return undefined
  }
}

export function startProcess(file: string, handlers: ProcessHandlers): PluginProcess {
  const child = start(file)
  const wire = child.stdio[3] as Duplex
  let ended = false
  const end = (reason: string): void => {
    if (ended) return
    ended = true
    clearInterval(looking)
    child.kill('SIGKILL')
    wire.destroy()
    handlers.onEnd(reason)
  }
  const looking = setInterval(() => {
    const bytes = child.pid === undefined ? undefined : residentBytes(child.pid)
    if (bytes !== undefined && bytes > MEMORY_BYTES)
      end(`it held ${Math.round(bytes / 1024 ** 2)} MiB of memory, it may hold ${MEMORY_BYTES / 1024 ** 2}`)
  }, LOOK_EVERY_MS)
  looking.unref()
  if (child.pid !== undefined) setPriority(child.pid, NICE)
  child.on('error', (error) => end(`its process could not be started: ${error.message}`))
  // Its answers may still be on their way when it has ended.
  child.on('exit', (code, signal) =>
    setImmediate(() => end(signal ? `its process was ended by ${signal}` : `its process ended with code ${code}`)),
  )
  wire.on('error', () => undefined)
  wire.setEncoding('utf8').on('data', lineReader(handlers, end))
  return {
    pid: child.pid,
    send: (ask) => void (ended || wire.write(`${JSON.stringify(ask)}\n`)),
    kill: end,
  }
}

/** Reads lines as long as they are few, short and of the right form. Each answer allows as many lines of its own accord again. */
function lineReader(handlers: ProcessHandlers, end: (reason: string) => void): (chunk: string) => void {
  let rest = ''
  let spared = LOG_LINES
  const take = (line: string): boolean => {
    const parsed = answer.safeParse(jsonOf(line))
    if (!parsed.success) {
      end('it said what is no answer')
      return false
    }
    if (!('log' in parsed.data)) {
      spared = LOG_LINES
      handlers.onAnswer(parsed.data)
      return true
    }
    spared -= 1
    if (spared < 0) end(`it said more than ${LOG_LINES} lines unasked`)
    else handlers.onLog(parsed.data.log)
    return spared >= 0
  }
  return (chunk) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (!take(line)) return
    if (rest.length > LINE_BYTES) end(`an answer of it was longer than ${LINE_BYTES} characters`)
  }
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    // What is no JSON is no answer either: undefined fits no form.
    return undefined
  }
}
