/**
 * Which host and primary storage a VM gets: a chain of filters, each with a reason for every refusal (zstack-core §3.13), then
 * the host with the fewest VMs (LeastVmPreferredHostAllocatorStrategy, ZStack's default). Pure. The choice is only a proposal: the
 * commit's counter guards decide, so nothing is oversold when two choose at once.
 */
import { type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'

/** Kept free on each host for the host itself (ZStack kvm.reservedMemory=1G). */
export const RESERVED_MEMORY = 1024 ** 3
/** Kept free on each primary storage (ZStack primaryStorage.reservedCapacity=1G). */
export const RESERVED_DISK = 1024 ** 3

export interface PlaceRequest {
  zoneUuid?: string
  clusterUuid?: string
  hostUuid?: string
  primaryStorageUuid?: string
  cpuNum: number
  memoryBytes: number
  /** 0 when the VM has its volumes already */
  diskBytes: number
  l3NetworkUuids: readonly string[]
  /** zones whose backup storage holds the image; undefined: no image is needed */
  imageZones?: readonly string[]
}

export interface Placement {
  hostUuid: string
  clusterUuid: string
  zoneUuid: string
  primaryStorageUuid: string
}

interface Candidate {
  host: Row
  storage?: string
}
type Filter = (candidate: Candidate, request: PlaceRequest, graph: Graph) => string | undefined

const enabled: Filter = ({ host }) =>
  host['state'] !== 'Enabled' ? `it is ${host['state']}` : host['status'] !== 'Connected' ? `it is ${host['status']}` : undefined

const asked: Filter = ({ host }, request) => {
  if (request.hostUuid && host['uuid'] !== request.hostUuid) return 'another host was asked for'
  if (request.clusterUuid && host['clusterUuid'] !== request.clusterUuid) return 'it is in another cluster'
  if (request.zoneUuid && host['zoneUuid'] !== request.zoneUuid) return 'it is in another zone'
  return undefined
}

const around: Filter = ({ host }, _request, graph) => {
  const cluster = graph.get('cluster', host['clusterUuid'] as string)
  const zone = graph.get('zone', host['zoneUuid'] as string)
  return cluster?.['state'] !== 'Enabled'
    ? 'its cluster is disabled'
    : zone?.['state'] !== 'Enabled'
      ? 'its zone is disabled'
      : undefined
}

const image: Filter = ({ host }, request) =>
  request.imageZones && !request.imageZones.includes(host['zoneUuid'] as string)
    ? 'no backup storage of its zone holds the image'
    : undefined

const network: Filter = ({ host }, request, graph) => {
  for (const l3Uuid of request.l3NetworkUuids) {
    const l3 = graph.get('l3Network', l3Uuid)
    const l2 = l3 ? graph.get('l2Network', l3['l2NetworkUuid'] as string) : undefined
    if (!l3 || !l2 || !(l2['attachedClusterUuids'] as string[]).includes(host['clusterUuid'] as string))
      return `network ${l3?.['name'] ?? l3Uuid} does not reach its cluster`
    const router = typeof l3['routerAgentUuid'] === 'string' ? graph.get('agent', l3['routerAgentUuid']) : undefined
    if (l2['physicalInterface'] === 'none' && router && router['hostUuid'] !== host['uuid'])
      return `network ${l3['name']} has no uplink and lives on another host`
  }
  return undefined
}

const cpu: Filter = ({ host }, request) => {
  const free = host['availableCpuCapacity'] as number
  return free < request.cpuNum ? `${request.cpuNum} CPUs are needed, ${free} are free` : undefined
}

const memory: Filter = ({ host }, request) => {
  const free = (host['availableMemoryCapacity'] as number) - RESERVED_MEMORY
  return free < request.memoryBytes
    ? `${request.memoryBytes} bytes of memory are needed, ${Math.max(0, free)} are free (1 GiB is kept for the host)`
    : undefined
}

const storage: Filter = (candidate, request, graph) => {
  const { host } = candidate
  const reasons: string[] = []
  let best = -1
  for (const psUuid of graph.by('primaryStorage', 'attachedClusterUuids', host['clusterUuid'])) {
    const ps = graph.get('primaryStorage', psUuid)!
    const part = graph.get('localStorageHost', `${psUuid}:${host['uuid']}`)
    if (request.primaryStorageUuid && psUuid !== request.primaryStorageUuid) continue
    if (ps['state'] !== 'Enabled') reasons.push(`primary storage ${ps['name']} is ${ps['state']}`)
    else if (part?.['status'] !== 'Connected') reasons.push(`primary storage ${ps['name']} is not connected there`)
    else {
      const free = (part['availableCapacity'] as number) - RESERVED_DISK
      if (free < request.diskBytes)
        reasons.push(`${request.diskBytes} bytes are needed on primary storage ${ps['name']}, ${Math.max(0, free)} are free`)
      else if (free > best) {
        best = free
        candidate.storage = psUuid
      }
    }
  }
  return candidate.storage ? undefined : reasons.join('; ') || 'no primary storage is attached to its cluster'
}

const filters: readonly Filter[] = [asked, enabled, around, image, network, cpu, memory, storage]

function hostsToLookAt(graph: Graph, request: PlaceRequest): string[] {
  if (request.hostUuid) return graph.get('host', request.hostUuid) ? [request.hostUuid] : []
  if (request.clusterUuid) return [...graph.by('host', 'clusterUuid', request.clusterUuid)]
  if (request.zoneUuid) return [...graph.by('host', 'zoneUuid', request.zoneUuid)]
  return [...graph.rows('host')].map(([key]) => key)
}

/** Chooses, or throws `no-host` whose details name every host and why it was refused. */
export function placeVm(graph: Graph, request: PlaceRequest): Placement {
  const refused: { host: string; uuid: string; because: string }[] = []
  let best: { candidate: Candidate; vms: number } | undefined
  for (const uuid of hostsToLookAt(graph, request)) {
    const candidate: Candidate = { host: graph.get('host', uuid)! as Row }
    let because: string | undefined
    for (const filter of filters) if ((because = filter(candidate, request, graph))) break
    if (because) refused.push({ host: candidate.host['name'] as string, uuid, because })
    else {
      const vms = graph.countBy('vmInstance', 'hostUuid', uuid)
      if (!best || vms < best.vms) best = { candidate, vms }
    }
  }
  if (!best) {
    const why =
      refused.length > 0
        ? refused
            .slice(0, 20)
            .map((r) => `${r.host}: ${r.because}`)
            .join('; ')
        : 'there is no host here'
    throw new SkerryError('no-host', `no host can take this VM instance: ${why}`, { refused: refused.slice(0, 100) })
  }
  const { host, storage: primaryStorageUuid } = best.candidate
  return {
    hostUuid: host['uuid'] as string,
    clusterUuid: host['clusterUuid'] as string,
    zoneUuid: host['zoneUuid'] as string,
    primaryStorageUuid: primaryStorageUuid!,
  }
}
