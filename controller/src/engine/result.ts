/** What an ended job answers, as its API promises. */
import { type Api, apis, type Resource, type Row, resourceOf, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { render } from '../inventory/index.ts'

const byName = new Map<string, { api: Api; resource: Resource }>(apis.map((a) => [a.api.api, a]))

/** From the graph as it is; a resource that is gone since leaves what the job itself recorded. */
export function resultOf(graph: Graph, job: Readonly<Row>): Row {
  const declared = byName.get(job['api'] as string)?.api.result
  if (declared?.kind === 'empty') return {}
  if (declared?.kind !== 'inventory') return (job['result'] as Row | null) ?? {}
  const params = (job['input'] as { params: Row }).params
  const key = declared.of === job['resourceType'] ? job['resourceUuid'] : params[`${declared.of}Uuid`]
  const of = resourceOf(declared.of)
  const found = of ? graph.get(of.name, key as string) : undefined
  return found && of ? { inventory: render(graph, of, found) } : ((job['result'] as Row | null) ?? {})
}

/** Every API without a workflow must have a handler: checked at start, so that no route answers with a defect. */
export function checkCalls(calls: Record<string, unknown>): void {
  const missing = apis.filter(({ api }) => api.sync && !api.query && !(api.api in calls)).map(({ api }) => api.api)
  if (missing.length > 0) throw new SkerryError('internal', `these APIs have no handler: ${missing.join(', ')}`)
}
