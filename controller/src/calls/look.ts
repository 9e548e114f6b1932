/** Synchronous calls that only look. */
import {
  allocatorStrategies,
  hostAllocatorStrategies,
  kinds,
  type Row,
  resources,
  SKERRY_VERSION,
  SkerryError,
  ZSTACK_API_VERSION,
} from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Call, JobView } from '../engine/port.ts'
import { render } from '../inventory/index.ts'
import { needIso } from '../workflows/cdrom.rows.ts'
import { canTake } from '../workflows/vm.iso.ts'
import { need } from '../workflows/world.ts'
import { groupsForNewVm, groupsForVm } from './affinity-groups.ts'
import { availability, freeIps } from './free-ips.ts'
import { hostCapacityOf } from './host-capacity.ts'
import { ipCapacity } from './ip-capacity.ts'

export interface LookPorts {
  graph: Graph
  nodeUuid: string
  ready(): boolean
  job(uuid: string): JobView | undefined
  retry(uuid: string): Promise<JobView>
  now(): number
}

export function lookCalls(p: LookPorts): Record<string, (call: Call) => Promise<Row> | Row> {
  return {
    GetVersion: () => ({ version: ZSTACK_API_VERSION, skerry: SKERRY_VERSION }),
    GetCurrentTime: () => ({ currentTime: { MillionSeconds: p.now(), Seconds: Math.floor(p.now() / 1_000) } }),
    ...Object.fromEntries(
      Object.entries({ ...kinds, ...allocatorStrategies }).map(([api, answer]) => [api, () => ({ ...answer })]),
    ),
    GetHostAllocatorStrategies: () => ({
      strategies: [
        ...hostAllocatorStrategies,
        ...[...p.graph.rows('plugin')].flatMap(([, row]) => row['strategies'] as string[]),
      ],
    }),
    IsReadyToGo: () => {
      if (!p.ready()) throw new SkerryError('not-ready')
      return { managementNodeId: p.nodeUuid }
    },
    GetCpuMemoryCapacity: ({ params }) => hostCapacityOf(p.graph, params),
    GetCandidateAffinityGroupForAttachingVm: ({ params }) => groupsForVm(p.graph, params['vmUuid']),
    GetCandidateAffinityGroupForCreatingVm: ({ params }) => groupsForNewVm(p.graph, params),
    GetPrimaryStorageCapacity: ({ params }) => capacity(p.graph, params),
    GetBackupStorageCapacity: ({ params }) => storeCapacity(p.graph, params),
    GetZone: ({ params }) => ({ inventories: [render(p.graph, resources.zone, need(p.graph, 'zone', params['uuid']))] }),
    GetNetworkServiceTypes: () => serviceTypes(p.graph),
    ...Object.fromEntries(
      ['GetFreeIp', 'GetFreeIpOfL3Network', 'GetFreeIpOfIpRange'].map((api) => [
        api,
        ({ params }: Call) => freeIps(p.graph, params),
      ]),
    ),
    GetIpAddressCapacity: ({ params }) => ipCapacity(p.graph, params),
    CheckIpAvailability: ({ params }) => availability(p.graph, params),
    GetCandidateIsoForAttachingVm: ({ params }) => isoCandidates(p.graph, params['vmInstanceUuid'] as string),
    GetCandidateVmForAttachingIso: ({ params }) => vmCandidates(p.graph, params['isoUuid'] as string),
    GetTaskProgress: ({ params }) => progress(p, params),
    RetryJob: async ({ params }) => {
      await p.retry(params['uuid'] as string)
      return { inventory: p.graph.get('job', params['uuid'] as string) as Row }
    },
  }
}

