/**
 * Processes of this machine that we did not start in this life: daemons found again by a pid file. A pid alone names
 * nothing (it is reused); pid + start time does, so nothing is signalled without both.
 */
import { readdir, readFile } from 'node:fs/promises'
import { SkerryError } from '@skerry/contract'

export interface ProcessIdentity {
  pid: number
  /** Clock ticks after boot at which it started (field 22 of /proc/PID/stat). */
  startTicks: number
}

export interface ProcessInfo extends ProcessIdentity {
  cmdline: string[]
}

export interface Processes {
  /** Undefined: no such process, or only its zombie. */
  get(pid: number): Promise<ProcessInfo | undefined>
  list(): Promise<ProcessInfo[]>
  /** Files that it has mapped, each once: its program, libraries, addons. Undefined: it is gone, or not ours to look at. */
  mapped(pid: number): Promise<string[] | undefined>
  /** Signals exactly that process. False: it is gone (or its pid now belongs to another). */
  signal(who: ProcessIdentity, signal: 'SIGTERM' | 'SIGKILL' | 'SIGHUP'): Promise<boolean>
  /** True as soon as it is gone, false if it still lives after `timeoutMs`. */
  waitGone(who: ProcessIdentity, timeoutMs: number): Promise<boolean>
}

/** `procRoot`: where proc is mounted; `sleep` comes in so that tests own time. */
export function processes(config: { procRoot?: string; sleep?: (ms: number) => Promise<void> } = {}): Processes {
  const proc = config.procRoot ?? '/proc'
  const sleep = config.sleep ?? ((ms) => new Promise<void>((resolve) => setTimeout(resolve, ms)))
  const get = async (pid: number): Promise<ProcessInfo | undefined> => {
    if (!Number.isInteger(pid) || pid <= 0) return undefined
    const stat = await readIfThere(`${proc}/${pid}/stat`)
    const cmdline = await readIfThere(`${proc}/${pid}/cmdline`)
    if (stat === undefined || cmdline === undefined) return undefined
    const parsed = parseStat(stat)
    if (!parsed || parsed.state === 'Z' || parsed.state === 'X') return undefined
    return { pid, startTicks: parsed.startTicks, cmdline: cmdline === '' ? [] : cmdline.replace(/\0$/, '').split('\0') }
  }
  const same = async (who: ProcessIdentity) => (await get(who.pid))?.startTicks === who.startTicks
  return {
    get,
    async list() {
      const pids = (await readdir(proc)).filter((entry) => /^\d+$/.test(entry)).map(Number)
      const found = await Promise.all(pids.map(get))
      return found.filter((info) => info !== undefined)
    },
    async mapped(pid) {
      const maps = await readIfThere(`${proc}/${pid}/maps`, [...GONE, 'EACCES'])
      return maps === undefined ? undefined : parseMaps(maps)
    },
    async signal(who, signal) {
      return (await same(who)) && sendSignal(who.pid, signal)
    },
    async waitGone(who, timeoutMs) {
      for (let waited = 0; ; waited += 10) {
        if (!(await same(who))) return true
        if (waited >= timeoutMs) return false
        await sleep(10)
      }
    },
  }
}

/** State letter and start time of a /proc/PID/stat line. The program's name (field 2) may hold spaces and brackets. */
export function parseStat(stat: string): { state: string; startTicks: number } | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const state = fields[0]
  const startTicks = Number(fields[19])
  return state && Number.isFinite(startTicks) ? { state, startTicks } : undefined
}

/** proc(5): six columns, the last is a path, or a name in brackets, or nothing. */
export function parseMaps(maps: string): string[] {
  const paths = maps.split('\n').flatMap((line) => /^(?:\S+ +){5}(\/.*)$/.exec(line)?.[1] ?? [])
  return [...new Set(paths)]
}

function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw new SkerryError('host-command-failed', `cannot signal process ${pid}`, { pid, signal }, { cause })
  }
}

/** A process may end between two reads: both mean gone. */
const GONE = ['ENOENT', 'ESRCH']

async function readIfThere(path: string, absent = GONE): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    if (absent.includes((cause as NodeJS.ErrnoException).code ?? '')) return undefined
    throw cause
  }
}
