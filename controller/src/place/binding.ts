/** Hosts and clusters that a VM is bound to by its tag `resourceBindings::Cluster:<uuid>,Host:<uuid>` (zstack-core §3.13). Pure. */
import type { Graph } from '@skerry/graph'

const PREFIX = 'resourceBindings::'

/** Their uuids; undefined: it is bound to none. */
export function boundTo(systemTags: readonly string[]): string[] | undefined {
  const named = systemTags
    .filter((tag) => tag.startsWith(PREFIX))
    .flatMap((tag) => tag.slice(PREFIX.length).split(','))
    .flatMap((part) => /^\s*(?:Cluster|Host):([0-9a-f]{32})\s*$/.exec(part)?.[1] ?? [])
  return named.length > 0 ? named : undefined
}

/** Of a VM that exists. */
export const boundToOf = (graph: Graph, vmUuid: string): string[] | undefined =>
  boundTo([...graph.by('tag', 'resourceUuid', vmUuid)].map((k) => String(graph.get('tag', k)?.['tag'] ?? '')))
