/**
 * Hours in minutes: VMs are made and removed without pause on a whole site in one process (real controller, log on a real disk,
 * real agents on machines in memory), while libvirt is called through its backend process. What grows is a leak.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Result } from './result.ts'
import type { SoakReport } from './soak-site.ts'

export interface SoakOptions {
  root: string
  dir: string
  minutes: number
  calls: number
  rate: number
  say(text: string): void
}

/** MiB an hour of the heap after a forced collection. Below it, a fit over ten minutes can't tell growth from noise. */
const HEAP_SLOPE = 12
const RSS_SLOPE = 60
/** It replaces itself beyond 256 MiB, looked at every two seconds. */
const BACKEND_MIB = 320
/** Sockets that happen to be open when it is counted. */
const DESCRIPTORS = 4
const LOG_RATIO = 3

interface Row {
  what: string
  unit: string
  value: number
  /** greatest that is right; absent: told, not judged */
  most?: number
}

function rowsOf(r: SoakReport): Row[] {
  return [
    { what: 'heap after collection, slope', unit: 'MiB/h', value: r.heapSlope, most: HEAP_SLOPE },
    { what: 'resident memory, slope', unit: 'MiB/h', value: r.rssSlope, most: RSS_SLOPE },
    { what: 'libvirt backend, greatest resident memory', unit: 'MiB', value: r.backendMiB, most: BACKEND_MIB },
    { what: 'libvirt backend, replaced because it had grown', unit: '', value: r.replaced },
    { what: 'libvirt backend, aborts', unit: '', value: r.aborts, most: 0 },
    {
      what: 'file descriptors, more than at the start',
      unit: '',
      value: r.descriptors.end - r.descriptors.start,
      most: DESCRIPTORS,
    },
    { what: 'log and snapshots beyond kept history, of live', unit: '×', value: r.logRatio, most: LOG_RATIO },
    { what: 'libvirt calls', unit: '', value: r.calls },
    { what: 'libvirt calls', unit: '1/s', value: r.callsPerSecond },
    { what: 'libvirt calls, p99', unit: 'ms', value: r.p99Ms },
    { what: 'libvirt calls that failed', unit: '', value: r.failedCalls, most: 0 },
    { what: 'VMs made and removed', unit: '', value: r.cycles },
    { what: 'failed jobs, errors and conditions left', unit: '', value: r.problems.length, most: 0 },
  ]
}

function results(r: SoakReport): { results: Result[]; voided: string[] } {
  const rows = rowsOf(r)
  const found = rows.map(({ what, unit, value, most }): Result => {
    const goal = most === undefined ? '' : `≤ ${most}`
    const met = most === undefined ? null : value <= most
    return { bench: 'soak', what, unit, skerry: { median: value, min: value, max: value }, goal, met }
  })
  const broken = found.flatMap(({ what, skerry, goal, met }) =>
    met === false ? [`soak: ${what} is ${skerry.median.toFixed(2)}, not ${goal}`] : [],
  )
  return { results: found, voided: [...broken, ...r.problems.slice(0, 10).map((text) => `soak: ${text}`)] }
}

/** The site runs in a process of its own, whose collector can be called. */
export async function benchSoak(o: SoakOptions): Promise<{ results: Result[]; voided: string[] }> {
  const program = join(o.root, 'scripts/lib/bench/soak-site.ts')
  const argv = ['--expose-gc', '--import', 'tsx', program, o.dir, String(o.minutes), String(o.calls), String(o.rate)]
  const site = spawn(process.execPath, argv, { cwd: o.root, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const end = () => site.kill('SIGTERM')
  process.once('exit', end)
  const answered = once(site, 'message') as Promise<[SoakReport]>
  const [first] = await Promise.race([answered, once(site, 'exit')])
  process.off('exit', end)
  if (typeof first !== 'object' || first === null) throw new Error(`the site of the soak ended with ${first}`)
  if (site.exitCode === null) await once(site, 'exit')
  const report = first as SoakReport
  o.say(`on ${execFileSync('uname', ['-sr']).toString().trim()}, ${report.minutes.toFixed(1)} minutes`)
  return results(report)
}
