/** Which agent-storage goes to a storage server: one that is there, of a zone that uses the storage where there is one. Pure. */
import { type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'

export function agentFor(graph: Graph, storage: Readonly<Row>, alive: (agentUuid: string) => boolean): string {
  // An image store has its own.
  if (typeof storage['agentUuid'] === 'string') return storage['agentUuid']
  const zones = new Set(storage['attachedZoneUuids'] as string[])
  const inZone = (k: string) =>
    zones.has(graph.get('host', (graph.get('agent', k)?.['hostUuid'] as string | null) ?? '')?.['zoneUuid'] as string)
  const there = [...graph.by('agent', 'kind', 'storage')]
    .filter((k) => !graph.get('agent', k)?.['revokedDate'] && alive(k))
    .sort()
  const found = there.find(inZone) ?? there[0]
  if (found !== undefined) return found
  throw new SkerryError('agent-absent', `no agent-storage is there to go to the storage server ${storage['hostname']}`, {
    backupStorageUuid: storage['uuid'],
    hostname: storage['hostname'],
    run: 'skerry agent token, then on a host: skerry-agent-storage --controller <url of this controller> --management-ip <its address> --token-file <file>',
  })
}
