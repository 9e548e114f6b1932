/** Calls that look at what is scheduled. */
import { type ResourceName, type Row, resources } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Call } from '../engine/port.ts'
import { render } from '../inventory/index.ts'
import { executionReport } from '../scheduler/report.ts'

function those(graph: Graph, table: ResourceName, is: (row: Readonly<Row>) => boolean): Row {
  const rows = [...graph.rows(table)].map(([, row]) => row).filter(is)
  return { inventories: rows.map((row) => render(graph, resources[table], row)) }
}

export const schedulerCalls = (graph: Graph, now: () => number): Record<string, (call: Call) => Row> => ({
  GetSchedulerExecutionReport: ({ params }) => executionReport(graph, params, now()),
  GetNoTriggerSchedulerJobs: () =>
    those(graph, 'schedulerJob', (job) => {
      const groups = (job['schedulerJobGroupUuids'] as string[]).map((k) => graph.get('schedulerJobGroup', k))
      return [job, ...groups].every((row) => ((row?.['triggersUuid'] as string[] | undefined) ?? []).length === 0)
    }),
  GetAvailableTriggers: () => those(graph, 'schedulerTrigger', (trigger) => trigger['next'] !== null),
})
