/** The simulation in processes of its own: what it takes from Node (`ambient.ts`) can't be taken from who started it. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { bundle } from './bundle.ts'
import type { History } from './history.ts'
import { whenLeaving } from './leaving.ts'
import type { Planted } from './planted.ts'

/** Within so many seeds each planted bug must be found. */
export const SEEDS_A_BUG = 200

export type Found = Omit<History, 'diary'> & { diary?: string[] }

export interface Run {
  seeds: readonly number[]
  /** processes at once; default 1 */
  jobs?: number
  /** with all that happened, also where nothing is wrong */
  trace?: boolean
  /** ends with the first seed in which something is wrong */
  untilWrong?: boolean
}

/** Seeds as they come, from a bundle of the tree as it is, or with a bug in it. Throws when a process ends before its time. */
export async function* found(run: Run, bug?: Planted): AsyncGenerator<Found> {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-simulation-'))
  const clean = () => rmSync(folder, { recursive: true, force: true })
  const staying = whenLeaving(clean)
  try {
    const file = await bundle(folder, bug?.patches)
    yield* merged(shares(run).map((share) => seedsOf(file, run, share)))
  } finally {
    clean()
    staying()
  }
}

/** The seed that finds it. */
export async function findPlanted(bug: Planted, seeds = SEEDS_A_BUG): Promise<Found | undefined> {
  for await (const one of found({ seeds: seedsFrom(1, seeds), untilWrong: true }, bug)) if (one.wrong.length > 0) return one
  return undefined
}

/** So many from that one on. */
export const seedsFrom = (first: number, count: number): number[] => Array.from({ length: count }, (_, n) => first + n)

function shares({ seeds, jobs = 1 }: Run): (readonly number[])[] {
  const each = Math.ceil(seeds.length / jobs)
  return seedsFrom(0, jobs)
    .map((n) => seeds.slice(n * each, (n + 1) * each))
    .filter((share) => share.length > 0)
}

async function* seedsOf(file: string, { trace, untilWrong }: Run, seeds: readonly number[]): AsyncGenerator<Found> {
  const flags = [...(trace ? ['--trace'] : []), ...(untilWrong ? ['--until'] : [])]
  const argv = ['--enable-source-maps', file, '--seeds', JSON.stringify(seeds), ...flags]
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'] })
  const gone = whenLeaving(() => child.kill())
  const complaints: Buffer[] = []
  child.stderr.on('data', (chunk: Buffer) => complaints.push(chunk))
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  try {
    for await (const line of createInterface({ input: child.stdout })) yield JSON.parse(line) as Found
    const code = await ended
    if (code !== 0)
      throw new Error(`the simulation of seeds ${seeds[0]} to ${seeds.at(-1)} ended with ${code}: ${Buffer.concat(complaints)}`)
  } finally {
    child.kill()
    gone()
  }
}

async function* merged<T>(sources: AsyncGenerator<T>[]): AsyncGenerator<T> {
  const next = (source: AsyncGenerator<T>) => source.next().then((step) => ({ source, step }))
  const waiting = new Map(sources.map((source) => [source, next(source)]))
  while (waiting.size > 0) {
    const { source, step } = await Promise.race(waiting.values())
    if (step.done) waiting.delete(source)
    else {
      waiting.set(source, next(source))
      yield step.value
    }
  }
}
