/** Recovery after kill -9 against a bare replay of the same bytes: with the log alone, and with a snapshot. */
import { once } from 'node:events'
import { join } from 'node:path'
import { ask, end, SERVER_CORE, startPinned } from './process.ts'
import { type Result, spread, unsteady } from './result.ts'

export interface RecoverOptions {
  root: string
  dir: string
  records: number
  rounds: number
  say(text: string): void
}

export interface Replayed {
  ms: number
  cpuMs: number
  rows: number
}

const source = (root: string, file: string) => ['--import', 'tsx', join(root, 'scripts/lib/bench', file)]

/** Writes through the store, then kills the writer. */
async function written(o: RecoverOptions, dir: string, snapshot: boolean): Promise<void> {
  const writer = startPinned({
    core: SERVER_CORE,
    argv: [
      ...source(o.root, 'preload.ts'),
      '--dir',
      dir,
      '--rows',
      String(o.records),
      '--each',
      '1',
      '--hold',
      ...(snapshot ? ['--snapshot'] : []),
    ],
    ipc: true,
  })
  const [first] = await Promise.race([once(writer, 'message'), once(writer, 'exit')])
  if (typeof first !== 'object') throw new Error(`the writer ended with ${first}`)
  await end(writer, 'SIGKILL')
}

async function replayed(o: RecoverOptions, dir: string, mode: 'raw' | 'store'): Promise<Replayed> {
  const child = startPinned({ core: SERVER_CORE, argv: source(o.root, 'replay.ts'), ipc: true })
  try {
    return await ask<Replayed>(child, { dir, mode })
  } finally {
    await end(child, 'SIGKILL')
  }
}

interface Runs {
  raw: Replayed[]
  store: Replayed[]
  fromSnapshot: Replayed[]
}

async function alternated(o: RecoverOptions): Promise<Runs> {
  const [log, withSnapshot] = [join(o.dir, 'log'), join(o.dir, 'snapshot')]
  o.say(`writing ${o.records} records twice, killing the writers with -9`)
  await written(o, log, false)
  await written(o, withSnapshot, true)
  const runs: Runs = { raw: [], store: [], fromSnapshot: [] }
  for (let round = 0; round < o.rounds; round++) {
    o.say(`round ${round + 1} of ${o.rounds}`)
    runs.raw.push(await replayed(o, log, 'raw'))
    runs.store.push(await replayed(o, log, 'store'))
    runs.fromSnapshot.push(await replayed(o, withSnapshot, 'store'))
  }
  const rows = runs.raw[0]!.rows
  for (const r of [...runs.store, ...runs.fromSnapshot])
    if (r.rows !== rows) throw new Error(`recovered ${r.rows} rows of ${rows}`)
  return runs
}

export async function benchRecover(o: RecoverOptions): Promise<{ results: Result[]; voided: string[] }> {
  const runs = await alternated(o)
  const compared = (field: 'cpuMs' | 'ms', unit: string): Result[] => {
    const of = (list: Replayed[]) => spread(list.map((r) => r[field]))
    const limit = of(runs.raw)
    const sides = [
      ['the log', runs.store, 1.2],
      ['a snapshot', runs.fromSnapshot, 0.8],
    ] as const
    return sides.map(([from, list, most]) => {
      const skerry = of(list)
      const ratio = skerry.median / limit.median
      const what = `${o.records} records from ${from}`
      return { bench: 'recover', what, unit, limit, skerry, ratio, goal: `≤ ${most}×`, met: ratio <= most }
    })
  }
  const cpu = compared('cpuMs', 'ms CPU')
  const why = unsteady('raw replay', cpu[0]!.limit!, 'ms CPU')
  return { results: [...cpu, ...compared('ms', 'ms')], voided: why === undefined ? [] : [why] }
}
