/**
 * A graph in a process of its own, whose event loop is watched while it takes a snapshot, or does not. Commits go on all the time.
 * argv: --dir FOLDER --rows N. In an empty folder it makes the graph and ends: what is measured is a process that was started with
 * it. That one says `{ready}`, then answers `{mode}` with a `Watched`.
 */
import { randomUUID } from 'node:crypto'
import { parseArgs } from 'node:util'
import { tables } from '../../../controller/src/engine/tables.ts'
import { collectGarbage, openStore, realDisk } from '../../../controller/src/store/index.ts'
import { fill, firstRows } from './fill.ts'

export interface Watched {
  /** the longest time between two turns of the event loop */
  longestMs: number
  /** of the loop's own work in one turn, at most: neither longer than the turn nor than what all threads did. What other programs take from the processor is no stall of ours */
  longestCpuMs: number
  /** turns that took longer than 10 ms of it */
  over10: number
  ms: number
  commits: number
  bytes: number
}

const COMMIT_EVERY_MS = 2
const STALL_MS = 10
const ROWS_A_COMMIT = 500
const CHANGING = 1_000

const { values } = parseArgs({ options: { dir: { type: 'string' }, rows: { type: 'string' } } })
const store = await openStore({
  dir: values.dir ?? '',
  disk: realDisk,
  tables,
  clock: Date.now,
  newId: () => randomUUID().replaceAll('-', ''),
  limits: { autoSnapshot: false, reserveBytes: 0 },
})
const rows = Number(values.rows)
if (store.graph.seq === 0) {
  await fill(store, { rows, each: ROWS_A_COMMIT })
  await store.close()
  process.exit()
}
collectGarbage()
/** Writes some of the rows again. */
const changing = [...firstRows(rows, CHANGING)]

/** Time that all threads have run on a processor. Node 20 can't tell that of one thread. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

async function watched(act: () => Promise<number>): Promise<Watched> {
  let [longestMs, longestCpuMs, over10, commits] = [0, 0, 0, 0]
  const timer = setInterval(() => {
    const op = changing[commits++ % changing.length]!
    store.commit({ ops: [op] }, { actor: 'system' }).catch((error) => process.send?.({ error: String(error) }))
  }, COMMIT_EVERY_MS)
  let watching = true
  const began = performance.now()
  let [before, cpuBefore] = [began, cpuMs()]
  const turn = () => {
    const [now, cpu] = [performance.now(), cpuMs()]
    longestMs = Math.max(longestMs, now - before)
    const own = Math.min(now - before, cpu - cpuBefore)
    longestCpuMs = Math.max(longestCpuMs, own)
    if (own > STALL_MS) over10++
    ;[before, cpuBefore] = [now, cpu]
    if (watching) setImmediate(turn)
  }
  setImmediate(turn)
  const bytes = await act()
  watching = false
  clearInterval(timer)
  return { longestMs, longestCpuMs, over10, ms: performance.now() - began, commits, bytes }
}

process.on('message', async ({ mode, ms }: { mode: 'snapshot' | 'none'; ms?: number }) => {
  const act =
    mode === 'snapshot'
      ? () => store.snapshot().then(({ bytes }) => bytes)
      : () => new Promise<number>((done) => setTimeout(done, ms, 0))
  try {
    process.send?.(await watched(act))
  } catch (error) {
    process.send?.({ error: String(error) })
  }
})
process.send?.({ ready: true })