/** Sums over the storages named (all when none is, as ZStack does with `all`). */
function capacity(graph: Graph, params: Row): Row {
  const chosen = (params['primaryStorageUuids'] as string[] | undefined) ?? []
  const zones = (params['zoneUuids'] as string[] | undefined) ?? []
  const clusters = (params['clusterUuids'] as string[] | undefined) ?? []
  const sum = { totalCapacity: 0, availableCapacity: 0, totalPhysicalCapacity: 0, availablePhysicalCapacity: 0 }
  for (const [key, ps] of graph.rows('primaryStorage')) {
    if (chosen.length > 0 && !chosen.includes(key)) continue
    if (zones.length > 0 && !zones.includes(ps['zoneUuid'] as string)) continue
    if (clusters.length > 0 && !(ps['attachedClusterUuids'] as string[]).some((c) => clusters.includes(c))) continue
    for (const field of Object.keys(sum) as (keyof typeof sum)[]) sum[field] += ps[field] as number
  }
  return sum
}

/** The same of backup storages. */
function storeCapacity(graph: Graph, params: Row): Row {
  const chosen = (params['backupStorageUuids'] as string[] | undefined) ?? []
  const zones = (params['zoneUuids'] as string[] | undefined) ?? []
  const sum = { totalCapacity: 0, availableCapacity: 0 }
  for (const [key, store] of graph.rows('backupStorage')) {
    if (chosen.length > 0 && !chosen.includes(key)) continue
    if (zones.length > 0 && !(store['attachedZoneUuids'] as string[]).some((zone) => zones.includes(zone))) continue
    for (const field of Object.keys(sum) as (keyof typeof sum)[]) sum[field] += store[field] as number
  }
  return sum
}

/** Of each service the types of the providers that serve it. */
function serviceTypes(graph: Graph): Row {
  const types: Record<string, string[]> = {}
  for (const [, provider] of graph.rows('networkServiceProvider'))
    for (const service of provider['networkServiceTypes'] as string[]) (types[service] ??= []).push(provider['type'] as string)
  return { types }
}

const rendered = (graph: Graph, table: 'image' | 'vmInstance', rows: Readonly<Row>[]): Row => ({
  inventories: rows.map((row) => render(graph, resources[table], row)),
})

/** ISO images that could be put into the VM's drive at this moment. */
function isoCandidates(graph: Graph, vmUuid: string): Row {
  need(graph, 'vmInstance', vmUuid)
  const isos = [...graph.by('image', 'format', 'iso')].filter((uuid) => canTake(graph, vmUuid, uuid))
  return rendered(
    graph,
    'image',
    isos.map((uuid) => graph.get('image', uuid)!),
  )
}

/** VM instances into whose drive the ISO could be put at this moment. */
function vmCandidates(graph: Graph, isoUuid: string): Row {
  needIso(graph, isoUuid)
  const vms = [...graph.rows('vmInstance')].filter(([uuid]) => canTake(graph, uuid, isoUuid))
  return rendered(
    graph,
    'vmInstance',
    vms.map(([, row]) => row),
  )
}

/** ZStack's TaskProgressInventory, with bytes and remaining time beside it. */
function progress(p: LookPorts, params: Row): Row {
  // Of a long job what counts is the job that it wraps.
  const [long] = p.graph.by('longJob', 'apiId', params['apiId'])
  const wrapped = long === undefined ? undefined : p.graph.get('longJob', long)?.['jobUuid']
  const uuid = (wrapped ?? params['apiId']) as string
  const job = p.graph.get('job', uuid) && p.job(uuid)
  if (!job) return { inventories: [] }
  const at = job.step ? job.steps.indexOf(job.step) : 0
  const over = job.finishedAt !== null
  const percent = over
    ? 100
    : Math.floor((100 * (Math.max(0, at) + (job.progress?.percent ?? 0) / 100)) / Math.max(1, job.steps.length))
  return {
    inventories: [
      {
        taskUuid: job.uuid,
        taskName: job.step ?? job.api,
        type: 'Task',
        content: String(percent),
        time: p.now(),
        arguments: job.api,
        state: job.state,
        ...(job.progress?.doneBytes !== undefined ? { doneBytes: job.progress.doneBytes } : {}),
        ...(job.progress?.totalBytes !== undefined ? { totalBytes: job.progress.totalBytes } : {}),
        ...(job.progress?.remainingMs !== undefined ? { remainingMs: job.progress.remainingMs } : {}),
      },
    ],
  }
}
