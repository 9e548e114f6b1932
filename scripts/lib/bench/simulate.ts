/** A simulated site as `up --simulate` starts it, processes and NATS and all: how long that takes, and how many VMs a second it makes. */
import { join } from 'node:path'
import { makeVms } from './make-vms.ts'
import { type Result, spread } from './result.ts'
import { PARTS, type Part, startSite } from './site.ts'

export interface SimulateOptions {
  root: string
  dir: string
  hosts: number
  vms: number
  rounds: number
  /** of this process */
  env: NodeJS.ProcessEnv
  say(text: string): void
}

const IN_FLIGHT = 256
/** PERFORMANCE.md: what a site of so many hosts may take to stand. */
const GOALS_S: Readonly<Record<number, number>> = { 10: 5, 1000: 30 }
const VMS_A_SECOND = 1_000

interface Round {
  upSeconds: number
  vmsASecond: number
  /** CPU of each process in µs a VM */
  micros: Record<Part, number>
}

export async function benchSimulate(o: SimulateOptions): Promise<{ results: Result[]; voided: string[] }> {
  const rounds: Round[] = []
  for (let n = 0; n < o.rounds; n++) {
    const round = await roundOf(o, join(o.dir, `round-${n}`))
    rounds.push(round)
    const cpu = PARTS.map((part) => `${part} ${round.micros[part].toFixed(0)}`).join(', ')
    const text = `up in ${round.upSeconds.toFixed(1)} s, ${round.vmsASecond.toFixed(0)} VMs a second, µs CPU a VM: ${cpu}`
    o.say(`round ${n + 1} of ${o.rounds}: ${text}`)
  }
  return { results: [upResult(o, rounds), rateResult(o, rounds), ...PARTS.map((part) => cpuResult(o, part, rounds))], voided: [] }
}

async function roundOf(o: SimulateOptions, stateDir: string): Promise<Round> {
  const site = await startSite({ ...o, stateDir })
  try {
    const before = site.cpuMs()
    const { seconds } = await makeVms(site, { count: o.vms, inFlight: IN_FLIGHT })
    const after = site.cpuMs()
    const of = (part: Part) => ((after[part] - before[part]) * 1000) / o.vms
    const micros = { controller: of('controller'), simulator: of('simulator'), nats: of('nats') }
    return { upSeconds: site.upSeconds, vmsASecond: o.vms / seconds, micros }
  } finally {
    site.end()
  }
}

function upResult({ hosts }: SimulateOptions, rounds: readonly Round[]): Result {
  const skerry = spread(rounds.map(({ upSeconds }) => upSeconds))
  const most = GOALS_S[hosts]
  const goal = most === undefined ? '' : `≤ ${most} s`
  return {
    ...{ bench: 'simulate', what: `up with ${hosts} hosts, bundles built`, unit: 's', skerry, goal },
    met: most === undefined ? null : skerry.median <= most,
  }
}

const whatOf = ({ vms, hosts }: SimulateOptions) => `${vms} VMs made on ${hosts} hosts, ${IN_FLIGHT} in flight`

function rateResult(o: SimulateOptions, rounds: readonly Round[]): Result {
  const skerry = spread(rounds.map(({ vmsASecond }) => vmsASecond))
  return {
    ...{ bench: 'simulate', what: whatOf(o), unit: '1/s', skerry, goal: `≥ ${VMS_A_SECOND}` },
    met: skerry.median >= VMS_A_SECOND,
  }
}

function cpuResult(o: SimulateOptions, part: Part, rounds: readonly Round[]): Result {
  const skerry = spread(rounds.map(({ micros }) => micros[part]))
  return { bench: 'simulate', what: `${whatOf(o)}: ${part}`, unit: 'µs CPU a VM', skerry, goal: '', met: null }
}
