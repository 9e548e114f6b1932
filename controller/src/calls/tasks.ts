/** What waits in which queue, and names of resources. */
import { type Resource, type Row, resources } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { QueueView, TaskView } from '@skerry/workflow'
import type { Call } from '../engine/port.ts'
import { resourceTypeOf } from '../engine/tags.ts'

/** Labels of jobs are `<API> <job uuid>`. */
function taskOf({ label, forMs }: TaskView): Row {
  const [name, jobUuid] = label.split(' ')
  return { name, ...(jobUuid && /^[0-9a-f]{32}$/.test(jobUuid) ? { jobUuid } : {}), forMs: Math.round(forMs) }
}

/** `wanted`: keys of queues, those that are empty too; undefined: all that there are. */
function chains(queues: readonly QueueView[], wanted: readonly string[] | undefined): Row {
  const keys = wanted ?? queues.map(({ key }) => key)
  const results = keys.map((key) => {
    const queue = queues.find((q) => q.key === key)
    return [key, { runningTask: (queue?.running ?? []).map(taskOf), pendingTask: (queue?.pending ?? []).map(taskOf) }]
  })
  return { results: Object.fromEntries(results) }
}

/** Resources whose rows stand under their uuid, without those that share a table. */
const kinds = Object.values(resources as Record<string, Resource>).filter(
  ({ rows, indexes }) => !rows && !indexes.includes('uuid'),
)

function namesOf(graph: Graph, uuids: readonly string[]): Row {
  const found = uuids.flatMap((uuid): Row[] => {
    const kind = kinds.find(({ name }) => graph.get(name, uuid))
    if (!kind) return []
    return [{ uuid, resourceName: graph.get(kind.name, uuid)?.['name'] ?? '', resourceType: resourceTypeOf(kind.name) }]
  })
  return { inventories: found }
}

export const taskCalls = (graph: Graph, queues: () => readonly QueueView[]): Record<string, (call: Call) => Row> => ({
  GetChainTask: ({ params }) => chains(queues(), params['syncSignatures'] as string[] | undefined),
  GetVmTask: ({ params }) => chains(queues(), params['vmInstanceUuids'] as string[]),
  GetHostTask: ({ params }) => chains(queues(), params['hostUuids'] as string[]),
  GetResourceNames: ({ params }) => namesOf(graph, params['uuids'] as string[]),
})
