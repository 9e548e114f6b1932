/** What the controller does by the clock: old sessions, tokens and jobs go. */
import type { Op } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { dropOrphans } from '../orphans/find.ts'

/** Finished jobs that are kept (DESIGN §5), and how many may be dropped in one commit. */
const KEEP_JOBS = 20_000
const BATCH = 1_000

/** Runs of each job of the scheduler that are kept. */
export const KEEP_RUNS = 1_000

/** The oldest runs beyond those that are kept, a batch of each job. A job that keeps its snapshots by count knows them by its runs. */
function oldRuns(graph: Graph): string[] {
  return [...graph.rows('schedulerJob')].flatMap(([job]) => {
    const over = graph.countBy('schedulerJobHistory', 'schedulerJobUuid', job) - KEEP_RUNS
    if (over <= 0) return []
    const ended = [...graph.by('schedulerJobHistory', 'schedulerJobUuid', job)].filter(
      (k) => !['Waiting', 'Running'].includes(graph.get('schedulerJobHistory', k)?.['state'] as string),
    )
    const at = (k: string) => graph.get('schedulerJobHistory', k)?.['createDate'] as number
    return ended.sort((a, b) => at(a) - at(b)).slice(0, Math.min(over, BATCH))
  })
}

/** Rows that nobody needs any more; of ended jobs the oldest, one batch of them. Asked again when they are gone, it gives the next. Pure. */
export function outdated(graph: Graph, now: number, keepJobs = KEEP_JOBS): Op[] {
  const ops: Op[] = []
  const drop = (t: string, k: string) => ops.push({ o: 'del', t, k })
  for (const [key, row] of graph.rows('session')) if ((row['expiredDate'] as number) <= now) drop('session', key)
  for (const [key, row] of graph.rows('agentToken')) if ((row['expiresAt'] as number) <= now) drop('agentToken', key)
  // What an agent holds that is no longer enrolled is nobody's to adopt, and nobody can hear it.
  const gone = [...graph.rows('orphan')].filter(([, row]) => !graph.get('agent', row['agentUuid'] as string)).map(([k]) => k)
  if (gone.length > 0) ops.push(...dropOrphans(graph, gone, now))
  for (const [key] of graph.rows('reunion')) if (!graph.get('agent', key)) drop('reunion', key)
  for (const key of oldRuns(graph)) drop('schedulerJobHistory', key)
  const over = graph.countBy('job', 'state', 'done') + graph.countBy('job', 'state', 'failed') - keepJobs
  let left = Math.min(over, BATCH)
  if (left <= 0) return ops
  // Rows come in the order in which they were made: only what is dropped is looked at, and what still runs.
  for (const [uuid, job] of graph.rows('job')) {
    if (job['state'] !== 'done' && job['state'] !== 'failed') continue
    // What it answers is still to be delivered.
    if (graph.get('hook', uuid)) continue
    drop('job', uuid)
    for (const key of graph.by('callKey', 'job', uuid)) drop('callKey', key)
    if (--left === 0) break
  }
  return ops
}
