/** The longest stall of the event loop while a snapshot of a large graph is written, against the same load without one. */
import { once } from 'node:events'
import { join } from 'node:path'
import { ask, end, SERVER_CORE, startPinned } from './process.ts'
import { type Result, spread } from './result.ts'
import type { Watched } from './snapshot-run.ts'

export interface SnapshotOptions {
  root: string
  dir: string
  rows: number
  rounds: number
  say(text: string): void
}

const GOAL_MS = 10
const SETTLE_MS = 10_000

export async function benchSnapshot(o: SnapshotOptions): Promise<{ results: Result[]; voided: string[] }> {
  const program = join(o.root, 'scripts/lib/bench/snapshot-run.ts')
  const argv = [
    '--max-old-space-size=8192',
    '--import',
    'tsx',
    program,
    '--dir',
    join(o.dir, 'snapshot'),
    '--rows',
    String(o.rows),
  ]
  o.say(`filling a graph with ${o.rows} rows`)
  const filler = startPinned({ core: SERVER_CORE, argv, ipc: true })
  await once(filler, 'exit')
  const child = startPinned({ core: SERVER_CORE, argv, ipc: true })
  try {
    const [first] = await Promise.race([once(child, 'message'), once(child, 'exit')])
    if (typeof first !== 'object') throw new Error(`the process with the graph ended with ${first}`)
    // What starting has left behind is collected first.
    await ask<Watched>(child, { mode: 'none', ms: SETTLE_MS })
    const during: Watched[] = []
    const without: Watched[] = []
    for (let round = 0; round < o.rounds; round++) {
      during.push(await ask<Watched>(child, { mode: 'snapshot' }))
      without.push(await ask<Watched>(child, { mode: 'none', ms: during.at(-1)!.ms }))
      o.say(`round ${round + 1} of ${o.rounds}: ${described(during.at(-1)!)}; without a snapshot ${described(without.at(-1)!)}`)
    }
    return judged(o, during, without)
  } finally {
    await end(child, 'SIGKILL')
  }
}

const described = ({ longestMs, longestCpuMs, over10, ms, bytes, commits }: Watched) =>
  `${bytes > 0 ? `${(bytes / 1024 ** 2).toFixed(0)} MiB in ` : ''}${(ms / 1000).toFixed(1)} s, ${commits} commits, ` +
  `longest stall ${longestCpuMs.toFixed(1)} ms of CPU (${longestMs.toFixed(1)} ms by the clock), ${over10} over ${GOAL_MS} ms`

function judged(
  o: SnapshotOptions,
  during: readonly Watched[],
  without: readonly Watched[],
): { results: Result[]; voided: string[] } {
  const of = (list: readonly Watched[], field: 'longestMs' | 'longestCpuMs') => spread(list.map((w) => w[field]))
  const stall = (field: 'longestMs' | 'longestCpuMs', unit: string): Result => {
    const skerry = of(during, field)
    const what = `longest stall while ${o.rows} rows are written`
    return {
      bench: 'snapshot',
      what,
      unit,
      limit: of(without, field),
      skerry,
      goal: `≤ ${GOAL_MS} ms`,
      met: skerry.max <= GOAL_MS,
    }
  }
  const took: Result = {
    ...{ bench: 'snapshot', what: 'time it takes beside commits', unit: 's', skerry: spread(during.map((w) => w.ms / 1000)) },
    ...{ goal: '', met: null },
  }
  // The loop is held up without a snapshot too: then the clock says nothing about snapshots.
  const { median } = of(without, 'longestMs')
  const why = `the event loop stalls for ${median.toFixed(1)} ms without a snapshot: the machine is too busy, run it again`
  return { results: [stall('longestCpuMs', 'ms CPU'), stall('longestMs', 'ms'), took], voided: median > GOAL_MS ? [why] : [] }
}
