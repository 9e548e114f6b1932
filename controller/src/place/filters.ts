/**
 * The filters that a host passes on its way to a VM, in their order (zstack-core §3.13). Each gives why it refuses, or undefined.
 * Pure. A new reason to refuse a host is one entry here.
 */

import { choosePool } from './pool.ts'
import type { Ask, Candidate, Refused } from './request.ts'

export interface Filter {
  name: string
  /** what is in the way, for whom may not see hosts: `each is disabled` */
  plainly: string
  refuse(ask: Ask, candidate: Candidate): string | undefined
}

const designatedHost: Filter = {
  name: 'designated-host',
  plainly: 'is not where it was asked for',
  refuse({ request }, { host }) {
    if (request.hostUuid && host['uuid'] !== request.hostUuid) return 'another host was asked for'
    if (request.clusterUuid && host['clusterUuid'] !== request.clusterUuid) return 'it is in another cluster'
    return request.zoneUuid && host['zoneUuid'] !== request.zoneUuid ? 'it is in another zone' : undefined
  },
}

const hostState: Filter = {
  name: 'host-state',
  plainly: 'is disabled, in maintenance or out of reach',
  refuse({ graph }, { host }) {
    if (host['state'] !== 'Enabled') return `it is ${host['state']}`
    if (host['status'] !== 'Connected') return `it is ${host['status']}`
    // Since a restore nobody knows what runs there until its agents have said so.
    const unheard =
      graph.count('reunion') > 0 && [...graph.by('agent', 'hostUuid', host['uuid'])].some((k) => graph.get('reunion', k))
    return unheard ? 'it was not heard since the restore' : undefined
  },
}

const surroundings: Filter = {
  name: 'zone-and-cluster-state',
  plainly: 'is in a zone or cluster that is disabled',
  refuse({ graph }, { host }) {
    if (graph.get('cluster', host['clusterUuid'] as string)?.['state'] !== 'Enabled') return 'its cluster is disabled'
    return graph.get('zone', host['zoneUuid'] as string)?.['state'] !== 'Enabled' ? 'its zone is disabled' : undefined
  },
}

const imageBackupStorage: Filter = {
  name: 'image-backup-storage',
  plainly: 'is in a zone whose backup storages do not hold the image',
  refuse: ({ request }, { host }) =>
    request.imageZones && !request.imageZones.includes(host['zoneUuid'] as string)
      ? 'no backup storage of its zone holds the image'
      : undefined,
}

const attachedL2Network: Filter = {
  name: 'attached-l2-network',
  plainly: 'is where a network of it does not reach',
  refuse({ graph, request }, { host }) {
    for (const l3Uuid of request.l3NetworkUuids) {
      const l3 = graph.get('l3Network', l3Uuid)
      const l2 = l3 ? graph.get('l2Network', l3['l2NetworkUuid'] as string) : undefined
      if (!l3 || !l2 || !(l2['attachedClusterUuids'] as string[]).includes(host['clusterUuid'] as string))
        return `network ${l3?.['name'] ?? l3Uuid} does not reach its cluster`
    }
    return undefined
  },
}

/** A network without an uplink is where its router is. */
const networkWithoutUplink: Filter = {
  name: 'network-without-uplink',
  plainly: 'is not where a network of it lives, which has no uplink',
  refuse({ graph, request }, { host }) {
    for (const l3Uuid of request.l3NetworkUuids) {
      const l3 = graph.get('l3Network', l3Uuid)!
      const l2 = graph.get('l2Network', l3['l2NetworkUuid'] as string)
      const router = typeof l3['routerAgentUuid'] === 'string' ? graph.get('agent', l3['routerAgentUuid']) : undefined
      if (l2?.['physicalInterface'] === 'none' && router && router['hostUuid'] !== host['uuid'])
        return `network ${l3['name']} has no uplink and lives on another host`
    }
    return undefined
  },
}

