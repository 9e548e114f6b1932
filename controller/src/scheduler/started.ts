/** Which jobs a trigger starts, by itself and by groups, and what they are made with. Pure. */
import type { Op, Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { historyRow } from './kinds.ts'

export interface Started {
  job: Readonly<Row>
  /** the group by which it is started */
  group?: Readonly<Row> | undefined
}

const rowsOf = (graph: Graph, table: string, keys: unknown): Readonly<Row>[] =>
  ((keys as string[] | undefined) ?? []).map((k) => graph.get(table, k)).filter((row) => row !== undefined)

/** The jobs of a group; none of a disabled one. */
export const startedByGroup = (graph: Graph, group: Readonly<Row>): Started[] =>
  group['state'] === 'Enabled' ? rowsOf(graph, 'schedulerJob', group['jobsUuid']).map((job) => ({ job, group })) : []

/** Each job once, however many groups it is in: what starts it by itself goes before groups, and those in their order. */
export function startedBy(graph: Graph, trigger: Readonly<Row>): Started[] {
  const alone = rowsOf(graph, 'schedulerJob', trigger['jobsUuid']).map((job): Started => ({ job }))
  const grouped = rowsOf(graph, 'schedulerJobGroup', trigger['jobGroupsUuid']).flatMap((group) => startedByGroup(graph, group))
  const byJob = new Map<unknown, Started>()
  for (const one of [...alone, ...grouped]) if (!byJob.has(one.job['uuid'])) byJob.set(one.job['uuid'], one)
  return [...byJob.values()]
}

/** What a job is made with: what its group says goes before its own. `group`: undefined where it was started by itself, or the group is gone. */
export const parametersOf = (job: Readonly<Row>, group?: Readonly<Row>): Record<string, string> => ({
  ...JSON.parse(job['jobData'] as string),
  ...(group ? JSON.parse(group['jobData'] as string) : {}),
})

/** A run that is to be made. */
export const runOp = ({ job, group }: Started, run: Parameters<typeof historyRow>[1], also: Row = {}): Op => ({
  o: 'put',
  t: 'schedulerJobHistory',
  k: run.uuid,
  v: { ...historyRow(job, run), schedulerJobGroupUuid: group?.['uuid'] ?? null, ...also },
})
