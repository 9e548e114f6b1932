/**
 * Rows of long jobs follow the jobs that they wrap, as documents follow the graph: right behind the commit that moved the job,
 * and once more at start, so the two never tell different things. Pure.
 */
import type { LongJobState, Op, Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { viewOf } from './job-view.ts'
import type { JobView } from './port.ts'

/** `answer`: what a poll of an ended job would answer. */
export type Follow = (graph: Graph, ops: readonly Op[] | 'everything') => Op[]

const final = new Set<unknown>(['Succeeded', 'Failed', 'Canceled'])

function stateOf(was: LongJobState, job: Readonly<Row>): LongJobState {
  const canceling = was === 'Canceling'
  switch (job['state']) {
    case 'done':
      return 'Succeeded'
    case 'failed':
      return canceling ? 'Canceled' : 'Failed'
    case 'stuck':
      return canceling ? 'Canceling' : 'Suspended'
    default:
      return canceling ? 'Canceling' : 'Running'
  }
}

export function followLongJobs(answer: (job: JobView) => Row | undefined): Follow {
  const follow = (graph: Graph, key: string): Op | undefined => {
    const row = graph.get('longJob', key)
    const job = row && graph.get('job', row['jobUuid'] as string)
    if (!row || !job || final.has(row['state'])) return undefined
    const state = stateOf(row['state'] as LongJobState, job)
    if (state === row['state']) return undefined
    const v: Row = { state, lastOpDate: job['finishedAt'] ?? job['lastOpDate'] }
    if (final.has(state)) {
      const shown = { durableSeq: Number.POSITIVE_INFINITY, shown: undefined, tidying: false, volatile: undefined }
      v['jobResult'] = JSON.stringify(answer(viewOf(graph, job['uuid'] as string, shown)!) ?? {})
      v['executeTime'] = Math.max(0, Math.round(((job['finishedAt'] as number) - (row['startDate'] as number)) / 1000))
    }
    return { o: 'set', t: 'longJob', k: key, v }
  }
  return (graph, ops) => {
    const keys =
      ops === 'everything'
        ? [...graph.rows('longJob')].map(([key]) => key)
        : ops.flatMap(({ o, t, k }) =>
            t === 'job' && o !== 'del' ? [...graph.by('longJob', 'jobUuid', k)] : t === 'longJob' && o !== 'del' ? [k] : [],
          )
    return [...new Set(keys)].map((key) => follow(graph, key)).filter((op) => op !== undefined)
  }
}
