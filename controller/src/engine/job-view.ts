/** A job as its clients see it, from its row and what this process knows of it. Pure. */
import type { ErrorBody, Progress, Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { stepNamesIn } from '@skerry/workflow'
import type { JobView } from './port.ts'
import { resultOf } from './result.ts'

export interface JobFacts {
  durableSeq: number
  /** the step that is under way */
  shown: { step: string; progress?: Progress } | undefined
  /** ended, while its agents still clean up */
  tidying: boolean
  /** a result that never reaches the log */
  volatile: Row | undefined
}

export const hasEnded = (job: Readonly<Row> | undefined): boolean =>
  job?.['state'] === 'done' || job?.['state'] === 'failed' || job?.['state'] === 'stuck'

export const isUnderWay = (job: JobView | undefined): boolean => job?.state === 'processing' || job?.state === 'undoing'

export function viewOf(graph: Graph, uuid: string, facts: JobFacts): JobView | undefined {
  const row = graph.get('job', uuid)
  if (!row) return undefined
  const { shown, volatile, durableSeq } = facts
  const tidying = facts.tidying && row['state'] === 'done'
  // An end that is not on disk yet may not be told: after a crash the job would go on, or never have been.
  const early = hasEnded(row) && graph.version('job', uuid)! > durableSeq
  const live = row['state'] === 'processing' || row['state'] === 'undoing' || tidying || early
  const state = tidying || early ? 'processing' : (row['state'] as JobView['state'])
  return {
    uuid,
    api: row['api'] as string,
    state,
    steps: stepNamesIn(row['steps'] as string[]),
    ...(row['skipped'] ? { skipped: row['skipped'] as string[] } : {}),
    step: (live ? shown?.step : undefined) ?? (row['step'] as string | null),
    createDate: row['createDate'] as number,
    finishedAt: live ? null : (row['finishedAt'] as number | null),
    ...(live && shown?.progress ? { progress: shown.progress } : {}),
    ...(row['error'] && !live ? { error: row['error'] as unknown as ErrorBody } : {}),
    ...(state === 'done' ? { result: volatile ?? resultOf(graph, row) } : {}),
  }
}