const hostCapacity: Filter = {
  name: 'host-capacity',
  plainly: 'has too few free CPUs or too little free memory',
  refuse({ request, settings }, { host }) {
    const cpus = host['availableCpuCapacity'] as number
    if (cpus < request.cpuNum) return `${request.cpuNum} CPUs are needed, ${Math.max(0, cpus)} are free`
    const free = (host['availableMemoryCapacity'] as number) - settings.memoryFloor(host)
    return free < request.memoryBytes
      ? `${request.memoryBytes} bytes of memory are needed, ${Math.max(0, free)} are free (${size(settings.reservedMemory(host))} is kept for the host)`
      : undefined
  },
}
const size = (bytes: number) => (bytes % 1024 ** 3 === 0 ? `${bytes / 1024 ** 3} GiB` : `${Math.round(bytes / 1024 ** 2)} MiB`)

const attachedVolume: Filter = {
  name: 'attached-volume-primary-storage',
  plainly: 'is not where its volumes are',
  refuse: ({ graph, request }, { host }) =>
    request.volumeHostUuid && request.volumeHostUuid !== host['uuid']
      ? `its volumes are on the local disks of host ${graph.get('host', request.volumeHostUuid)?.['name'] ?? request.volumeHostUuid}`
      : undefined,
}

const hostPrimaryStorage: Filter = {
  name: 'host-primary-storage',
  plainly: 'has no primary storage with room that it may use',
  refuse({ graph, request, settings }, candidate) {
    const { storageStrategy: strategy, storageWish: wish } = request
    const chosen = choosePool(graph, { ...request, strategy, wish, host: candidate.host }, settings)
    if (chosen.storage) candidate.storage = chosen.storage
    return chosen.storage ? undefined : chosen.reasons.join('; ') || 'no primary storage is attached to its cluster'
  },
}

const avoidHost: Filter = {
  name: 'avoid-host',
  plainly: 'is to be avoided',
  refuse: ({ request }, { host }) =>
    request.avoidHostUuids?.includes(host['uuid'] as string) ? 'it is to be avoided' : undefined,
}

const resourceBinding: Filter = {
  name: 'resource-binding',
  plainly: 'is not what it is bound to',
  refuse({ request, settings }, { host }) {
    const bound = request.boundTo
    if (!bound || settings.bindingIsSoft()) return undefined
    return bound.includes(host['uuid'] as string) || bound.includes(host['clusterUuid'] as string)
      ? undefined
      : 'the VM instance is bound to other hosts or clusters'
  },
}

const affinityGroup: Filter = {
  name: 'affinity-group',
  plainly: 'has another VM instance of an affinity group of it',
  refuse({ apart }, { host }) {
    const group = apart.hard.get(host['uuid'] as string)
    return group === undefined ? undefined : `another VM instance of affinity group ${group} is there`
  },
}

const schedulingRule: Filter = {
  name: 'scheduling-rule',
  plainly: 'is where a scheduling rule of it does not let it be',
  refuse: ({ rules }, { host }) => rules.refuse(host),
}

/** What is the same for all hosts of a cluster. */
export const clusterFilters: readonly Filter[] = [surroundings, imageBackupStorage, attachedL2Network]
export const hostFilters: readonly Filter[] = [
  designatedHost,
  schedulingRule,
  hostState,
  networkWithoutUplink,
  hostCapacity,
  attachedVolume,
  hostPrimaryStorage,
  avoidHost,
  resourceBinding,
  affinityGroup,
]

/** By filter, in the order in which they are asked. */
export const inTheWay: Readonly<Record<string, string>> = Object.fromEntries(
  [...clusterFilters, ...hostFilters].map(({ name, plainly }) => [name, plainly]),
)

type Refusal = { filter: string; because: string } | undefined

function firstRefusal(filters: readonly Filter[], ask: Ask, candidate: Candidate): Refusal {
  for (const { name, refuse } of filters) {
    const because = refuse(ask, candidate)
    if (because !== undefined) return { filter: name, because }
  }
  return undefined
}

/** Why this host can't take it; undefined: it can, and the candidate says on which storage. */
export function refusalOf(ask: Ask, candidate: Candidate): Refused | undefined {
  const cluster = candidate.host['clusterUuid'] as string
  if (!ask.clusters.has(cluster)) ask.clusters.set(cluster, firstRefusal(clusterFilters, ask, candidate))
  const found = ask.clusters.get(cluster) ?? firstRefusal(hostFilters, ask, candidate)
  return found && { host: candidate.host['name'] as string, uuid: candidate.host['uuid'] as string, ...found }
}
