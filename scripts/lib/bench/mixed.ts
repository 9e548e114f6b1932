/**
 * A site under ordinary load: eight reads of ten, two durable creations, while all its agents beat. The limit program takes the same
 * load beside it, in turn, without agents.
 */
import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import type { Seen, Task } from './load.ts'
import { makeVms } from './make-vms.ts'
import { answering, ask, end, freePort, startPinned, usageOf } from './process.ts'
import { type Result, spread, unsteady } from './result.ts'
import { type Site, startSite } from './site.ts'

export interface MixedOptions {
  root: string
  dir: string
  hosts: number
  vms: number
  rounds: number
  seconds: number
  env: NodeJS.ProcessEnv
  say(text: string): void
}

const IN_FLIGHT = 64
const FILL_IN_FLIGHT = 256
const REQUESTS_A_SECOND = 10_000
/** Either core: the agents of the site want to run beside the load. */
const ANY_CORE = '0-1'
const ROWS_A_VM = 4

interface Side {
  port: number
  session: string
  cpuMs(): number
  vms?: Task['vms']
}

interface Measured {
  perSecond: number
  micros: number
  p50: number
  p99: number
}

export async function benchMixed(o: MixedOptions): Promise<{ results: Result[]; voided: string[] }> {
  const site = await startSite({ ...o, stateDir: join(o.dir, 'site') })
  const started: ChildProcess[] = []
  try {
    o.say(`up with ${o.hosts} hosts in ${site.upSeconds.toFixed(1)} s; making ${o.vms} VMs`)
    const { vms, seconds } = await makeVms(site, { count: o.vms, inFlight: FILL_IN_FLIGHT })
    o.say(`made in ${seconds.toFixed(0)} s`)
    const limit = await startLimit(o, started)
    const load = startPinned({ core: ANY_CORE, argv: source(o.root, 'load.ts'), ipc: true })
    started.push(load)
    return resultsOf(o, await alternate(load, o, { limit, skerry: sideOf(site, vms) }))
  } finally {
    for (const child of started) await end(child, 'SIGKILL')
    site.end()
  }
}

const source = (root: string, file: string) => ['--import', 'tsx', join(root, 'scripts/lib/bench', file)]

const sideOf = ({ port, session, cpuMs }: Site, vms: Task['vms']): Side => ({
  ...{ port, session, vms },
  cpuMs: () => cpuMs().controller,
})

async function startLimit({ root, dir, vms }: MixedOptions, started: ChildProcess[]): Promise<Side> {
  const port = await freePort()
  const given = ['--port', String(port), '--dir', join(dir, 'limit'), '--rows', String(vms * ROWS_A_VM)]
  const child = startPinned({ core: ANY_CORE, argv: [...source(root, 'ceiling.ts'), ...given] })
  started.push(child)
  await answering(`http://127.0.0.1:${port}/ready`, child)
  return { port, session: 'none', cpuMs: () => usageOf(child.pid!).cpuMs }
}

/** Each round both, each time the other one first. The first of each is not counted. */
async function alternate(load: ChildProcess, o: MixedOptions, sides: Record<'limit' | 'skerry', Side>) {
  const seen: Record<'limit' | 'skerry', Measured[]> = { limit: [], skerry: [] }
  for (let round = -1; round < o.rounds; round++)
    for (const name of round % 2 === 0 ? (['limit', 'skerry'] as const) : (['skerry', 'limit'] as const)) {
      const measured = await measure(load, sides[name], o)
      if (round >= 0) seen[name].push(measured)
    }
  return seen
}

async function measure(load: ChildProcess, { cpuMs, ...side }: Side, { vms, seconds }: MixedOptions): Promise<Measured> {
  const before = cpuMs()
  const task: Task = { operation: 'mixed', ...side, rows: vms * ROWS_A_VM, seconds, inFlight: IN_FLIGHT }
  const { count, seconds: took, p50, p99 } = await ask<Seen>(load, task)
  return { perSecond: count / took, micros: ((cpuMs() - before) * 1000) / count, p50, p99 }
}

function resultsOf({ hosts, vms }: MixedOptions, seen: Record<'limit' | 'skerry', Measured[]>) {
  const what = `8 reads to 2 creations, ${hosts} hosts, ${vms} VMs, ${IN_FLIGHT} in flight`
  const of = (field: keyof Measured) => ({
    limit: spread(seen.limit.map((one) => one[field])),
    skerry: spread(seen.skerry.map((one) => one[field])),
  })
  const rate = of('perSecond')
  const cpu = of('micros')
  const row = (unit: string, field: keyof Measured): Result => ({ bench: 'mixed', what, unit, ...of(field), goal: '', met: null })
  const results: Result[] = [
    {
      ...row('1/s', 'perSecond'),
      ratio: rate.skerry.median / rate.limit.median,
      goal: `≥ ${REQUESTS_A_SECOND}`,
      met: rate.skerry.median >= REQUESTS_A_SECOND,
    },
    { ...row('µs CPU', 'micros'), ratio: cpu.limit.median / cpu.skerry.median },
    row('p50 ms', 'p50'),
    row('p99 ms', 'p99'),
  ]
  const why = unsteady(what, cpu.limit, 'µs CPU')
  return { results, voided: why === undefined ? [] : [why] }
}
