/** What an ended job answers, as its API promises. */
import { type Api, apis, type Resource, type Row, resourceOf, SkerryError, tableOf } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { render } from '../inventory/index.ts'

const byName = new Map<string, { api: Api; resource: Resource }>(apis.map((a) => [a.api.api, a]))

const tableNamed = (name: string) => {
  const resource = resourceOf(name)
  return resource ? tableOf(resource) : name
}

/** From the graph as it is; a resource that is gone since leaves what the job itself recorded. */
export function resultOf(graph: Graph, job: Readonly<Row>): Row {
  const api = byName.get(job['api'] as string)?.api
  const other = api?.otherwise?.of === job['resourceType'] ? api?.otherwise : undefined
  const declared =
    other && api?.result.kind === 'inventory' ? { kind: 'inventory' as const, of: other.answers ?? other.of } : api?.result
  if (declared?.kind === 'empty') return {}
  if (declared?.kind !== 'inventory') return (job['result'] as Row | null) ?? {}
  const params = (job['input'] as { params: Row }).params
  // `AddSftpBackupStorage` is of backup storages, and answers with what it made as one of its own kind.
  const same = tableNamed(declared.of) === tableNamed(job['resourceType'] as string)
  const via = `${declared.of}Uuid`
  // `DetachL3NetworkFromVm` is of a card that is gone, and answers with the VM that the job has named.
  const key = same ? job['resourceUuid'] : (params[via] ?? (job['result'] as Row | null)?.[via])
  const of = resourceOf(declared.of)
  const found = of ? graph.get(tableOf(of), (key as string | undefined) ?? '') : undefined
  if (!found || !of) return (job['result'] as Row | null) ?? {}
  const inventory = render(graph, of, found)
  return 'listed' in declared && declared.listed ? { inventory, inventories: [inventory] } : { inventory }
}

/** Every API without a workflow must have a handler: checked at start, so that no route answers with a defect. */
export function checkCalls(calls: Record<string, unknown>): void {
  const missing = apis.filter(({ api }) => api.sync && !api.query && !(api.api in calls)).map(({ api }) => api.api)
  if (missing.length > 0) throw new SkerryError('internal', `these APIs have no handler: ${missing.join(', ')}`)
}
