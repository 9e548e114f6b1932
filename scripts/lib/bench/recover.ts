/** Recovery after kill -9 against a bare replay of the same bytes: with the log alone, and with a snapshot. */
import { once } from 'node:events'
import { join } from 'node:path'
import { ask, end, SERVER_CORE, startPinned } from './process.ts'
import { checkSteady, type Result, spread, Void } from './result.ts'

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

export async function benchRecover(o: RecoverOptions): Promise<{ results: Result[]; voided: string[] }> {
  const voided: string[] = []
  const results: Result[] = []
  const log = join(o.dir, 'log')
  const withSnapshot = join(o.dir, 'snapshot')
  o.say(`writing ${o.records} records twice, killing the writers with -9`)
  await written(o, log, false)
  await written(o, withSnapshot, true)
  const raw: Replayed[] = []
  const store: Replayed[] = []
  const fromSnapshot: Replayed[] = []
  for (let round = 0; round < o.rounds; round++) {
    o.say(`round ${round + 1} of ${o.rounds}`)
    raw.push(await replayed(o, log, 'raw'))
    store.push(await replayed(o, log, 'store'))
    fromSnapshot.push(await replayed(o, withSnapshot, 'store'))
  }
  for (const r of [...store, ...fromSnapshot])
    if (r.rows !== raw[0]!.rows) throw new Error(`recovered ${r.rows} rows of ${raw[0]!.rows}`)
  for (const [field, unit] of [
    ['cpuMs', 'ms CPU'],
    ['ms', 'ms'],
  ] as const) {
    const of = (list: Replayed[]) => spread(list.map((r) => r[field]))
    const limit = of(raw)
    for (const [what, list, most] of [
      ['the log', store, 1.2],
      ['a snapshot', fromSnapshot, 0.8],
    ] as const) {
      const skerry = of(list)
      const ratio = skerry.median / limit.median
      results.push({
        bench: 'recover',
        what: `${o.records} records from ${what}`,
        unit,
        limit,
        skerry,
        ratio,
        goal: `≤ ${most}×`,
        met: ratio <= most,
      })
    }
    if (field === 'cpuMs') {
      try {
        checkSteady('raw replay', limit, unit)
      } catch (error) {
        if (!(error instanceof Void)) throw error
        voided.push(error.message)
      }
    }
  }
  return { results, voided }
}
